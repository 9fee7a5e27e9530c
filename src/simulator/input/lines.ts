/** The lines of a text, or of a file that need not fit into memory. */
import { closeSync, openSync, readSync } from "node:fs";

export interface LineSource {
  /** The file, for messages. */
  name: string;
  /** Names what its file does not: the file's name without its extension. */
  stem: string;
  /** Without line ends; may be asked for more than once. */
  lines(): Iterable<string>;
}

export function* linesOfText(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start);
    yield withoutReturn(text.slice(start, end < 0 ? undefined : end));
    if (end < 0) return;
    start = end + 1;
  }
}

const CHUNK_BYTES = 1 << 18;

export function* linesOfFile(path: string): Generator<string> {
  const file = openSync(path, "r");
  try {
    const decoder = new TextDecoder();
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let rest = "";
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      const lines = (rest + decoder.decode(buffer.subarray(0, read), { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield withoutReturn(line);
    }
    if (rest !== "") yield withoutReturn(rest);
  } finally {
    closeSync(file);
  }
}

/** The first bytes of a file, enough to see its format. */
export function headOfFile(path: string): string {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(4096);
    return buffer.toString("utf8", 0, readSync(file, buffer));
  } finally {
    closeSync(file);
  }
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
