/** A move from n1 to n2 that something interrupts, and what must be true after it. */
import type { V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { PRELOADED } from "./failpoints.ts";
import type { HelmValues } from "./headroom.ts";
import { describeMove, describeState, FINAL_PHASES, type Migration, moveReaches, requestMove } from "./moves.ts";
import { startPod } from "./pods.ts";
import { assertEqual, type Context } from "./scenario.ts";
import { assertOneLife } from "./witness.ts";
import type { WorkloadOptions } from "./workloads.ts";

/** The controller is on a node that no fault touches: n1 is the source, n2 the target. */
export const VALUES: HelmValues = {
  controller: { replicas: 1, nodeSelector: { "kubernetes.io/hostname": "n3" }, extraEnv: PRELOADED },
};
/** Where n3 is the controller's. */
export const NODES_MIB: readonly number[] = [1536, 1536, 1024];
export const MOVE = "move";

/** In the writable layer and in an emptyDir: lost files are noticed whatever happens to the move. */
const COUNTERS = ["/data/count", "/volumes/scratch/count"];

export async function begin(context: Context, options: Partial<WorkloadOptions> = {}): Promise<string> {
  const name = context.workload("steady");
  await startPod(context, { name, startMiB: 128, node: "n1", emptyDirs: ["scratch"], counters: COUNTERS, ...options });
  await requestMove(context.api, context.namespace, { name: MOVE, podName: name, targetNode: "n2" });
  return name;
}

/** The move ends, and one copy, the same process, is alive. */
export async function assertOneCopy(context: Context, name: string, limitSeconds = 180): Promise<Migration> {
  const { api, namespace, witness } = context;
  const ended = await moveReaches(api, namespace, MOVE, FINAL_PHASES, limitSeconds);
  assertOneLife(name, await witness.hears(name, 300, 60));
  const running = await waitFor("one pod to be left", 60, async () => {
    const pods = await leftPods(context, name, ended);
    return pods.length === 1 && pods;
  });
  const expected = ended.status?.phase === "Succeeded" ? "n2" : "n1";
  assertEqual(running[0]?.spec?.nodeName, expected, `the pod's node (the move is ${describeState(ended)})`);
  context.note(await describeMove(witness, name, ended));
  if (ended.status?.phase !== "Succeeded") context.note(describeState(ended));
  return ended;
}

/** Pods of the workload and of the move. */
async function leftPods(context: Context, name: string, move: Migration): Promise<V1Pod[]> {
  const pods = await context.api.list<V1Pod>(`/api/v1/namespaces/${context.namespace}/pods`);
  return pods.filter(({ metadata }) => metadata?.labels?.app === name || metadata?.name === move.status?.targetPodName);
}
