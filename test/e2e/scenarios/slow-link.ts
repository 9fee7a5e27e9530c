/** (slow-link) More than three minutes of freeze over a link of 20 MB/s, with files and a second `create`. */
import { waitFor } from "../cluster/wait.ts";
import { watchAgents } from "../harness/agents.ts";
import { killWaitingCreate, slowDown, speedUp } from "../harness/faults.ts";
import { describeMove, moveReaches, requestMove, targetPod } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { assert, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife, freezeMilliseconds } from "../harness/witness.ts";
import type { Tree } from "../harness/workloads.ts";
import { assertWhole } from "./files.ts";

const MIB = 2 ** 20;
const LINK_MEBIBITS = 160; // 20 MB/s
const LEAST_FREEZE_MS = 180_000;
const MEMORY_MIB = 1536;
/** 2.4 GiB in all: at 20 MB/s that and the memory take about 210 s. */
const TREES: readonly Tree[] = [
  { path: "/data/big", count: 1, bytes: 2048 * MIB },
  { path: "/data/small", count: 5_000, bytes: 4096 },
  { path: "/volumes/scratch/tree", count: 2_000, bytes: 192 * 1024 },
];

async function overSlowLink(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("slow");
  const [source, target] = [context.node("n1"), context.node("n2")];
  await startPod(context, {
    name,
    startMiB: MEMORY_MIB,
    node: "n1",
    emptyDirs: ["scratch"],
    counters: ["/data/count", "/volumes/scratch/count"],
    trees: [...TREES],
  });
  await slowDown(source, LINK_MEBIBITS);
  try {
    const assertAgents = await watchAgents(context, ["n1", "n2"]);
    await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2", timeout: "15m" });
    await moveReaches(api, namespace, "move", ["Frozen"], 120);
    const killed = await waitFor("a create that waits on the target", 400, () => killWaitingCreate(target), 500);
    context.note(`the first waiting create, process ${killed}, was killed`);
    const done = await moveReaches(api, namespace, "move", ["Succeeded"], 600);
    const heard = await witness.hears(name, 200);
    assertOneLife(name, heard);
    const freeze = freezeMilliseconds(heard, Date.parse(done.status?.startTime ?? ""), Date.now());
    assert(freeze >= LEAST_FREEZE_MS, `it was frozen for ${Math.round(freeze)} ms only`);
    const pod = await targetPod(api, done);
    for (const tree of TREES) await assertWhole(context, pod, tree);
    context.note(await describeMove(witness, name, done));
    await assertAgents();
  } finally {
    await speedUp(source);
  }
}

export const slowLink: Scenario = {
  id: "slow-link",
  title: "a move over 20 MB/s that freezes the pod for more than three minutes",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  onDemand: true,
  tests: [{ name: "memory and all files arrive, a second create in between", run: overSlowLink, limitSeconds: 1200 }],
};
