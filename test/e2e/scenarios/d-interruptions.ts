/** (d) Controller, agents, network and containers fail in the middle of a move: never two copies, never none. */
import type { V1Job, V1Pod } from "@kubernetes/client-node";
import { waitFor } from "../cluster/wait.ts";
import { agentPod } from "../harness/agents.ts";
import { armFailpoint, type Failpoint, failpointHolds, failpointStruck, letGo } from "../harness/failpoints.ts";
import {
  cutBetween,
  cutOff,
  findContainerProcess,
  findService,
  heal,
  holdRestore,
  keepServiceDown,
  killHostProcess,
  killNextHeldWorkload,
  letRestoreGoOn,
  repairRestore,
  slowDown,
  speedUp,
} from "../harness/faults.ts";
import { assertOneCopy, begin, MOVE, NODES_MIB, VALUES } from "../harness/interrupted.ts";
import { describeMove, moveReaches, phasesOf, requestMove } from "../harness/moves.ts";
import { podsOf, startJob } from "../harness/pods.ts";
import { assert, assertEqual, type Context, type Scenario, type Test } from "../harness/scenario.ts";
import type { Testimony } from "../harness/testimony.ts";

function controllerDies(title: string, failpoint: Failpoint, mustSucceed: boolean): Test {
  return {
    name: title,
    run: async (context) => {
      await armFailpoint(context.cluster, context.api, failpoint, VALUES);
      const name = await begin(context);
      context.note(`struck ${await failpointStruck(context.cluster, context.api)}`);
      const ended = await assertOneCopy(context, name);
      if (mustSucceed) assertEqual(ended.status?.phase, "Succeeded", "the phase of a move that was committed");
    },
  };
}

async function diesInJobSwap(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const orphaning: Failpoint = { method: "PATCH", path: "/pods/", body: '"ownerReferences":[]' };
  await armFailpoint(cluster, api, orphaning, VALUES);
  const name = context.workload("batch");
  const source = await startJob(context, { name, startMiB: 64, node: "n1" });
  await requestMove(api, namespace, { name: MOVE, podName: source.metadata?.name ?? "", targetNode: "n2" });
  context.note(`struck ${await failpointStruck(cluster, api)}`);
  const ended = await moveReaches(api, namespace, MOVE, ["Succeeded"], 180);
  assertHeardSourceOnce(name, source, await witness.hears(name, 500));
  const job = await waitFor("the Job to have one active pod", 30, async () => {
    const found = await api.get<V1Job>(`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`);
    return found?.status?.active === 1 && (await podsOf(context, name)).length === 1 && found;
  });
  assert(!job.status?.failed, `the Job counts ${job.status?.failed} failures`);
  context.note(await describeMove(witness, name, ended));
}

/** A replacement that the Job started while nobody could stop it may have spoken, but the moved process goes on without a fault. */
function assertHeardSourceOnce(name: string, source: V1Pod, testimony: Testimony): void {
  const faults = testimony.violations.filter(({ kind }) => kind !== "two").map(({ text }) => text);
  assert(faults.length === 0, `the witness of ${name} (${source.metadata?.name}): ${faults.join("; ")}`);
}

function agentDies(node: "n1" | "n2", phase: string): Test {
  return {
    name: `the agent of the ${node === "n1" ? "source" : "target"} is killed in ${phase}: one copy`,
    run: async (context) => {
      await armFailpoint(context.cluster, context.api, { phase, act: "hold" }, VALUES);
      const machine = context.node(node);
      const pid = await findContainerProcess(machine, await agentPod(context, node));
      const name = await begin(context);
      letGo(await failpointHolds());
      killHostProcess(pid);
      await assertOneCopy(context, name);
    },
  };
}

/** The controller is held as it enters a phase, so that the fault is there from its first step on. */
function cutIn(phase: string, title: string, cut: (context: Context) => Promise<unknown>, seconds: number): Test {
  return {
    name: title,
    limitSeconds: 360,
    run: async (context) => {
      const nodes = [context.node("n1"), context.node("n2")];
      await armFailpoint(context.cluster, context.api, { phase, act: "hold" }, VALUES);
      const name = await begin(context);
      const held = await failpointHolds();
      try {
        await cut(context);
        letGo(held);
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000)); // the length of the outage
      } finally {
        await heal(...nodes);
      }
      await assertOneCopy(context, name, 240);
    },
  };
}

const betweenNodes = (context: Context): Promise<unknown> => cutBetween(context.node("n1"), context.node("n2"));
const targetFromApi = (context: Context): Promise<unknown> => {
  const { hostAddress, apiPort } = context.cluster.settings;
  return cutOff(context.node("n2"), hostAddress, apiPort);
};

/** While the controller is held, the restore that it has asked for goes on; it must look again before it commits. */
async function killedBeforeCommit(context: Context): Promise<void> {
  const { api, cluster } = context;
  await armFailpoint(cluster, api, { phase: "Restoring", act: "hold" }, VALUES);
  const name = await begin(context);
  const held = await failpointHolds();
  const killed = await killNextHeldWorkload(context.node("n2"), 15);
  letGo(held);
  assert(killed, "no restored container was seen before its release");
  const ended = await assertOneCopy(context, name);
  assertEqual(ended.status?.phase, "RolledBack", "the phase of the move");
}

/** The copy has never run, and the source still has everything: it goes on. */
async function killedAfterCommit(context: Context): Promise<void> {
  const { api, cluster } = context;
  await armFailpoint(cluster, api, { phase: "Committed", act: "hold" }, VALUES);
  const name = await begin(context);
  const held = await failpointHolds();
  assert(await killNextHeldWorkload(context.node("n2"), 30), "no restored container was seen before its release");
  letGo(held);
  const ended = await assertOneCopy(context, name);
  assertEqual(ended.status?.phase, "RolledBack", "the phase of the move");
  assert(phasesOf(ended).includes("Committed"), "it was not committed: the copy was killed too early");
}

/** containerd deletes a container whose creation was broken off, as soon as that is over: such a copy must not be committed. */
async function createBrokenOff(context: Context): Promise<void> {
  const target = context.node("n2");
  await holdRestore(target, 20);
  const kubelet = await findService(target, "kubelet");
  try {
    const name = await begin(context);
    await waitFor(
      "the restore to begin",
      60,
      async () => (await target.attempt(["sh", "-c", "ls /run/headroom/target/*/restore.pid"])).code === 0,
    );
    const goOn = keepServiceDown(target, "kubelet", kubelet);
    await new Promise((resolve) => setTimeout(resolve, 500)); // until containerd has heard of it
    await letRestoreGoOn(target);
    await goOn();
    await assertOneCopy(context, name);
  } finally {
    await letRestoreGoOn(target);
    await repairRestore(target);
  }
}

async function slowTransfer(context: Context): Promise<void> {
  const source = context.node("n1");
  await slowDown(source, 40);
  try {
    const name = await begin(context, { startMiB: 160, trees: [{ path: "/data/tree", count: 500, bytes: 4096 }] });
    await assertOneCopy(context, name, 240);
  } finally {
    await speedUp(source);
  }
}

const tests: Test[] = [
  controllerDies("the controller dies in Preparing: one copy", { phase: "Preparing" }, false),
  controllerDies("the controller dies in Frozen: one copy", { phase: "Frozen" }, false),
  controllerDies("the controller dies in Restoring: one copy", { phase: "Restoring" }, false),
  controllerDies("the controller dies just after the commit: the move is completed", { phase: "Committed" }, true),
  { name: "the controller dies in the middle of a Job's swap: the Job counts no failure", run: diesInJobSwap },
  agentDies("n1", "Frozen"),
  agentDies("n2", "Restoring"),
  cutIn("Restoring", "source and target are cut off from each other in Restoring: one copy", betweenNodes, 15),
  cutIn("Frozen", "source and target are cut off from each other in Frozen: one copy", betweenNodes, 15),
  cutIn("Restoring", "the target is cut off from the API server in Restoring: one copy", targetFromApi, 20),
  { name: "the restored container is killed before the commit: one copy", run: killedBeforeCommit },
  { name: "the target's kubelet is killed during the restore: one copy", run: createBrokenOff },
  { name: "the restored container is killed between commit and release: the source goes on", run: killedAfterCommit },
];

export const interruptions: Scenario = {
  id: "d",
  title: "interruptions in the middle of a move",
  nodeMemoryMiB: NODES_MIB,
  headroom: VALUES,
  tests,
};

export const shortTimeout: Scenario = {
  id: "d-timeout",
  title: "the kubelets wait 15 s for a container to be created, the transfer takes longer",
  nodeMemoryMiB: NODES_MIB,
  kubelet: { runtimeRequestTimeout: "15s" },
  headroom: VALUES,
  tests: [
    {
      name: "a transfer longer than the kubelet's limit: one copy, with its files",
      run: slowTransfer,
      limitSeconds: 360,
    },
  ],
};
