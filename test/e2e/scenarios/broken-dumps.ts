/** (broken-dumps) A dump is broken off at any moment: the source goes on, unharmed, as often as that happens. */
import { setTimeout as sleep } from "node:timers/promises";
import { migrationPath } from "../harness/api.ts";
import { slowDown, speedUp } from "../harness/faults.ts";
import { type Migration, moveReaches, requestMove } from "../harness/moves.ts";
import { getPod, startPod } from "../harness/pods.ts";
import { assertEqual, type Context, ROOMY_NODES_MIB, type Scenario, type Test } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const MEMORY_MIB = 96;
const LINK_MEBIBITS = 800; // the dump takes a second
const DUMP_MS = 1000;
/** CRIU names itself so; the brackets keep the shell that runs this from being found. */
const KILL_DUMP = "pkill -KILL -f '[c]riu: dump'";

/** Spread evenly, so that few rounds meet early, middle and late moments; where in each part is drawn. */
function offsets(rounds: number): number[] {
  return Array.from({ length: rounds }, (_, round) => ((round + Math.random()) / rounds) * DUMP_MS);
}

/** Every other dump is killed; the others are given up for a cancellation. */
async function breakOff(context: Context, round: number, name: string, offsetMs: number): Promise<Migration> {
  const { api, namespace } = context;
  const move = `round-${round}`;
  await requestMove(api, namespace, { name: move, podName: name, targetNode: "n2" });
  await moveReaches(api, namespace, move, ["Frozen"]);
  await sleep(offsetMs);
  if (round % 2 === 0) await context.node("n1").attempt(["sh", "-c", KILL_DUMP]);
  else await api.patch(migrationPath(namespace, move), { spec: { cancel: true } });
  return moveReaches(api, namespace, move, ["RolledBack", "Cancelled"]);
}

async function manyTimes(context: Context, rounds: number): Promise<void> {
  const { witness } = context;
  const name = context.workload("unharmed");
  const source = context.node("n1");
  await startPod(context, { name, startMiB: MEMORY_MIB, node: "n1", counters: ["/data/count"], emptyDirs: [] });
  await slowDown(source, LINK_MEBIBITS);
  const freezes: string[] = [];
  try {
    for (const [index, offsetMs] of offsets(rounds).entries()) {
      const ended = await breakOff(context, index + 1, name, offsetMs);
      freezes.push(`${Math.round(offsetMs)} ms: ${ended.status?.reason}`);
      assertOneLife(name, await witness.hears(name, 20));
    }
  } finally {
    await speedUp(source);
  }
  // All of its memory has been looked at again: one block for each statement.
  assertOneLife(name, await witness.hears(name, MEMORY_MIB + 10));
  assertEqual((await getPod(context, name))?.status?.containerStatuses?.[0]?.restartCount, 0, "the pod's restarts");
  context.note(`broken off after ${freezes.join(", ")}`);
}

function test(rounds: number): Test {
  return {
    name: `a dump is broken off at ${rounds} random moments: the source goes on each time`,
    run: (context) => manyTimes(context, rounds),
    limitSeconds: 60 + rounds * 12,
  };
}

const shared = { title: "a dump is broken off", nodeMemoryMiB: ROOMY_NODES_MIB, headroom: {} };

export const brokenDumps: Scenario = { ...shared, id: "broken-dumps", tests: [test(3)] };
export const manyBrokenDumps: Scenario = { ...shared, id: "many-broken-dumps", onDemand: true, tests: [test(60)] };
