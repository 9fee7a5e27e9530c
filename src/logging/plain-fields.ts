import { inspect } from "node:util";

/** Mistakes of the program itself: where they happened matters. */
const DEFECTS = new Set(["TypeError", "ReferenceError", "RangeError", "AssertionError", "ZodError"]);

/** Log fields as plain JSON values; an error becomes its message and those of its causes. */
export function plainFields(fields: unknown): Record<string, unknown> {
  if (typeof fields !== "object" || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => plainField(name, value)));
}

function plainField(name: string, value: unknown): [string, unknown][] {
  if (value === undefined) return [];
  if (!(value instanceof Error)) return [[name, serialisable(value)]];
  const described: [string, unknown] = [name, describeError(value)];
  return DEFECTS.has(value.name) ? [described, ["stack", value.stack]] : [described];
}

/** A value that JSON can't hold must not cost the whole line. */
function serialisable(value: unknown): unknown {
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  }
}

/** `message: cause: cause`, without repeating what a message already contains. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  const cause = error.cause === undefined ? "" : describeError(error.cause);
  return cause === "" || own.includes(cause) ? own : `${own}: ${cause}`;
}
