/** YAML or JSON out of a text, and what is wrong with it. Pure. */
import { loadAll } from "js-yaml";
import type { z } from "zod";
import { lineOf } from "../../api/line-of.ts";
import { problemsOf } from "../../api/problems.ts";
import { BrokenInputError } from "./broken-input.ts";

export interface NamedText {
  /** The file, for messages. */
  name: string;
  text: string;
}

export interface InputDocument {
  source: NamedText;
  /** Of the documents of its text. */
  index: number;
  value: unknown;
}

/** JSON is YAML too, but is read faster as what it is. Empty documents are left out. */
export function documentsOf(source: NamedText): InputDocument[] {
  return valuesOf(source).flatMap((value, index) =>
    value === null || value === undefined ? [] : [{ source, index, value }],
  );
}

function valuesOf({ name, text }: NamedText): unknown[] {
  if (isOfOtherEncoding(text)) {
    const message =
      "expected text in UTF-8; this is UTF-16, as Windows shells write it, or no text: convert or unpack it";
    throw new BrokenInputError([{ file: name, message }]);
  }
  const json = parsedJson(text);
  if (json !== undefined) return [json];
  try {
    return loadAll(text);
  } catch (error) {
    const line = lineOfException(error);
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new BrokenInputError([{ file: name, line, message: `expected YAML or JSON; ${message}` }]);
  }
}

/** Of another encoding each second byte is 0, or its byte order mark is no character; compressed files begin with bytes of 0 too. */
const isOfOtherEncoding = (text: string) => /^\uFFFD\uFFFD|\0/.test(text.slice(0, 4096));

/** Undefined when it is none: YAML tells better what is wrong, and where. */
function parsedJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}

function lineOfException(error: unknown): number | undefined {
  const mark = typeof error === "object" && error !== null && "mark" in error ? error.mark : undefined;
  const line = typeof mark === "object" && mark !== null && "line" in mark ? mark.line : undefined;
  return typeof line === "number" ? line + 1 : undefined;
}

/** Lines are looked for in the whole text, so only for the flaws that may be shown. */
const LOCATED = 10;

/** A flaw of a document's field; `path` as `pods[3].memory`, empty: the document itself. */
export function broken(
  document: InputDocument,
  problems: readonly { path: string; message: string }[],
): BrokenInputError {
  const { source, index } = document;
  return new BrokenInputError(
    problems.map(({ path, message }, number) => ({
      file: source.name,
      line: number < LOCATED ? lineOf(source.text, index, path) : undefined,
      field: path,
      message,
    })),
  );
}

/** What the schema makes of the document, or of what stands `under` a path in it. Throws with every wrong field. */
export function admit<S extends z.ZodType>(
  schema: S,
  document: InputDocument,
  { value = document.value, under = [] }: { value?: unknown; under?: readonly PropertyKey[] } = {},
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw broken(document, problemsOf(parsed.error, under));
}
