/**
 * Which ends of a process nothing could have prevented. The table in docs/moves.md ("What becomes of a move") says what a move saves; the rows
 * are quoted here as API/committed/source/copy/images.
 */
import type { Life } from "../harness/testimony.ts";
import {
  type ChaosRecord,
  common,
  covered,
  type EndedByFault,
  enteredAt,
  finalPhase,
  type JudgedMove,
  type JudgedWorkload,
  moveMetBy,
  phaseAt,
  type Span,
  type StruckFault,
  spanOf,
} from "./record.ts";

const SECOND = 1000;
/** A process may stand frozen for this long, and say nothing, before the fault strikes that ends it. */
const FAULT_AFTER_LAST_WORD_MS = 120 * SECOND;
/** A pod that is deleted has a grace period, and goes on meanwhile. */
const FAULT_BEFORE_LAST_WORD_MS = 60 * SECOND;
/** A dead machine says nothing; its last datagram may have been on its way. */
const MACHINE_BEFORE_LAST_WORD_MS = 2 * SECOND;
/** A fault is noted when it has struck: what replaces its victim may be there by then. */
const NOTED_LATE_MS = 2 * SECOND;
/** No probe that the workloads have fails earlier for good. */
const PROBE_FORGIVES_MS = 15 * SECOND;
/** The watch sees a phase later than the process is frozen, or lets go. */
const WATCH_LATE_MS = SECOND;

export interface End {
  workload: JudgedWorkload;
  life: Life;
  /** When the next instance, one that outlived it, was first heard. */
  followedAtMs: number | undefined;
}

/** The cell under which an unavoidable end is counted; undefined: the process is lost, and should not be. */
export function unavoidableCell(record: ChaosRecord, end: End): string | undefined {
  return takenByFault(record, end) ?? takenUnheard(record, end) ?? withItsNode(record, end) ?? byItsProbe(record, end);
}

/** Every process that ended: another instance followed it, or it says nothing at the end. */
export function endsOf(workload: JudgedWorkload): End[] {
  const { lives } = workload.testimony;
  const speaker = lastHeard(workload);
  return lives.flatMap((life, index) => {
    // A replacement that its owner made during a move, and that the move removed: the older process outlives it.
    const isSurplus = lives.slice(0, index).some((older) => older.lastAtMs > life.lastAtMs);
    if (isSurplus || (life === speaker && !isSilentAtEnd(workload))) return [];
    const next = lives.slice(index + 1).find(({ lastAtMs }) => lastAtMs > life.lastAtMs);
    return [{ workload, life, followedAtMs: next?.firstAtMs }];
  });
}

export function lastHeard({ testimony }: JudgedWorkload): Life | undefined {
  return testimony.lives.reduce<Life | undefined>(
    (latest, life) => (latest && latest.lastAtMs >= life.lastAtMs ? latest : life),
    undefined,
  );
}

/** From a pod's making to its first word, and from an eviction to its last. */
const [MADE_BEFORE_MS, EVICTED_WITHIN_MS] = [5 * SECOND, 10 * SECOND];
/** A workload speaks every 10 ms. */
const SILENT_AT_END_MS = 5 * SECOND;

export function isSilentAtEnd(workload: JudgedWorkload): boolean {
  const life = lastHeard(workload);
  return life === undefined || workload.endedAtMs - life.lastAtMs > SILENT_AT_END_MS;
}

function takenByFault(record: ChaosRecord, end: End): string | undefined {
  for (const fault of record.faults.filter((one) => struckWhileAlive(one, end, FAULT_BEFORE_LAST_WORD_MS))) {
    const taken = (fault.ends ?? []).filter(({ workload }) => workload === end.workload.name);
    const cell = taken.find((one) => !isPromised(record, end, fault, one))?.cell;
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** A pod that an owner had just made was evicted before it said its first word: it is no move's pod. */
function takenUnheard({ faults }: ChaosRecord, { workload, life }: End): string | undefined {
  const evictions = faults.filter(
    ({ atMs }) =>
      atMs < life.firstAtMs && life.firstAtMs <= atMs + MADE_BEFORE_MS && life.lastAtMs <= atMs + EVICTED_WITHIN_MS,
  );
  const taken = evictions.flatMap(({ ends = [] }) => ends);
  return taken.find(({ workload: name, by }) => name === workload.name && by === "disruption")?.cell;
}

/** The fault struck this process, and not one that followed it. */
function struckWhileAlive({ atMs }: StruckFault, { life, followedAtMs }: End, beforeMs: number): boolean {
  const inTime = atMs >= life.lastAtMs - beforeMs && atMs <= life.lastAtMs + FAULT_AFTER_LAST_WORD_MS;
  return inTime && atMs >= life.firstAtMs && atMs <= (followedAtMs ?? Number.POSITIVE_INFINITY) + NOTED_LATE_MS;
}

/** Until the copy is released the source can go on without it: "roll back" before the commit, "revert" after it (there/yes/frozen/dead). */
const SOURCE_GOES_ON = ["Preflight", "Preparing", "Frozen", "Restoring", "Committed"];
/**
 * From Restoring on the target has a whole checkpoint: there/no/ended, disrupted, restarted/held commits, .../none, waiting/whole continues, .../dead/whole
 * restores again. While a source is Frozen its images may be partial: "the source ended before its dump was complete".
 */
const COPY_GOES_ON = ["Restoring", "Committed"];

/** The phases in which the table promises that the process survives, although this pod of the move is taken from it. */
export const PROMISED: Record<EndedByFault["by"], Record<EndedByFault["of"], readonly string[]>> = {
  // there/no/deleted, gone: "a pod that is deleted is not wanted any more". After the commit its source is deleted by the move itself.
  deletion: { source: ["Committed"], copy: SOURCE_GOES_ON, all: [] },
  disruption: { source: COPY_GOES_ON, copy: SOURCE_GOES_ON, all: [] },
  kill: { source: COPY_GOES_ON, copy: SOURCE_GOES_ON, all: [] },
};

function isPromised(record: ChaosRecord, { workload, life }: End, fault: StruckFault, taken: EndedByFault): boolean {
  // A Job counts a pod that is deleted or evicted as failed. With a backoffLimit of 0, as here, it gives up, and ends the copy, too.
  if (taken.by !== "kill" && workload.kind === "Job") return false;
  const met = moveMetBy(record, workload.name, fault);
  if (met === undefined) return false;
  const of = roleOf(record, met.move, fault, taken);
  if (!PROMISED[taken.by][of].includes(met.phase)) return false;
  if (of === "copy" && wasReleased(met.move, met.phase, life)) return false;
  return !struckTwice(record, workload, met.move, fault);
}

/** A fault names the pod of the move that it aimed at; on the same node may be the other pod of another move. */
function roleOf({ moves }: ChaosRecord, met: JudgedMove, fault: StruckFault, { of }: EndedByFault): EndedByFault["of"] {
  const aimed = moves.find(({ name }) => name === fault.move);
  if (of === "all" || aimed === undefined || aimed === met) return of;
  const struckNode = nodeOf(aimed, of === "source" ? "source" : "target");
  return struckNode === nodeOf(met, "target") ? "copy" : "source";
}

/** The copy ran, if only for an instant. Then it alone is the process. */
function wasReleased(move: JudgedMove, phase: string, life: Life): boolean {
  const arrived = life.stays.at(-1)?.node === move.final?.status?.targetNode;
  return arrived || (phase === "Committed" && finalPhase(move) === "Succeeded");
}

/**
 * What the table promises after one fault needs the other node: a second fault that takes it leaves nothing to go on with (there/no/ended/failed and
 * there/yes/dead/gone, "give up"), or keeps it away until the phase's time is over ("its copy could not be restored in time").
 */
function struckTwice(record: ChaosRecord, workload: JudgedWorkload, move: JudgedMove, first: StruckFault): boolean {
  const { sourceNode, targetNode } = move.final?.status ?? {};
  const soon = { fromMs: first.atMs - FAULT_AFTER_LAST_WORD_MS, toMs: first.atMs + FAULT_AFTER_LAST_WORD_MS };
  const others = record.faults.filter(
    (fault) => fault !== first && moveMetBy(record, workload.name, fault)?.move === move,
  );
  const takesMore = others.some(
    ({ nodeKilled, ends = [] }) =>
      (nodeKilled !== undefined && [sourceNode, targetNode].includes(nodeKilled)) ||
      ends.some((taken) => taken.workload === workload.name),
  );
  const away = [...silent(record, move, "target"), ...silent(record, move, "api")];
  return takesMore || covered(common(away, [soon])) > PROBE_FORGIVES_MS;
}

const NODE_DIED = "its node died";

function withItsNode(record: ChaosRecord, end: End): string | undefined {
  const { workload, life } = end;
  const node = life.stays.at(-1)?.node;
  const fits = record.faults.some((fault) => {
    if (fault.nodeKilled === undefined || !struckWhileAlive(fault, end, MACHINE_BEFORE_LAST_WORD_MS)) return false;
    const met = moveMetBy(record, workload.name, fault);
    const { sourceNode, targetNode } = met?.move.final?.status ?? {};
    if (met && fault.nodeKilled === targetNode && node === sourceNode)
      return met.phase === "Committed" && wasReleased(met.move, met.phase, life);
    if (fault.nodeKilled !== node) return false;
    // there/*/silent/held commits or releases; there/no/silent/waiting/whole continues: the copy does not need the source's node any more.
    const copyGoesOn = met !== undefined && node === sourceNode && COPY_GOES_ON.includes(met.phase);
    return !copyGoesOn || struckTwice(record, workload, met.move, fault);
  });
  return fits ? NODE_DIED : undefined;
}

/** A probe does not wait for a frozen process. What nobody may resume, or nobody can, is killed by its kubelet in time. */
function byItsProbe(record: ChaosRecord, { workload, life, followedAtMs }: End): string | undefined {
  const move = record.moves.find((one) => one.workload === workload.name && wasFrozen(one, life));
  if (workload.probe !== "liveness" || move === undefined) return undefined;
  const frozen = [{ fromMs: life.lastAtMs, toMs: followedAtMs ?? workload.endedAtMs }];
  const away = (side: "source" | "target" | "api"): Span[] => common(silent(record, move, side), frozen);
  const tooLong = (spans: readonly Span[]): boolean => covered(spans) > PROBE_FORGIVES_MS;
  // away/no/frozen/silent waits: "only the target's agent can rule out a second copy".
  if (tooLong(common(away("api"), away("target")))) return "frozen, the API and the target's node away";
  // there/yes/*/silent waits: it is unknown whether the copy runs.
  const committedAtMs = enteredAt(move, "Committed");
  const sinceCommit = committedAtMs === undefined ? [] : [{ fromMs: committedAtMs, toMs: Number.POSITIVE_INFINITY }];
  if (tooLong(common(away("target"), sinceCommit))) return "committed, the target's node away";
  // there/no/no/silent waits; its kubelet, which is on its node, kills it before its dump is whole, or after its copy was given up because the
  // target was away, too: there/no/ended rolls back.
  const dumped = enteredAt(move, "Restoring", "Committed") !== undefined;
  const hasCopy = dumped && covered(away("target")) === 0;
  return !hasCopy && tooLong(away("source")) ? "frozen, its own node away" : undefined;
}

/** Its last word was said on the move's source, when it was frozen or up to the end of its commit. */
function wasFrozen(move: JudgedMove, life: Life): boolean {
  if (life.stays.at(-1)?.node !== move.final?.status?.sourceNode) return false;
  const phase = phaseAt(move, life.lastAtMs + WATCH_LATE_MS);
  return phase !== undefined && ["Frozen", "Restoring", "Committed"].includes(phase);
}

/** The spans for which a side of the move did not answer. A fault names the sides of the move that it aimed at, which may be another. */
function silent(record: ChaosRecord, move: JudgedMove, side: "source" | "target" | "api"): Span[] {
  const node = side === "api" ? "api" : nodeOf(move, side);
  if (node === undefined) return [];
  return record.faults.filter((fault) => silencedBy(record, fault).includes(node)).map(spanOf);
}

/** Names of nodes, and `api`. */
function silencedBy({ moves }: ChaosRecord, { silences = [], nodeKilled, move }: StruckFault): (string | undefined)[] {
  const aimed = moves.find(({ name }) => name === move);
  return [nodeKilled, ...silences.map((side) => (side === "api" ? side : aimed && nodeOf(aimed, side)))];
}

function nodeOf({ final }: JudgedMove, side: "source" | "target"): string | undefined {
  return side === "source" ? final?.status?.sourceNode : final?.status?.targetNode;
}
