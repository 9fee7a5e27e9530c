/** Has the target restored and held, and notes when that was asked: the answer may have lain unread for as long as it took since. */
import { type MoveRun, moveId, type RestoreAnswer, targetOf } from "./run.ts";

/** May be repeated: the agent then looks whether the copy is still held. */
export async function restoreTarget(run: MoveRun, givenUp: AbortSignal): Promise<RestoreAnswer> {
  const { node, podUID } = targetOf(run.move);
  const askedAtMs = run.deps.clock.now();
  const restored = await run.deps.driver.restore(node, moveId(run, givenUp), { podUID });
  return { restored, askedAtMs };
}
