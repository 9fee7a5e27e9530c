/** (a) A pod that grows on a small node: killed without Headroom, moved in time with it. */
import type { V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { migrationsPath } from "../harness/api.ts";
import { importOperatorImages, installHeadroom } from "../harness/headroom.ts";
import { describeMove, type Migration, moveReaches, targetPod } from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { createPolicy } from "../harness/policies.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";
import type { WorkloadOptions } from "../harness/workloads.ts";

const SMALL_NODE_MIB = 640;
const GROWN_MIB = 620; // with what the node itself uses, more than the small node has

function growing(name: string, growthMiBPerSecond: number): WorkloadOptions {
  return { name, startMiB: 64, growthMiBPerSecond, maxMiB: GROWN_MIB, node: "n1", labels: { tier: "batch" } };
}

function wasKilled(pod: V1Pod | undefined): boolean {
  const status = pod?.status?.containerStatuses?.[0];
  const ended = status?.lastState?.terminated ?? status?.state?.terminated;
  return ended?.reason === "OOMKilled";
}

async function killed(context: Context): Promise<void> {
  const name = context.workload("grows");
  await startPod(context, growing(name, 20));
  await waitFor("the pod to be killed for memory", 180, async () => wasKilled(await getPod(context, name)));
  const { heldMiB } = await context.witness.testimony(name);
  context.note(
    `killed; it was to grow to ${GROWN_MIB} MiB on a node of ${SMALL_NODE_MIB} MiB (last heard: ${heldMiB} MiB)`,
  );
}

async function moved(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  await importOperatorImages(cluster, context.note);
  await installHeadroom(cluster, api);
  await createPolicy(api, "batch", {
    mode: "Enforce",
    podSelector: { matchLabels: { tier: "batch" } },
    evaluationInterval: "2s",
    pressure: { strategy: "Threshold", freeBelow: "40%" },
    placement: { strategy: "MostFree", margin: "5%" },
  });
  const name = context.workload("grows");
  await startPod(context, growing(name, 5));
  const asked = await waitFor("the policy to ask for a move", 120, async () => {
    const [move] = await api.list<Migration>(migrationsPath(namespace));
    return move;
  });
  assertEqual(asked.spec.policyName, "batch", "the move's policyName");
  const done = await moveReaches(api, namespace, asked.metadata.name, ["Succeeded"]);
  const pod = await targetPod(api, done);
  assertEqual(pod.spec?.nodeName, "n2", "the node of the moved pod");
  const testimony = await witness.holds(name, GROWN_MIB, 150);
  assertOneLife(name, testimony);
  assert(!wasKilled(await getPod(context, pod.metadata?.name ?? "")), "the moved pod was killed");
  context.note(await describeMove(witness, name, done));
}

export const pressure: Scenario = {
  id: "a",
  title: "a pod that outgrows its node",
  nodeMemoryMiB: [SMALL_NODE_MIB, 2048],
  headroom: false,
  tests: [
    { name: "without Headroom it is killed for memory", run: killed },
    { name: "with Headroom it is moved before, and grows on elsewhere", run: moved, limitSeconds: 400 },
  ],
};
