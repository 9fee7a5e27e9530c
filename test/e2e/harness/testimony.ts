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
}

/** Statements of one instance, in one piece. */
export interface Life {
  instance: string;
  first: number;
  last: number;
  /** Arrival times in epoch milliseconds. */
  firstAtMs: number;
  lastAtMs: number;
}

export interface Silence {
  /** Milliseconds between two statements, and when it began. */
  milliseconds: number;
  fromMs: number;
  /** The first n after it. */
  n: number;
}

export interface Testimony {
  /** In the order in which they were first heard. */
  lives: Life[];
  /** One sentence for each thing that must never be: a gap, a repetition, two instances at once, damaged memory or files. */
  violations: string[];
  /** Longest first, at most ten. */
  silences: Silence[];
  statements: number;
  heldMiB: number;
}

const KEPT_SILENCES = 10;
const KEPT_VIOLATIONS = 20;

export function emptyTestimony(): Testimony {
  return { lives: [], violations: [], silences: [], statements: 0, heldMiB: 0 };
}

export function parseStatement(text: string): Statement | undefined {
  const [name, instance, n, held, pages, files] = text.split(" ");
  if (!name || !instance || files === undefined) return undefined;
  return {
    name,
    instance,
    n: Number(n),
    heldMiB: Number(held),
    damagedPages: Number(pages),
    damagedFiles: Number(files),
  };
}

/** Takes one more statement, heard at `atMs`, into the testimony. */
export function hear(testimony: Testimony, statement: Statement, atMs: number): void {
  testimony.statements += 1;
  testimony.heldMiB = statement.heldMiB;
  if (statement.damagedPages > 0) accuse(testimony, `${statement.damagedPages} damaged pages at n=${statement.n}`);
  if (statement.damagedFiles > 0) accuse(testimony, `${statement.damagedFiles} damaged files at n=${statement.n}`);
  const current = testimony.lives.at(-1);
  const life = testimony.lives.find(({ instance }) => instance === statement.instance);
  if (!life) {
    testimony.lives.push(newLife(statement, atMs));
  } else if (life === current) {
    goOn(testimony, life, statement, atMs);
  } else {
    accuse(testimony, `two at once: ${life.instance} spoke after ${current?.instance} had begun (n=${statement.n})`);
    life.last = statement.n;
  }
}

function newLife({ instance, n }: Statement, atMs: number): Life {
  return { instance, first: n, last: n, firstAtMs: atMs, lastAtMs: atMs };
}

function goOn(testimony: Testimony, life: Life, statement: Statement, atMs: number): void {
  if (statement.n > life.last + 1) accuse(testimony, `gap: n=${life.last} was followed by n=${statement.n}`);
  if (statement.n <= life.last) accuse(testimony, `repeated: n=${statement.n} came after n=${life.last}`);
  keepSilence(testimony, { milliseconds: atMs - life.lastAtMs, fromMs: life.lastAtMs, n: statement.n });
  life.last = statement.n;
  life.lastAtMs = atMs;
}

function accuse(testimony: Testimony, violation: string): void {
  if (testimony.violations.length < KEPT_VIOLATIONS) testimony.violations.push(violation);
}

function keepSilence(testimony: Testimony, silence: Silence): void {
  const { silences } = testimony;
  const shortest = silences.at(-1);
  if (silences.length >= KEPT_SILENCES && shortest && silence.milliseconds <= shortest.milliseconds) return;
  silences.push(silence);
  silences.sort((a, b) => b.milliseconds - a.milliseconds);
  silences.length = Math.min(silences.length, KEPT_SILENCES);
}
