/** (forecast) A policy that forecasts moves a growing pod before its node is short, in time, and leaves alone one that will fit. */
import { waitFor } from "../cluster/wait.ts";
import { migrationsPath } from "../harness/api.ts";
import { describeMove, type Migration, moveReaches, targetPod } from "../harness/moves.ts";
import { type NodeMemory, nodeMemory } from "../harness/node-memory.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { createPolicy, getPolicy } from "../harness/policies.ts";
import { assert, assertEqual, type Context, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const MIB = 2 ** 20;
/** What the growing pod's node has. */
const NODE_MIB = 800;
/** What the other pod's node has: room for it, for a controller that may run there, and for as much again as a wide forecast of it. */
const ROOMY_NODE_MIB = 1400;
const FREE_BELOW = 0.1;
/** With what the node itself uses more than it has. */
const OUTGROWS_MIB = 700;
/** With what the node itself uses about half of it, and no more. */
const FITS_MIB = 320;
const GROWTH_MIB_PER_SECOND = 5;
const LABELS = { tier: "batch" };

interface Cause {
  measured?: { node: string; usedBytes: number; capacityBytes: number };
  forecast?: { deadline?: string; exhaustedAt?: string; message: string };
}
type Told = Migration & { status?: { cause?: Cause } };

/**
 * How long after the freeze its node would have stayed above the limit, had the pod grown on. The deadline in the cause is no measure of
 * that: of a pod this young the forecast reckons with the worst, and the deadline may have passed when the move begins.
 * @param others what was used on the node before the pod came
 */
function secondsToSpare(others: NodeMemory, move: Told): number {
  const frozenBytes = (move.status?.containers ?? []).reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  const freeBytes = (1 - FREE_BELOW) * others.capacityBytes - others.usedBytes - frozenBytes;
  return Math.floor(freeBytes / MIB / GROWTH_MIB_PER_SECOND);
}

async function movesWhatWillNotFit(context: Context): Promise<void> {
  const { api, namespace, witness } = context;
  await createPolicy(api, "foreseeing", {
    mode: "Enforce",
    podSelector: { matchLabels: LABELS },
    evaluationInterval: "2s",
    pressure: { strategy: "Forecast", freeBelow: `${FREE_BELOW * 100}%`, forecast: { horizon: "75s" } },
    placement: { strategy: "MostFree", margin: "5%" },
  });
  const others = await nodeMemory(api, "n1");
  const [grows, fits] = [context.workload("grows"), context.workload("fits")];
  await startPod(context, {
    name: grows,
    startMiB: 96,
    growthMiBPerSecond: GROWTH_MIB_PER_SECOND,
    maxMiB: OUTGROWS_MIB,
    node: "n1",
    labels: LABELS,
  });
  await startPod(context, {
    name: fits,
    startMiB: 160,
    growthMiBPerSecond: 2,
    maxMiB: FITS_MIB,
    node: "n2",
    labels: LABELS,
  });
  const asked = await waitFor("the policy to ask for a move", 150, async () => {
    const [move] = await api.list<Migration>(migrationsPath(namespace));
    return move;
  });
  const done: Told = await moveReaches(api, namespace, asked.metadata.name, ["Succeeded"]);
  assertEqual(done.spec.podName, grows, "the pod that is moved");
  assertEqual((await targetPod(api, done)).spec?.nodeName, "n3", "the node that it is moved to");
  const { measured, forecast } = done.status?.cause ?? {};
  assert(measured && forecast, `the cause tells nothing: ${JSON.stringify(done.status?.cause)}`);
  const free = 1 - measured.usedBytes / measured.capacityBytes;
  assert(free > FREE_BELOW, `a policy with Threshold would have moved it as well: ${Math.round(free * 100)}% was free`);
  assert(forecast.deadline, "the cause names no deadline");
  const spare = secondsToSpare(others, done);
  assert(spare > 0, `the pod stopped ${-spare}s after its node may have been short`);
  const threshold = Math.round(FREE_BELOW * 100);
  context.note(
    `${Math.round(free * 100)}% was free when it started, ${threshold}% is the limit; ${spare}s to spare at the freeze`,
  );
  await witness.holds(grows, OUTGROWS_MIB, 240);
  await witness.holds(fits, FITS_MIB, 120);
  for (const name of [grows, fits]) assertOneLife(name, await witness.hears(name, 100));
  assertEqual((await getPod(context, fits))?.spec?.nodeName, "n2", "the node of the pod that fits");
  assertEqual((await api.list<Migration>(migrationsPath(namespace))).length, 1, "the number of moves");
  const { counts } = (await getPolicy(api, "foreseeing"))?.status ?? {};
  assertEqual(counts?.failed, 0, "the number of failed moves");
  context.note(await describeMove(witness, grows, done));
}

export const forecast: Scenario = {
  id: "forecast",
  title: "a policy that forecasts",
  nodeMemoryMiB: [NODE_MIB, ROOMY_NODE_MIB, 4096],
  headroom: {},
  tests: [
    {
      name: "moves the pod that will outgrow its node before that is short, and leaves alone the one that fits",
      run: movesWhatWillNotFit,
      limitSeconds: 400,
    },
  ],
};
