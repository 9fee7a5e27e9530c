/** (f) Bad policies: refused by the API server where it can see it, else a condition; never a harm to the others. */
import { ApiError, migrationsPath } from "../harness/api.ts";
import { conditionBecomes, createPolicy, type PolicySpec } from "../harness/policies.ts";
import { assert, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";

const podSelector = { matchLabels: { tier: "batch" } };

/** What is wrong, and what the answer must contain. */
const BAD: [what: string, spec: Record<string, unknown>, parts: string[]][] = [
  ["no podSelector", {}, ["spec.podSelector", "Required"]],
  ["an unknown mode", { podSelector, mode: "Maybe" }, ["spec.mode", "Enforce"]],
  ["an unknown strategy", { podSelector, pressure: { strategy: "Guess" } }, ["spec.pressure.strategy"]],
  ["a bare integer", { podSelector, pressure: { freeBelow: "20" } }, ["spec.pressure.freeBelow"]],
  ["a negative interval", { podSelector, evaluationInterval: "-5s" }, ["spec.evaluationInterval"]],
  [
    "a gate that reopens above where it closes",
    { podSelector, schedulingGate: { closeAbove: "60%", reopenBelow: "70%" } },
    ["schedulingGate", "reopenBelow must be less than closeAbove"],
  ],
  [
    "the options of another strategy",
    { podSelector, pacing: { strategy: "Concurrent", blocking: { pause: "30s" } } },
    ["spec.pacing"],
  ],
];

async function refusal(create: Promise<unknown>, what: string): Promise<string> {
  try {
    await create;
  } catch (error) {
    if (error instanceof ApiError && error.status === 422) return error.message;
    throw error;
  }
  throw new Error(`the API server took ${what}`);
}

async function refused(context: Context): Promise<void> {
  for (const [what, spec, parts] of BAD) {
    const said = await refusal(createPolicy(context.api, "bad", spec as PolicySpec), what); // wrong on purpose
    const missing = parts.filter((part) => !said.includes(part));
    assert(missing.length === 0, `${what}: the answer does not name ${missing.join(", ")}: ${said}`);
  }
}

async function moveRefused(context: Context): Promise<void> {
  const { api, namespace } = context;
  const path = migrationsPath(namespace);
  const object = { apiVersion: "headroom.dev/v1alpha1", kind: "PodMigration", metadata: { name: "bad" } };
  const said = await refusal(api.create(path, { ...object, spec: { podName: "A_B" } }), "a bad podName");
  assert(said.includes("spec.podName"), `the answer does not name spec.podName: ${said}`);
  await api.create(path, { ...object, spec: { podName: "nobody", targetNode: "n2" } });
  const change = api.patch(`${path}/bad`, { spec: { podName: "somebody" } });
  assert((await refusal(change, "another podName")).includes("podName cannot be changed"), "podName could be changed");
}

async function conditions(context: Context): Promise<void> {
  const { api } = context;
  const spec = { podSelector, evaluationInterval: "1s" };
  await createPolicy(api, "a-good", spec);
  await createPolicy(api, "b-overlapping", spec);
  await createPolicy(api, "c-unconfigured", { ...spec, metrics: { source: "KubeletSummary" } });
  const unconfigured = await conditionBecomes(api, "c-unconfigured", "MetricsAvailable", "False");
  await conditionBecomes(api, "a-good", "Ready", "True");
  context.note(`${unconfigured.reason}: ${unconfigured.message}`);
}

export const badPolicies: Scenario = {
  id: "f",
  title: "bad policies",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: "a bad policy is refused with a message that names the field", run: refused },
    { name: "a bad move is refused, and a move's spec cannot be changed", run: moveRefused },
    { name: "what only the controller can see is a condition, and harms no other policy", run: conditions },
  ],
};
