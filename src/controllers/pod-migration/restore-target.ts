/** Has the target restored and held, and notes when that was asked: the answer may have lain unread for as long as it took since. */
import { type MoveRun, moveId, type RestoreAnswer, targetOf } from "./run.ts";

/**
 * May be repeated: the agent then looks whether the copy is still held.
 * @param again the copy has died before its release: from the same images, in the pod's next `create`.
 */
export async function restoreTarget(run: MoveRun, givenUp: AbortSignal, again = false): Promise<RestoreAnswer> {
  const { node, podUID } = targetOf(run.move);
  const askedAtMs = run.deps.clock.monotonicMs();
  const target = again ? { podUID, again } : { podUID };
  const restored = await run.deps.driver.restore(node, moveId(run, givenUp), target);
  return { restored, askedAtMs };
}
