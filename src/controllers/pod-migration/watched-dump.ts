/** Awaits a dump, and meanwhile lets the target pod go when its time has come, and sees a cancellation or timeout. */
import type { Dumped } from "../../agent/protocol.ts";
import { POD_MIGRATIONS } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError } from "../../kube/client.ts";
import { sleep } from "../../kube/clock.ts";
import type { Attempt } from "./driver-failure.ts";
import { interruption } from "./interruption.ts";
import { type Outcome, rollBack } from "./outcome.ts";
import { gateDelayMs, heldBackUntilDump } from "./pace.ts";
import { readTarget, removeGate } from "./pods.ts";
import { isMove, type MoveRun } from "./run.ts";

/** Dumps shorter than this are never looked at. */
const LOOK_EVERY_MS = 1_000;

export async function watchedDump(
  run: MoveRun,
  dump: Promise<Attempt<Dumped>>,
  startedMs: number,
): Promise<Attempt<Dumped> | Outcome> {
  const ended = new AbortController();
  const settled = dump.finally(() => ended.abort());
  settled.catch(() => {}); // awaited below unless the dump is given up
  while (true) {
    const first = await Promise.race([settled, sleep(run.deps.clock, LOOK_EVERY_MS, ended.signal)]);
    if (first !== undefined || ended.signal.aborted) return withGateRemoved(run, await settled);
    const interrupted = await look(run, startedMs);
    if (interrupted) return interrupted;
  }
}

async function withGateRemoved(run: MoveRun, result: Attempt<Dumped>): Promise<Attempt<Dumped>> {
  if (result.ok && heldBackUntilDump(run.move)) await letGo(run);
  return result;
}

/** An API server that doesn't answer must not end a dump that is under way. */
async function look(run: MoveRun, startedMs: number): Promise<Outcome | undefined> {
  try {
    const nowMs = run.deps.clock.now();
    if (heldBackUntilDump(run.move) && nowMs - startedMs >= gateDelayMs(run.move)) await letGo(run);
    const { namespace, name } = run.move.metadata;
    const latest = await run.deps.client.get(POD_MIGRATIONS, { namespace, name });
    const reason = latest && isMove(latest) ? interruption(latest, nowMs) : undefined;
    return reason ? rollBack(reason.reason, reason.message) : undefined;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    run.deps.logger.warn("a look at the API failed during a dump", {
      move: run.move.metadata.name,
      error: error.message,
    });
    return undefined;
  }
}

async function letGo(run: MoveRun): Promise<void> {
  const target = await readTarget(run);
  if (target) await removeGate(run, target);
}
