/** What the witness makes of the datagrams it gets. Pure: no network, no clock. */

/** One datagram of a workload. */
export interface Statement {
  name: string;
  /** Drawn when the process started: a restored process has the same, one that started anew another. */
  instance: string;
  /** 0, 1, 2, … in each instance. */
  n: number;
  heldMiB: number;
  damagedPages: number;
  /** Times that it found a file of its own otherwise than it had left it. */
  damagedFiles: number;
  /** Where the datagram came from: a node's name, or the address if it is none of the cluster's. */
  node: string;
}

/** Statements of one instance from one node, before it was heard from another. */
export interface Stay {
  node: string;
  firstN: number;
  lastN: number;
  /** Arrival times in epoch milliseconds. */
  firstAtMs: number;
  lastAtMs: number;
}

/** Statements of one instance, in one piece. */
export interface Life {
  instance: string;
  first: number;
  last: number;
  /** Arrival times in epoch milliseconds. */
  firstAtMs: number;
  lastAtMs: number;
  /** In order, each on another node than the one before; the oldest are forgotten when there are more than 200. */
  stays: Stay[];
}

export interface Silence {
  instance: string;
  /** Milliseconds between two statements, and when it began. */
  milliseconds: number;
  fromMs: number;
  /** The first n after it. */
  n: number;
}

/** What must never be. `repeated`: two copies of one process, or an old state of it; `two`: two processes of one workload. */
export const VIOLATION_KINDS = ["gap", "repeated", "two", "pages", "files"] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

/** Violations of one kind and instance that followed each other within a second count as one. */
export interface Violation {
  kind: ViolationKind;
  /** Arrival of the first and of the last statement that showed it, in epoch milliseconds. */
  atMs: number;
  untilMs: number;
  times: number;
  instance: string;
  /** A sentence about the first one. */
  text: string;
}

export interface Testimony {
  /** In the order in which they were first heard. */
  lives: Life[];
  violations: Violation[];
  /** Longest first: all from 250 ms on, at most 500, and shorter ones up to ten in all. */
  silences: Silence[];
  statements: number;
  heldMiB: number;
  /** The instance that spoke last. */
  speaker?: string;
}

const KEPT_SHORT_SILENCES = 10;
const KEPT_SILENCES = 500;
const LONG_SILENCE_MS = 250;
const KEPT_VIOLATIONS = 20;
const ONE_BURST_MS = 1000;
const KEPT_STAYS = 200;
/** A move takes longer than this: an instance that is back sooner on the node that it left runs on both. */
const SHORTEST_STAY_MS = 200;

export function emptyTestimony(): Testimony {
  return { lives: [], violations: [], silences: [], statements: 0, heldMiB: 0 };
}

/** @param node see {@link nodeAt}. */
export function parseStatement(text: string, node: string): Statement | undefined {
  const [name, instance, n, held, pages, files] = text.split(" ");
  if (!name || !instance || files === undefined) return undefined;
  return {
    name,
    instance,
    n: Number(n),
    heldMiB: Number(held),
    damagedPages: Number(pages),
    damagedFiles: Number(files),
    node,
  };
}

/** The node at an address of test cluster `instance`: a pod's own, or the node's (see ../cluster/settings.ts). Any other is returned as it is. */
export function nodeAt(address: string, instance: number): string {
  const [first, second, third, fourth] = address.split(".").map(Number);
  if (first === 10 && second === 190 + instance) return `n${third}`;
  if (first === 10 && second === 180 + instance && third === 1) return `n${fourth}`;
  return address;
}

/** Takes one more statement, heard at `atMs`, into the testimony. */
export function hear(testimony: Testimony, statement: Statement, atMs: number): void {
  const { instance, n, damagedPages, damagedFiles } = statement;
  const accuse = accuser(testimony, instance, atMs);
  testimony.statements += 1;
  testimony.heldMiB = statement.heldMiB;
  if (damagedPages > 0) accuse("pages", `${damagedPages} damaged pages at n=${n}`);
  if (damagedFiles > 0) accuse("files", `${damagedFiles} damaged files at n=${n}`);
  const life = testimony.lives.find((known) => known.instance === instance);
  if (!life) {
    testimony.lives.push(newLife(statement, atMs));
  } else {
    if (testimony.speaker !== instance)
      accuse("two", `two at once: ${instance} spoke after ${testimony.speaker} had begun (n=${n})`);
    goOn(testimony, life, statement, atMs, accuse);
  }
  testimony.speaker = instance;
}

function newLife(statement: Statement, atMs: number): Life {
  const { instance, n } = statement;
  return { instance, first: n, last: n, firstAtMs: atMs, lastAtMs: atMs, stays: [newStay(statement, atMs)] };
}

function newStay({ node, n }: Statement, atMs: number): Stay {
  return { node, firstN: n, lastN: n, firstAtMs: atMs, lastAtMs: atMs };
}

type Accuse = (kind: ViolationKind, text: string) => void;

function goOn(testimony: Testimony, life: Life, statement: Statement, atMs: number, accuse: Accuse): void {
  const { instance, n, node } = statement;
  const from = node === life.stays.at(-1)?.node ? "" : ` (from ${node}, before that from ${life.stays.at(-1)?.node})`;
  if (n > life.last + 1) accuse("gap", `gap: n=${life.last} was followed by n=${n}${from}`);
  if (n <= life.last) accuse("repeated", `repeated: n=${n} came after n=${life.last}${from}`);
  keepSilence(testimony, { instance, milliseconds: atMs - life.lastAtMs, fromMs: life.lastAtMs, n });
  life.last = n;
  life.lastAtMs = atMs;
  stayOn(life, statement, atMs, accuse);
}

/**
 * A copy that runs beside its source repeats what the source said, unless one of them was not heard meanwhile. What it cannot hide is
 * that it comes from another node.
 */
function stayOn({ stays }: Life, statement: Statement, atMs: number, accuse: Accuse): void {
  const { instance, n, node } = statement;
  const stay = stays.at(-1);
  if (stay?.node === node) {
    stay.lastN = n;
    stay.lastAtMs = atMs;
    return;
  }
  const before = stays.at(-2);
  if (before?.node === node && atMs - before.lastAtMs < SHORTEST_STAY_MS)
    accuse("repeated", `two copies: ${instance} spoke from ${node} and ${stay?.node} in turn (n=${n})`);
  stays.push(newStay(statement, atMs));
  if (stays.length > KEPT_STAYS) stays.shift();
}

function accuser(testimony: Testimony, instance: string, atMs: number): Accuse {
  const { violations } = testimony;
  return (kind, text) => {
    const ofKind = violations.filter((known) => known.kind === kind);
    const burst = ofKind.findLast((known) => known.instance === instance);
    if (burst && atMs - burst.untilMs <= ONE_BURST_MS) return prolong(burst, atMs);
    // The last places are for kinds that were not there yet.
    const hasRoom = violations.length <= KEPT_VIOLATIONS - VIOLATION_KINDS.length;
    const latest = ofKind.at(-1);
    if (latest && !hasRoom) return prolong(latest, atMs);
    violations.push({ kind, atMs, untilMs: atMs, times: 1, instance, text });
  };
}

function prolong(violation: Violation, atMs: number): void {
  violation.times += 1;
  violation.untilMs = atMs;
}

function keepSilence(testimony: Testimony, silence: Silence): void {
  const { silences } = testimony;
  const shortest = silences.at(-1);
  const isFull = silences.length >= (silence.milliseconds >= LONG_SILENCE_MS ? KEPT_SILENCES : KEPT_SHORT_SILENCES);
  if (isFull && shortest && silence.milliseconds <= shortest.milliseconds) return;
  silences.push(silence);
  silences.sort((a, b) => b.milliseconds - a.milliseconds);
  const long = silences.findLastIndex(({ milliseconds }) => milliseconds >= LONG_SILENCE_MS) + 1;
  silences.length = Math.min(silences.length, KEPT_SILENCES, Math.max(long, KEPT_SHORT_SILENCES));
}
