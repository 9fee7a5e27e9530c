/** (e) DryRun decides the same and touches nothing. */
import type { V1Node } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { migrationsPath } from "../harness/api.ts";
import type { Migration } from "../harness/moves.ts";
import { allPods, startPod } from "../harness/pods.ts";
import { createPolicy, getPolicy, type PolicySpec } from "../harness/policies.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

/** The node is short at once, and fuller than the gate allows. */
const SPEC: PolicySpec = {
  podSelector: { matchLabels: { tier: "batch" } },
  evaluationInterval: "2s",
  pressure: { strategy: "Threshold", freeBelow: "55%" },
  placement: { strategy: "MostFree", margin: "1%" },
  schedulingGate: { closeAbove: "40%", reopenBelow: "20%" },
};

async function touchesNothing(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("full");
  const pod = await startPod(context, { name, startMiB: 500, node: "n1", labels: { tier: "batch" } });
  await createPolicy(api, "watching", SPEC);
  const recommended = await waitFor("the policy to recommend a move", 60, async () => {
    return (await getPolicy(api, "watching"))?.status?.recommendations?.find((entry) => entry.pod === name);
  });
  assertEqual([recommended.from, recommended.to], ["n1", "n2"], "from and to of the recommended move");
  await witness.hears(name, 800); // several evaluations
  assertEqual((await api.list<Migration>(migrationsPath(namespace))).length, 0, "the number of moves");
  const taints = (await api.list<V1Node>("/api/v1/nodes")).flatMap((node) => node.spec?.taints ?? []);
  assertEqual(taints, [], "the nodes' taints");
  assertEqual(
    (await allPods(context)).map(({ metadata }) => metadata?.uid),
    [pod.metadata?.uid],
    "the pods",
  );
  assertOneLife(name, await witness.testimony(name));
  assert(recommended.namespace === namespace, "the recommendation names another namespace");
}

async function enforceGates(context: Context): Promise<void> {
  const { api, witness } = context;
  const name = context.workload("full");
  await startPod(context, { name, startMiB: 500, node: "n1" }); // not selected: nothing can be moved
  await createPolicy(api, "gating", { ...SPEC, mode: "Enforce" });
  const taintsOf = async (): Promise<string[]> =>
    ((await api.get<V1Node>("/api/v1/nodes/n1"))?.spec?.taints ?? []).map(({ key }) => key);
  await waitFor("node n1 to be gated", 60, async () => (await taintsOf()).includes("headroom.dev/filling-up"));
  await api.delete("/apis/headroom.dev/v1alpha1/migrationpolicies/gating");
  await waitFor("the gate to go with its policy", 30, async () => (await taintsOf()).length === 0);
  assertOneLife(name, await witness.hears(name, 20));
}

export const dryRun: Scenario = {
  id: "e",
  title: "DryRun",
  nodeMemoryMiB: [1024, 4096], // shared with `g`; the target stages a quarter of its memory at most
  headroom: {},
  tests: [
    { name: "DryRun recommends a move and touches nothing", run: touchesNothing },
    { name: "Enforce gates a full node, and the gate goes with its policy", run: enforceGates },
  ],
};
