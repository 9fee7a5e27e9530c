/** (d-away) The API server or the leading controller is away while a pod is frozen: how long it stays so. */
import { waitFor } from "../cluster/wait.ts";
import { armFailpoint, type ControllerPod, failpointHolds, letGo, PRELOADED } from "../harness/failpoints.ts";
import { cutOffFromAll, findContainerProcess, heal, killHostProcess, stopApiServer } from "../harness/faults.ts";
import { type HelmValues, installHeadroom, leadingController, waitForHeadroom } from "../harness/headroom.ts";
import { assertOneCopy, begin, MOVE, NODES_MIB, VALUES } from "../harness/interrupted.ts";
import {
  describeMove,
  describeState,
  FINAL_PHASES,
  type Migration,
  moveReaches,
  requestMove,
} from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { assert, assertEqual, type Context, type Scenario, type Test } from "../harness/scenario.ts";
import { assertOneLife, freezeMilliseconds } from "../harness/witness.ts";

const AWAY_SECONDS = 22; // longer than the probe forgives
/** An ordinary probe: it forgives 21 s. */
const LIVENESS = { httpGet: { port: 8080 }, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 1 };
const FORGIVEN_MS = 21_000;

/** The controller is held as it enters the phase, so that the API server is away from its first step on. */
function apiAway(phase: "Frozen" | "Restoring"): Test {
  return {
    name: `the API server is away for ${AWAY_SECONDS} s from ${phase} on: the source goes on before its probe kills it`,
    run: async (context) => {
      await armFailpoint(context.cluster, context.api, { phase, act: "hold" }, VALUES);
      const name = await begin(context, { httpPort: 8080, container: { livenessProbe: LIVENESS } });
      const held = await failpointHolds();
      const goOn = stopApiServer(context.cluster.settings);
      try {
        letGo(held);
        await new Promise((resolve) => setTimeout(resolve, AWAY_SECONDS * 1000)); // the length of the outage
      } finally {
        goOn();
      }
      const ended = await assertOneCopy(context, name);
      assertEqual(ended.status?.phase, "RolledBack", `the phase of the move (${describeState(ended)})`);
      await assertFreezeForgiven(context, name, ended);
      const pod = await getPod(context, name);
      assertEqual(pod?.status?.containerStatuses?.[0]?.restartCount, 0, "the source's restarts");
      await waitForHeadroom(context.cluster);
    },
  };
}

async function assertFreezeForgiven(context: Context, name: string, move: Migration): Promise<void> {
  const from = Date.parse(move.status?.startTime ?? "");
  const freeze = freezeMilliseconds(await context.witness.testimony(name), from, Date.now());
  assert(freeze < FORGIVEN_MS, `it was frozen for ${Math.round(freeze)} ms; its probe forgives ${FORGIVEN_MS} ms`);
}

const TWO: HelmValues = { controller: { replicas: 2, extraEnv: PRELOADED } };

/** Two controllers, the leader held while a pod is frozen: `strike` takes it away, and the other must finish the move. */
async function leaderGoes(
  context: Context,
  strike: (leader: ControllerPod) => Promise<unknown>,
  undo: (leader: ControllerPod) => Promise<void>,
): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  await installHeadroom(cluster, api, TWO);
  await armFailpoint(cluster, api, { phase: "Restoring", act: "hold" }, TWO);
  const name = context.workload("led");
  const [source, target] = await nodesWithoutLeader(context);
  await startPod(context, { name, startMiB: 64, node: source, counters: ["/data/count"] });
  await requestMove(api, namespace, { name: MOVE, podName: name, targetNode: target });
  const leader = await failpointHolds();
  const struckAt = Date.now();
  try {
    await strike(leader);
    const ended = await moveReaches(api, namespace, MOVE, FINAL_PHASES, 120);
    const heard = await witness.hears(name, 100);
    assertOneLife(name, heard);
    const wentOn = heard.silences.find(
      ({ fromMs, milliseconds }) => fromMs <= struckAt && fromMs + milliseconds >= struckAt,
    );
    assert(wentOn, "the pod was not frozen when the leader went");
    context.note(
      `the pod went on ${Math.round(wentOn.fromMs + wentOn.milliseconds - struckAt)} ms after the leader had gone`,
    );
    context.note(await describeMove(witness, name, ended));
  } finally {
    await undo(leader);
  }
  await waitForHeadroom(cluster);
  assertOneLife(name, await witness.hears(name, 200));
}

/** The old leader gives the lease up as it is replaced: the new one takes it some seconds later. */
async function nodesWithoutLeader({ api, cluster }: Context): Promise<[string, string]> {
  const leader = await waitFor("one of the controllers to lead", 30, () => leadingController(api));
  const others = cluster.machines.map(({ node }) => node.name).filter((node) => node !== leader.spec?.nodeName);
  const [source, target] = others;
  assert(source && target, "there are fewer than three nodes");
  return [source, target];
}

const leaderKilled = (context: Context): Promise<void> =>
  leaderGoes(
    context,
    async ({ machine, pod }) => void killHostProcess(await findContainerProcess(machine, pod)),
    async () => undefined,
  );

const leadersNodeLost = (context: Context): Promise<void> =>
  leaderGoes(
    context,
    ({ machine }) => cutOffFromAll(machine),
    async (leader) => {
      await heal(leader.machine);
      letGo(leader);
    },
  );

export const away: Scenario = {
  id: "d-away",
  title: "the API server or the leader is away while a pod is frozen",
  nodeMemoryMiB: NODES_MIB,
  headroom: VALUES,
  tests: [
    apiAway("Frozen"),
    apiAway("Restoring"),
    { name: "the leader of two controllers is killed while a pod is frozen: the move goes on", run: leaderKilled },
    { name: "the leader's node is lost while a pod is frozen: the other finishes the move", run: leadersNodeLost },
  ],
};
