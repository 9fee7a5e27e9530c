/** Where the demo is shown: drawn again in place on a terminal, otherwise line by line, and only what is new. */
import type { ChalkInstance } from "chalk";
import { entryLines, type Frame, frameLines, nodeLine } from "./view.ts";

export interface Output {
  write(text: string): void;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
}

export interface Screen {
  show(frame: Frame): void;
  /** Leaves what is shown and goes on below it. */
  keep(frame: Frame): void;
}

export function screenFor(output: Output, palette: ChalkInstance): Screen {
  return output.isTTY ? new LiveScreen(output, palette) : new PlainScreen(output, palette);
}

class LiveScreen implements Screen {
  readonly #output: Output;
  readonly #palette: ChalkInstance;
  #height = 0;

  constructor(output: Output, palette: ChalkInstance) {
    this.#output = output;
    this.#palette = palette;
  }

  show(frame: Frame): void {
    const lines = frameLines(frame, this.#palette, {
      width: this.#output.columns || 100,
      height: this.#output.rows || 40,
    });
    const up = this.#height > 0 ? `\u001b[${this.#height}A` : "";
    // Each line is cleared to its end, then everything below.
    this.#output.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join("")}\u001b[0J`);
    this.#height = lines.length;
  }

  keep(frame: Frame): void {
    this.show(frame);
    this.#height = 0;
    this.#output.write("\n");
  }
}

const NODES_EVERY_MS = 3_000;

class PlainScreen implements Screen {
  readonly #output: Output;
  readonly #palette: ChalkInstance;
  #told = 0;
  #title = "";
  #nodesAtMs = 0;

  constructor(output: Output, palette: ChalkInstance) {
    this.#output = output;
    this.#palette = palette;
  }

  show(frame: Frame): void {
    if (frame.title !== this.#title) this.#begin(frame.title);
    for (const entry of frame.journal.slice(this.#told)) this.#say(entryLines(entry, this.#palette, 110));
    this.#told = frame.journal.length;
    if (frame.elapsedMs < this.#nodesAtMs) return;
    this.#nodesAtMs = frame.elapsedMs + NODES_EVERY_MS;
    this.#say(frame.nodes.map((node) => `         ${nodeLine(node, this.#palette)}`));
  }

  keep(frame: Frame): void {
    this.show(frame);
    if (frame.table.length > 0) this.#say(["", "$ kubectl get podmigrations", ...frame.table]);
    this.#say([""]);
  }

  #begin(title: string): void {
    this.#title = title;
    this.#told = 0;
    this.#nodesAtMs = 0;
    this.#say([title]);
  }

  #say(lines: string[]): void {
    this.#output.write(lines.map((line) => `${line}\n`).join(""));
  }
}
