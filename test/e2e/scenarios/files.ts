/** (files) Many files, much of them in memory, and files without a name: all arrive as they were, and the agents stay small. */
import type { V1Pod } from "@kubernetes/client-node";
import { kubectl } from "../cluster/cluster.ts";
import { watchAgents } from "../harness/agents.ts";
import {
  describeMove,
  describeState,
  type Migration,
  moveReaches,
  phasesOf,
  requestMove,
  targetPod,
} from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";
import { type Tree, treeArgument } from "../harness/workloads.ts";

const MIB = 2 ** 20;
const UNLINKED: Tree = { path: "/data", count: 8, bytes: 16 * MIB };

/** Reads every file of the tree in the pod and counts them. */
export async function assertWhole(context: Context, pod: V1Pod, tree: Tree): Promise<void> {
  const inPod = ["-n", context.namespace, "exec", pod.metadata?.name ?? "", "--request-timeout=0", "--"];
  const said = await kubectl(context.cluster, [...inPod, "/bin/workload", `--check=${treeArgument(tree)}`], {
    timeoutSeconds: 200,
  });
  assertEqual(said.trim(), `${tree.count} files found, ${tree.count} expected, 0 damaged`, `the check of ${tree.path}`);
}

async function arriveWhole(context: Context, layerFiles: number, memoryMiB: number): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("files");
  const layer: Tree = { path: "/data/tree", count: layerFiles, bytes: 512 };
  const memory: Tree = { path: "/volumes/fast/tree", count: memoryMiB / 16, bytes: 16 * MIB };
  await startPod(context, {
    name,
    startMiB: 64,
    node: "n1",
    memoryDirs: ["fast"],
    counters: ["/data/count", "/volumes/fast/count"],
    trees: [layer, memory],
  });
  const assertAgents = await watchAgents(context, ["n1", "n2"]);
  await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2" });
  const done = await moveReaches(api, namespace, "move", ["Succeeded"], 300);
  assertOneLife(name, await witness.hears(name, 200));
  const pod = await targetPod(api, done);
  for (const tree of [layer, memory]) await assertWhole(context, pod, tree);
  context.note(await describeMove(witness, name, done));
  await assertAgents();
}

/** They have no name under which they could be sent: CRIU takes their content along, or the move is refused while the pod runs. */
async function withoutNames(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("unlinked");
  await startPod(context, { name, startMiB: 32, node: "n1", unlinked: UNLINKED });
  const assertAgents = await watchAgents(context, ["n1", "n2"]);
  await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2" });
  const ended = await moveReaches(api, namespace, "move", ["Succeeded", "Failed"], 180);
  assertOneLife(name, await witness.hears(name, 200));
  context.note(ended.status?.phase === "Failed" ? describeState(ended) : await describeMove(witness, name, ended));
  if (ended.status?.phase === "Failed") await assertRefusedBeforeFreeze(context, name, ended);
  await assertAgents();
}

async function assertRefusedBeforeFreeze(context: Context, name: string, move: Migration): Promise<void> {
  assert(!phasesOf(move).includes("Frozen"), "it was frozen for nothing");
  assert(move.status?.reason, "the refusal names no reason");
  assertEqual((await getPod(context, name))?.spec?.nodeName, "n1", "the pod's node");
}

export const files: Scenario = {
  id: "files",
  title: "many files, in memory, and without a name",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    {
      name: "a layer of 20,000 files and a 128 MiB Memory emptyDir arrive whole",
      run: (context) => arriveWhole(context, 20_000, 128),
    },
    { name: "eight unlinked files of 16 MiB: moved, or refused before the freeze", run: withoutNames },
  ],
};

export const manyFiles: Scenario = {
  id: "many-files",
  title: "a layer of 200,000 files and a 1 GiB Memory emptyDir",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  onDemand: true,
  tests: [
    {
      name: "a layer of 200,000 files and a 1 GiB Memory emptyDir arrive whole",
      run: (context) => arriveWhole(context, 200_000, 1024),
      limitSeconds: 600,
    },
  ],
};
