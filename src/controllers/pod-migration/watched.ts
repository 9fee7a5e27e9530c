/** Awaits a step on a node that may take long, and meanwhile has the table decide on what is there: a pod that is gone, a cancellation. */
import { POD_MIGRATIONS } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError } from "../../kube/client.ts";
import { sleep } from "../../kube/clock.ts";
import { decided, settle } from "./decision/settle.ts";
import { isAwayForLong } from "./decision/stand-down.ts";
import type { Attempt } from "./driver-failure.ts";
import type { Outcome } from "./outcome.ts";
import { isMove, type MoveRun } from "./run.ts";

/** Steps shorter than this are never looked at. */
const LOOK_EVERY_MS = 1_000;

/**
 * The step's answer; or the roll-back for which it is given up: it is not sent again, and what it still does on its node is ended
 * by the roll-back.
 * @param meanwhile done at each look; may find that the step is in vain.
 */
export async function watched<T>(
  run: MoveRun,
  begin: (givenUp: AbortSignal) => Promise<Attempt<T>>,
  meanwhile: () => Promise<Outcome | undefined> = async () => undefined,
): Promise<Attempt<T> | Outcome> {
  const ended = new AbortController();
  const givenUp = new AbortController();
  const settled = begin(givenUp.signal).finally(() => ended.abort());
  settled.catch(() => {}); // awaited below unless the step is given up
  while (true) {
    const first = await Promise.race([settled, sleep(run.deps.clock, LOOK_EVERY_MS, ended.signal)]);
    if (first !== undefined || ended.signal.aborted) return settled;
    const interrupted = await look(run, meanwhile).catch((error: unknown) => {
      givenUp.abort();
      throw error;
    });
    if (!interrupted) continue;
    givenUp.abort();
    return interrupted;
  }
}

/** An API server that doesn't answer does not end what is under way, unless it stays away: then the error is thrown. */
async function look(run: MoveRun, meanwhile: () => Promise<Outcome | undefined>): Promise<Outcome | undefined> {
  const begunMs = run.deps.clock.monotonicMs();
  try {
    const { namespace, name } = run.move.metadata;
    const latest = await run.deps.client.get(POD_MIGRATIONS, { namespace, name });
    delete run.scratch.away;
    const inVain = await meanwhile();
    if (inVain) return inVain;
    if (!latest || !isMove(latest)) return undefined;
    return decided(await settle({ ...run, move: latest }, {}));
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    run.scratch.away ??= { sinceMs: begunMs };
    if (isAwayForLong(run.scratch.away, run.deps.clock.monotonicMs())) throw error;
    run.deps.logger.warn("a look at the API failed during a move", {
      move: run.move.metadata.name,
      error: error.message,
    });
    return undefined;
  }
}
