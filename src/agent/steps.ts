/** The steps of a move on one node, and which may follow which. Pure: says whether a command is admitted, and why not. */
import type { MoveRecord } from "./protocol.ts";

export type State = MoveRecord["state"];
export type TargetStep = "register" | "receive" | "restore" | "release" | "abort" | "cleanup";
export type SourceStep = "dump" | "resume" | "kill" | "cleanup";
export type StepName = TargetStep | SourceStep;

interface StepRule {
  /** States it may start from; "none": the move is unknown here. */
  from: readonly (State | "none")[];
  /**
   * Written before the step runs, and after the mark that decides it is on the node's disk: from here on only what fits this state is
   * admitted.
   */
  during: State;
  after: State;
  /** Ends a running step of the same move and role instead of being refused while that one runs. */
  supersedes?: true;
  /** Its answer is asked of the node again when the command is repeated. */
  fresh?: true;
}

const TARGET_RULES: Record<Exclude<TargetStep, "cleanup">, StepRule> = {
  register: { from: ["none", "registered"], during: "registered", after: "registered" },
  receive: { from: ["registered", "receiving"], during: "receiving", after: "receiving", fresh: true },
  restore: { from: ["receiving", "restoring", "held"], during: "restoring", after: "held", fresh: true },
  // The node's own marks decide, a record only shortens the way: it may be lost, or back at `restoring` after a repeated restore.
  release: { from: ["none", "restoring", "held", "released"], during: "released", after: "released" },
  abort: {
    from: ["none", "registered", "receiving", "restoring", "held", "aborted", "failed"],
    during: "aborted",
    after: "aborted",
    supersedes: true,
  },
};

const SOURCE_RULES: Record<Exclude<SourceStep, "cleanup">, StepRule> = {
  dump: { from: ["none", "dumping", "dumped"], during: "dumping", after: "dumped" },
  resume: {
    from: ["none", "dumping", "dumped", "failed", "resumed"],
    during: "resumed",
    after: "resumed",
    supersedes: true,
  },
  // A record may be behind what was committed: after a power loss the last state is not always on disk.
  kill: {
    from: ["none", "dumping", "dumped", "failed", "killed"],
    during: "killed",
    after: "killed",
    supersedes: true,
  },
};

/** Cleaning up before the outcome is decided would lose the only copy or let a second one start. */
const CLEANABLE: Record<MoveRecord["role"], readonly (State | "none")[]> = {
  target: ["none", "released", "aborted"],
  source: ["none", "resumed", "killed"],
};

export function ruleOf(role: MoveRecord["role"], step: StepName): StepRule {
  if (step === "cleanup") {
    return {
      from: CLEANABLE[role],
      during: role === "target" ? "aborted" : "resumed",
      after: "aborted",
      supersedes: true,
    };
  }
  const rules: Partial<Record<StepName, StepRule>> = role === "target" ? TARGET_RULES : SOURCE_RULES;
  const rule = rules[step];
  if (!rule) throw new Error(`a ${role} has no step ${step}`);
  return rule;
}

export type Admission =
  | { ok: true }
  /** The move has ended, this step is part of how it did: it is answered as it was. */
  | { ok: true; finished: true }
  | { ok: false; reason: "StaleEpoch" | "WrongState" | "AlreadyReleased"; message: string };

/** May `step` run on a move in this record, ordered by a leader of `epoch`? */
export function admit(
  record: Pick<MoveRecord, "epoch" | "state"> | undefined,
  role: MoveRecord["role"],
  step: StepName,
  epoch: number,
): Admission {
  if (record && epoch < record.epoch) {
    const message = `epoch ${epoch} is older than ${record.epoch}: another controller leads now`;
    return { ok: false, reason: "StaleEpoch", message };
  }
  const state = record?.state ?? "none";
  if (ruleOf(role, step).from.includes(state)) return { ok: true };
  if (role === "target" && state === "released") {
    return { ok: false, reason: "AlreadyReleased", message: `${step}: the target has been released` };
  }
  return { ok: false, reason: "WrongState", message: `${step} is not possible: the ${role} is ${state}` };
}

/** What only a move that begins needs. */
const BEGINNING: ReadonlySet<StepName> = new Set(["register", "receive", "dump", "restore"]);

/**
 * May `step` run on a move that was cleaned up here, in this state? What would begin it anew or end it in another way may not.
 * Where nothing was known of it (`none`), the ends may: they look for themselves.
 */
export function admitFinished(state: State | "none", role: MoveRecord["role"], step: StepName): Admission {
  if (!BEGINNING.has(step)) {
    if (state === "none") return ruleOf(role, step).from.includes("none") ? { ok: true } : ended(step);
    if (ruleOf(role, step).from.includes(state)) return { ok: true, finished: true };
  }
  if (role === "target" && state === "released") {
    return { ok: false, reason: "AlreadyReleased", message: `${step}: the target has been released and cleaned up` };
  }
  return ended(step);
}

function ended(step: StepName): Admission {
  return { ok: false, reason: "WrongState", message: `${step} is not possible: the move has ended here` };
}
