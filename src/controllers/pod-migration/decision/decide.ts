/**
 * What becomes of a move in every situation. Pure. The table in docs/moves.md says the same, and is the test of this function.
 *
 * Two rules carry it. A copy is released only after Committed was written. A source goes on only when a release is impossible: RollingBack
 * was written, or the target's agent has confirmed for good that the copy was not released and never will be.
 */
import type { Situation } from "./situation.ts";

export type Action =
  /** The phase's next step: dump, or restore. */
  | "continue"
  | "commit"
  | "release"
  /** Its pod is deleted and its end awaited; then the copy is released. */
  | "end source"
  /** The same checkpoint once more, in the pod's next `create`. */
  | "restore again"
  | "roll back"
  /** Although the move was committed: the copy can never run, so the source goes on. */
  | "revert"
  /** Without the API: the target's agent rules out a release, then the source is resumed. A later leader writes RollingBack. */
  | "stand down"
  | "hand over"
  | "wait"
  /** The pod starts cold. */
  | "give up";

export interface Decision {
  action: Action;
  /** CamelCase, stable. */
  reason: string;
  /** Why, in a sentence. */
  why: string;
  /** What is lost for good, and why it cannot be saved; absent: nothing. */
  lost?: string;
}

/** Reason of an ordinary commit: the copy is held, and the source is intact. */
export const RESTORED = "Restored";

export function decide(situation: Situation): Decision {
  if (situation.api === "away") return withoutApi(situation);
  if (situation.committed) return afterCommit(situation);
  if (situation.copy === "released")
    return decision(
      "commit",
      "AlreadyReleased",
      "the copy runs; the API has lost the commit, as after a restore of etcd",
    );
  return canGoOn(situation) ? beforeCommit(situation) : sourceLost(situation);
}

/** The source needs nothing but to be let go. */
export function canGoOn({ source }: Pick<Situation, "source">): boolean {
  return source === "running" || source === "frozen";
}

function withoutApi({ committed, source, copy }: Situation): Decision {
  const away = (action: Action, why: string, lost?: string) => decision(action, "ApiAway", why, lost);
  if (committed) {
    const release = copy === "held" && source !== "running" && source !== "restarted";
    return release
      ? away("release", "the commit is written, and a release needs agents only")
      : away("wait", "what comes next is written to the API");
  }
  if (source !== "frozen" || copy === "released")
    return away("wait", "nothing stands frozen, and nothing can be written");
  if (copy !== "silent") return away("stand down", "a frozen source must not wait for the API server");
  const lost =
    "the memory, if a liveness probe fails meanwhile: with API and target both away, resuming the source could make two";
  return away("wait", "only the target's agent can rule out a release", lost);
}

/** The source is intact: whatever speaks against the move, nothing is lost by rolling it back. */
function beforeCommit({ ending, source, copy, images }: Situation): Decision {
  if (ending !== "no") return decision("roll back", "RolledBack", "the source goes on");
  if (copy === "silent") return decision("wait", "TargetSilent", "the target's node does not answer");
  if (copy === "dead") return decision("roll back", "CopyDead", "the copy died before the commit");
  if (images === "gone") return decision("roll back", "ImagesGone", "what was staged on the target is gone");
  const stale = source === "running" && (copy === "held" || images === "whole");
  if (stale) return decision("roll back", "SourceThawed", "the source runs: what is on the target is older than it");
  if (copy === "held") return decision("commit", RESTORED, "the copy has all of the source");
  return decision("continue", "UnderWay", "all is as it should be");
}

const WANTED_GONE = "the memory: a pod that is deleted is not wanted any more";

function sourceLost(situation: Situation): Decision {
  const { ending, source, copy, images } = situation;
  if (source === "deleted") return decision("roll back", "PodTerminating", "the source pod was deleted", WANTED_GONE);
  if (source === "gone")
    return decision("roll back", "PodGone", "the source pod was deleted by force while its node is ready", WANTED_GONE);
  if (copy === "held") return decision("commit", "SourceLost", "the source cannot go on, and the copy has all of it");
  if (ending !== "failed" && copy === "dead" && images === "whole")
    return decision("restore again", "CopyDead", "the source cannot go on, and its checkpoint is whole");
  if (ending !== "failed" && copy !== "silent" && images === "whole")
    return decision("continue", "SourceLost", "the source cannot go on, and its checkpoint is whole");
  if (source === "silent") return sourceSilent(situation);
  if (source === "disrupted") return sourceDisrupted(situation);
  if (ending !== "failed" && copy === "silent")
    return decision("wait", "TargetSilent", "only the target's node may have all of the memory");
  const why =
    images === "whole" || copy === "silent" ? "the copy could not be restored in time" : "the dump was not complete";
  return decision(
    "roll back",
    "SourceEnded",
    `the source ended, and ${why}`,
    `the memory: the source ended, and ${why}`,
  );
}

/** It may be intact: it is resumed when its node answers. */
function sourceSilent({ ending }: Situation): Decision {
  if (ending !== "no") return decision("roll back", "SourceSilent", "the source goes on when its node answers");
  return decision("wait", "SourceSilent", "the move goes on when the source's node answers");
}

/** It stays frozen for the rest of its grace period. */
function sourceDisrupted({ ending, copy, images }: Situation): Decision {
  const inTime = ending === "no" && copy !== "dead" && images !== "gone";
  if (inTime) return decision("continue", "Disrupted", "the move may be in time before the grace period is over");
  const lost = "the memory, when the grace period is over: it is being evicted, and there is no copy to go on";
  return decision("roll back", "PodTerminating", "the source pod is being evicted", lost);
}

function afterCommit({ source, copy, images }: Situation): Decision {
  if (copy === "released") return decision("hand over", "Released", "the copy runs");
  if (copy === "silent") return decision("wait", "TargetSilent", "only the target's agent knows whether the copy runs");
  if (copy === "held") {
    const runs = source === "running" || source === "restarted";
    if (runs) return decision("end source", "SourceRestarted", "the source must end before the copy may run");
    return decision("release", "Committed", "the copy is the pod from now on");
  }
  if (canGoOn({ source }))
    return decision("revert", "CopyDead", "the copy died before its release: the source goes on");
  if (images === "whole")
    return decision("restore again", "CopyDead", "the copy died before its release, and its checkpoint is whole");
  if (source === "silent")
    return decision("wait", "SourceSilent", "the source may be intact: that shows when its node answers");
  const lost = "the memory: the copy died before its release, its checkpoint is gone, and the source cannot go on";
  return decision("give up", "ReleaseFailed", "neither the source nor the copy can go on", lost);
}

function decision(action: Action, reason: string, why: string, lost?: string): Decision {
  return { action, reason, why, ...(lost === undefined ? {} : { lost }) };
}
