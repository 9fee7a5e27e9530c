/** (d-endings) The source's pod ends, is deleted or is cut off while its copy is held: what could be saved goes on, and only once. */
import type { V1Pod } from "@kubernetes/client-node";
import { run } from "../cluster/command.ts";
import { waitFor } from "../cluster/wait.ts";
import { podPath } from "../harness/api.ts";
import { armFailpoint, failpointHolds, letGo } from "../harness/failpoints.ts";
import { cutOff, findContainerProcess, heal, holdRestore, letRestoreGoOn, repairRestore } from "../harness/faults.ts";
import { assertOneCopy, begin, MOVE, NODES_MIB, VALUES } from "../harness/interrupted.ts";
import { describeMove, describeState, FINAL_PHASES, moveReaches } from "../harness/moves.ts";
import { allPods, getPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const RESTORE_HELD_SECONDS = 28; // the phase ends after 30 s and three times the predicted freeze

/** Its kubelet evicts it for what it has written to its disk: a real eviction, which ends in phase Failed. */
async function evicted(context: Context): Promise<void> {
  const target = context.node("n2");
  await holdRestore(target, RESTORE_HELD_SECONDS);
  try {
    const name = await begin(context, {
      startMiB: 64,
      container: { resources: { limits: { "ephemeral-storage": "16Mi" } } },
    });
    await moveReaches(context.api, context.namespace, MOVE, ["Restoring"]);
    await overfill(context, name);
    await waitFor("the source to be evicted", RESTORE_HELD_SECONDS, async () => isFailed(await getPod(context, name)));
    await letRestoreGoOn(target);
    const ended = await moveReaches(context.api, context.namespace, MOVE, FINAL_PHASES);
    context.note(await describeMove(context.witness, name, ended));
    assertEqual(ended.status?.phase, "Succeeded", `the phase of the move (${describeState(ended)})`);
    assertOneLife(name, await context.witness.hears(name, 300));
  } finally {
    await letRestoreGoOn(target);
    await repairRestore(target);
  }
}

/** Past the limit of its writable layer, while it is frozen. */
async function overfill(context: Context, name: string): Promise<void> {
  const source = context.node("n1");
  const pod = await getPod(context, name);
  assert(pod, `pod ${name} is gone`);
  const pid = await findContainerProcess(source, pod);
  await run("dd", ["if=/dev/zero", `of=/proc/${pid}/root/data/spill`, "bs=1M", "count=32"]);
}

function isFailed(pod: V1Pod | undefined): boolean {
  return pod?.status?.phase === "Failed";
}

/** Somebody wants it gone: nothing of it may come back under another name. */
async function deletedByForce(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  await armFailpoint(cluster, api, { phase: "Restoring", act: "hold" }, VALUES);
  const name = await begin(context);
  const held = await failpointHolds();
  await api.delete(podPath(namespace, name), { gracePeriodSeconds: 0 });
  letGo(held);
  const ended = await moveReaches(api, namespace, MOVE, FINAL_PHASES);
  context.note(describeState(ended));
  assertEqual(ended.status?.phase, "RolledBack", "the phase of the move");
  await waitFor("no pod to be left", 30, async () => (await allPods(context)).length === 0);
  await waitFor("the source's process to be gone", 30, async () => {
    const listed = await context.node("n1").attempt(["pgrep", "-f", `name=${name}`]);
    return listed.stdout.trim() === "";
  });
  const before = await witness.testimony(name);
  await new Promise((resolve) => setTimeout(resolve, 2000)); // long enough for 200 statements
  const after = await witness.testimony(name);
  assertEqual(after.statements, before.statements, "the number of statements, 2 s later");
  assertEqual(after.violations, [], `what the witness found wrong with ${name}`);
}

const CUT_SECONDS = 25; // the probe fails for good after 7 s, the kubelet starts containers again right away and then after 10 s

/** Its kubelet sees a frozen container fail its probe and knows nothing of the move: it may not start the pod beside the copy. */
async function cutOffSource(context: Context): Promise<void> {
  const { api, cluster } = context;
  const source = context.node("n1");
  const { hostAddress, apiPort } = cluster.settings;
  await armFailpoint(cluster, api, { phase: "Committed", act: "hold" }, VALUES);
  const livenessProbe = { httpGet: { port: 8080 }, periodSeconds: 2, failureThreshold: 4, timeoutSeconds: 1 };
  const name = await begin(context, { startMiB: 32, httpPort: 8080, container: { livenessProbe } });
  const held = await failpointHolds();
  const before = await containersMade(context);
  try {
    await cutOff(source, hostAddress, apiPort);
    letGo(held);
    await context.witness.hears(name, 100, 30);
    await new Promise((resolve) => setTimeout(resolve, CUT_SECONDS * 1000)); // the length of the outage
    assertOneLife(name, await context.witness.testimony(name));
    const tries = (await containersMade(context)) - before;
    context.note(`cut off for ${CUT_SECONDS} s: its kubelet tried to start it ${tries} times`);
    assert(tries > 0, "its kubelet did not try to start it: nothing was tested");
  } finally {
    await heal(source);
  }
  const ended = await assertOneCopy(context, name);
  assertEqual(ended.status?.phase, "Succeeded", "the phase of the move");
}

/** By the source's containerd, so far. */
async function containersMade(context: Context): Promise<number> {
  const log = await context.node("n1").read("/var/log/node/containerd.log");
  return log.split("CreateContainer within sandbox").filter((rest) => rest.includes("returns container id")).length;
}

export const endings: Scenario = {
  id: "d-endings",
  title: "the source ends, is deleted or is cut off while its copy is held",
  nodeMemoryMiB: NODES_MIB,
  headroom: VALUES,
  tests: [
    { name: "the source is evicted while its copy is restored: the move commits", run: evicted },
    { name: "the source is deleted by force: nothing of it comes back", run: deletedByForce },
    { name: "the source's kubelet is cut off and its probe fails: no cold start beside the copy", run: cutOffSource },
  ],
};
