/** What is wrong with a file: named by file, line and field, with what was expected. A broken file is refused, never half read. */

export interface Flaw {
  file: string;
  /** From 1. */
  line?: number | undefined;
  /** `pods[3].memory`, or a column's name. */
  field?: string | undefined;
  /** What was expected, what is there, what to do. */
  message: string;
}

/** So many are shown for one file; what follows is usually the same again. */
const SHOWN = 10;

export class BrokenInputError extends Error {
  override readonly name = "BrokenInputError";
  readonly flaws: readonly Flaw[];

  constructor(flaws: readonly Flaw[]) {
    super(flawLines(flaws).join("\n"));
    this.flaws = flaws;
  }

  /** One for each flaw: `traces.json, line 3: pods[0].memory: expected …`. */
  get lines(): string[] {
    return flawLines(this.flaws);
  }
}

export function flawText({ file, line, field, message }: Flaw): string {
  const place = line === undefined ? file : `${file}, line ${line}`;
  return [place, field, message].filter((part) => part !== undefined && part !== "").join(": ");
}

function flawLines(flaws: readonly Flaw[]): string[] {
  const byFile = Map.groupBy(flaws, ({ file }) => file);
  return [...byFile].flatMap(([file, found]) => {
    const more = found.length - SHOWN;
    return [...found.slice(0, SHOWN).map(flawText), ...(more > 0 ? [`${file}: and ${more} more of such`] : [])];
  });
}

/**
 * What is wrong with one file that is read row by row. Each of millions of rows may be wrong in the same way: of those that are not shown
 * only the number is kept.
 */
export class FileFlaws {
  readonly #file: string;
  readonly #flaws: Flaw[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  add(flaw: Omit<Flaw, "file">): void {
    // The first that is not shown stands for all that follow.
    this.#flaws.push(this.#flaws[SHOWN] ?? { file: this.#file, ...flaw });
  }

  /** Throws a BrokenInputError if there are any. */
  refuse(): void {
    if (this.#flaws.length > 0) throw new BrokenInputError(this.#flaws);
  }
}

/** Runs all, and throws what any of them threw about broken input together. */
export function collectFlaws<T>(items: readonly T[], read: (item: T) => void): void {
  let flaws: readonly Flaw[] = [];
  for (const item of items) {
    try {
      read(item);
    } catch (error) {
      if (!(error instanceof BrokenInputError)) throw error;
      flaws = flaws.concat(error.flaws); // They may be more than a call takes arguments.
    }
  }
  if (flaws.length > 0) throw new BrokenInputError(flaws);
}
