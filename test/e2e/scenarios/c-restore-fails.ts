/** (c) The restore fails: the source goes on from where it was. */

import { buildChangedImage, importImages } from "../cluster/test-images.ts";
import { damageImagesBeforeRestore, forgeCapabilities, repairRestore } from "../harness/faults.ts";
import { describeState, type Migration, moveReaches, requestMove } from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

/** The move did not succeed, and the pod is where and what it was. */
async function assertStayed(context: Context, name: string, move: string): Promise<Migration> {
  const { api, namespace, witness } = context;
  const ended = await moveReaches(api, namespace, move, ["RolledBack", "Failed"], 180);
  const pod = await getPod(context, name);
  assertEqual(pod?.spec?.nodeName, "n1", "the node of the pod");
  assertEqual(pod?.status?.containerStatuses?.[0]?.restartCount, 0, "the pod's restarts");
  assertOneLife(name, await witness.hears(name, 300));
  context.note(describeState(ended));
  return ended;
}

async function otherContent(context: Context): Promise<void> {
  const { api, cluster, namespace } = context;
  const name = context.workload("image");
  await startPod(context, { name, startMiB: 32, node: "n1" });
  const changed = await buildChangedImage(cluster.settings, cluster.programs);
  const target = context.node("n2");
  await target.run(["ctr", "-n", "k8s.io", "images", "rm", "--sync", ...(await workloadImages(context))]);
  await importImages(target, [changed]);
  await requestMove(api, namespace, { name: "other-content", podName: name, targetNode: "n2" });
  const { status } = await assertStayed(context, name, "other-content");
  assertEqual(status?.reason, "TargetImage", "the reason");
  assert(!status?.phaseTransitions?.some(({ phase }) => phase === "Frozen"), "the source was frozen for nothing");
}

/** The names under which containerd on n2 has the workload's image. */
async function workloadImages(context: Context): Promise<string[]> {
  const list = await context.node("n2").run(["ctr", "-n", "k8s.io", "images", "list"]);
  const rows = list.split("\n").map((line) => line.split(/\s+/));
  const digest = rows.find(([name]) => name === "headroom.test/workload:1")?.[2];
  assert(digest, "n2 has no image of the workload");
  return rows.flatMap(([name, , of]) => (name && of === digest ? [name] : []));
}

async function damagedFile(context: Context): Promise<void> {
  const { api, namespace } = context;
  const name = context.workload("damaged");
  const target = context.node("n2");
  await startPod(context, { name, startMiB: 64, node: "n1" });
  await damageImagesBeforeRestore(target);
  await requestMove(api, namespace, { name: "damaged", podName: name, targetNode: "n2" });
  await assertStayed(context, name, "damaged");
  const damaged = await target.read("/var/log/node/damaged.log");
  assert(damaged.includes("core-"), "no image file was damaged");
  await repairRestore(target);
  await requestMove(api, namespace, { name: "again", podName: name, targetNode: "n2" });
  await moveReaches(api, namespace, "again", ["Succeeded"]);
  assertOneLife(name, await context.witness.hears(name, 200));
}

/** As a node that was taken over would send it: the copy would be able to take over the target's node, too. */
async function forged(context: Context): Promise<void> {
  const { api, namespace } = context;
  const name = context.workload("forged");
  const source = context.node("n1");
  await startPod(context, { name, startMiB: 16, node: "n1" });
  await forgeCapabilities(source);
  await requestMove(api, namespace, { name: "forged", podName: name, targetNode: "n2" });
  const { status } = await assertStayed(context, name, "forged");
  await repairRestore(source);
  assertEqual(status?.reason, "NotCarried", "the reason");
  assert(status?.message?.includes("CAP_SYS_ADMIN"), `the message does not name the capability: ${status?.message}`);
}

export const restoreFails: Scenario = {
  id: "c",
  title: "the restore fails",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: "a damaged memory image: rolled back, the source goes on; the next move succeeds", run: damagedFile },
    { name: "a forged image with all capabilities: refused by name, the source goes on", run: forged },
    { name: "an image of the same name with another content: not moved, the source goes on", run: otherContent },
  ],
};
