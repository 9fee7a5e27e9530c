/** No two pods, and no two nodes, have one name; what files say of those that do. */
import { lineOf } from "../../api/line-of.ts";
import { BrokenInputError, type Flaw, flawText } from "./broken-input.ts";
import type { InputDocument } from "./documents.ts";

/** A pod or a node as a file tells of it, and where its name stands. */
export interface Named {
  /** Of a pod with its namespace: `default/a`. */
  name: string;
  /** In a CSV file. */
  line?: number | undefined;
  /** `pods[3].name`, or a column. Absent: the file's own name names it. */
  field?: string | undefined;
}

export interface NamingSource {
  file: string;
  /** Absent: a CSV file. */
  document?: InputDocument | undefined;
  /** What monitoring writes: it is told of in parts, which may be in several files. */
  inParts?: boolean;
}

interface First {
  file: string;
  /** Of its file's documents. */
  index: number;
  inParts: boolean;
  named: Named;
}

/** Lines are looked for in the whole text, so only for the flaws that may be shown. */
const LOCATED = 10;

export class Names {
  readonly #first = new Map<string, First>();
  readonly #expected: string;
  readonly #advice: string;

  /** What a message begins and ends with. */
  constructor({ expected, advice }: { expected: string; advice: string }) {
    this.#expected = expected;
    this.#advice = advice;
  }

  /** Throws with each whose name another one has. */
  take(source: NamingSource, all: Iterable<Named>): void {
    const flaws: Flaw[] = [];
    for (const named of all) {
      const first = this.#first.get(named.name);
      const { file, document, inParts = false } = source;
      if (first === undefined) this.#first.set(named.name, { file, index: document?.index ?? 0, inParts, named });
      else if (!(first.inParts && inParts)) flaws.push(this.#twin(source, named, first, flaws.length));
    }
    if (flaws.length > 0) throw new BrokenInputError(flaws);
  }

  #twin({ file, document }: NamingSource, { name, field, line }: Named, first: First, number: number): Flaw {
    // The text of another file is no longer kept: its field has to do.
    const text = number < LOCATED ? document?.source.text : undefined;
    const lineIn = (index: number, path = "") => (text === undefined ? undefined : lineOf(text, index, path));
    const firstLine = first.named.line ?? (first.file === file ? lineIn(first.index, first.named.field) : undefined);
    const where = flawText({ file: first.file, line: firstLine, field: first.named.field, message: "" });
    const message = `${this.#expected}; ${name} is there twice, first in ${where}: ${this.#advice}`;
    return { file, line: line ?? lineIn(document?.index ?? 0, field), field, message };
  }
}
