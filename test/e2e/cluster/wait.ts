/** Waiting with a limit: what was waited for is in the error, with the last thing seen. */
import { setTimeout as sleep } from "node:timers/promises";

export class WaitError extends Error {
  override readonly name = "WaitError";
}

const PATIENT = 5;
let patience = 1;

/** From now on every limit of this process is longer, or as usual: is what is waited for in emulated machines? */
export function bePatient(emulated: boolean): void {
  patience = emulated ? PATIENT : 1;
}

/** A limit in seconds, as it is on these machines. */
export const patient = (limitSeconds: number): number => limitSeconds * patience;

/**
 * Asks `probe` until it answers with something other than undefined or false. An error that the probe throws counts as
 * "not yet" and ends up in the message when the time is over.
 */
export async function waitFor<T>(
  what: string,
  limitSeconds: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  pauseMilliseconds = 200,
): Promise<T> {
  const limit = patient(limitSeconds);
  const deadline = performance.now() + limit * 1000;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) break;
    await sleep(pauseMilliseconds);
  }
  const seen = last instanceof Error ? `; last: ${last.message}` : "";
  throw new WaitError(`waited ${limit} s for ${what}${seen}`, { cause: last });
}
