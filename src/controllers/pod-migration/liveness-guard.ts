/** A frozen source is resumed while its liveness probe still lets it live, unless a copy is held: then the move commits. */
import { decided, settle } from "./decision/settle.ts";
import { livenessWouldFail } from "./freeze-watch.ts";
import type { Outcome } from "./outcome.ts";
import type { MoveRun } from "./run.ts";

/** Undefined: there is time left, or nothing to decide. */
export async function livenessGuard(run: MoveRun): Promise<Outcome | undefined> {
  const unlessHeld = livenessWouldFail(run.move, run.deps.clock.now());
  return unlessHeld && decided(await settle(run, { unlessHeld }));
}
