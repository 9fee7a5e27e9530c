/** How long a move freezes a pod, beside what a plain copy of the same bytes between the same nodes takes. Printed, not judged. */
import { waitFor } from "../cluster/wait.ts";
import { type Migration, moveReaches, requestMove } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife, freezeMilliseconds } from "../harness/witness.ts";

const MOVES = 5;
const COPY_PORT = 5999;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function freezeOf(context: Context, workload: string, move: Migration): Promise<number> {
  const from = Date.parse(move.status?.startTime ?? "");
  const testimony = await context.witness.hears(workload, 50);
  return freezeMilliseconds(testimony, from, Date.parse(move.status?.completionTime ?? "") + 1000);
}

/** Zeros through one TCP connection from n1 to n2; milliseconds from the first to the last byte. */
async function copyMilliseconds(context: Context, mebibytes: number): Promise<number> {
  const { address } = context.node("n2").node;
  const listening = context.node("n2").run(["socat", "-u", `TCP-LISTEN:${COPY_PORT},reuseaddr`, "OPEN:/dev/null"]);
  await waitFor("the copy's listener", 10, async () => {
    const sockets = await context.node("n2").run(["ss", "-ltnH", `sport = :${COPY_PORT}`]);
    return sockets.trim() !== "";
  });
  const send = `s=$(date +%s%N); head -c ${mebibytes}M /dev/zero | socat -u - TCP:${address}:${COPY_PORT}; e=$(date +%s%N); echo $(((e - s) / 1000000))`;
  const took = await context.node("n1").run(["bash", "-c", send]);
  await listening;
  return Number(took);
}

/** Moves one pod to and fro; the size of its memory stays. */
async function measure(context: Context, mebibytes: number): Promise<void> {
  const { api, namespace, witness } = context;
  const name = context.workload("measured");
  let podName = (await startPod(context, { name, startMiB: mebibytes, node: "n1" })).metadata?.name ?? "";
  await witness.holds(name, mebibytes, 60);
  const freezes: number[] = [];
  for (let round = 1; round <= MOVES; round++) {
    const targetNode = round % 2 === 1 ? "n2" : "n1";
    await requestMove(api, namespace, { name: `round-${round}`, podName, targetNode });
    const done = await moveReaches(api, namespace, `round-${round}`, ["Succeeded"]);
    podName = done.status?.targetPodName ?? "";
    freezes.push(Math.round(await freezeOf(context, name, done)));
  }
  assertOneLife(name, await witness.testimony(name));
  const copy = await copyMilliseconds(context, mebibytes);
  context.note(
    `${mebibytes} MiB: freeze ${median(freezes)} ms (median of ${freezes.join(", ")}); plain TCP copy ${copy} ms`,
  );
}

export const speed: Scenario = {
  id: "speed",
  title: "how long a move freezes a pod",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: `128 MiB, ${MOVES} moves`, run: (context) => measure(context, 128) },
    { name: `700 MiB, ${MOVES} moves`, run: (context) => measure(context, 700) },
  ],
};
