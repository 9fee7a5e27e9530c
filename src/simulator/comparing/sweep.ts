/** A sweep as people write it: `pressure.freeBelow=5%..40%/5%`, `selection.strategy=Max,Cheapest`, `batch:pacing.blocking.pause=0s..60s/15s`. */

export interface SweepRequest {
  /** As it was written, for messages. */
  text: string;
  /** Only this policy; absent: every policy. */
  policy?: string;
  /** Below `spec`. */
  path: string;
  /** At least one, in order, each once. */
  values: string[];
}

export type ReadSweep = { ok: true; value: SweepRequest } | { ok: false; message: string };

/** No sweep has more values than this: more is a mistake, or hours. */
const MAX_VALUES = 200;
const SHAPE = /^(?:(?<policy>[^:=]+):)?(?<path>[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)=(?<values>.+)$/;
const RANGE = /^(?<from>[^/]+?)\.\.(?<to>[^/]+)\/(?<step>.+)$/;
const NUMBER = /^(?<number>-?[0-9]+(?:\.[0-9]+)?)(?<unit>[A-Za-z%]*)$/;

const refused = (text: string, message: string): ReadSweep => ({ ok: false, message: `--sweep ${text}: ${message}` });

export function readSweep(text: string): ReadSweep {
  const { policy, path, values: written } = SHAPE.exec(text)?.groups ?? {};
  if (path === undefined || written === undefined) {
    return refused(
      text,
      "expected [POLICY:]PATH=FROM..TO/STEP or [POLICY:]PATH=A,B,C, as pressure.freeBelow=5%..40%/5%",
    );
  }
  const values = written.includes("..") ? rangeValues(written) : listValues(written);
  if (typeof values === "string") return refused(text, values);
  const below = path.replace(/^spec\./, "");
  return { ok: true, value: { text, ...(policy !== undefined && { policy }), path: below, values } };
}

/** Or what is wrong with it. */
function listValues(written: string): string[] | string {
  const values = written.split(",").map((value) => value.trim());
  if (values.some((value) => value === "")) return "expected values separated by single commas";
  if (new Set(values).size < values.length) return "expected different values";
  return values.length > MAX_VALUES ? `expected at most ${MAX_VALUES} values` : values;
}

function rangeValues(written: string): string[] | string {
  const { from, to, step } = RANGE.exec(written)?.groups ?? {};
  const parts = [from, to, step].map((part) => NUMBER.exec(part ?? "")?.groups);
  const [first, last, width] = parts.map((part) => Number(part?.number));
  if (first === undefined || last === undefined || width === undefined || parts.some((part) => part === undefined)) {
    return "expected FROM..TO/STEP of numbers with a unit, as 5%..40%/5%";
  }
  if (new Set(parts.map((part) => part?.unit)).size > 1) return "expected FROM, TO and STEP in the same unit";
  if (width <= 0 || last < first) return "expected a STEP above 0 and TO not below FROM";
  // A millionth of a step, so that 0.1..0.3/0.1 ends at 0.3.
  const count = Math.floor((last - first) / width + 1e-6) + 1;
  if (count > MAX_VALUES) return `expected at most ${MAX_VALUES} values, these are ${count}`;
  const digits = Math.max(...parts.map((part) => decimals(part?.number ?? "")));
  return Array.from({ length: count }, (_, index) => {
    return `${Number((first + index * width).toFixed(digits))}${parts[0]?.unit ?? ""}`;
  });
}

const decimals = (number: string) => number.split(".")[1]?.length ?? 0;

/** Every combination of one value of each sweep, the last sweep's values next to each other. */
export function combinations<T>(sweeps: readonly (readonly T[])[]): T[][] {
  return sweeps.reduce<T[][]>((all, values) => all.flatMap((one) => values.map((value) => [...one, value])), [[]]);
}

/** A copy of the object with one member below `spec` set; what is on the way there is made. */
export function withOption(object: unknown, path: string, value: string): unknown {
  return withMember(object, ["spec", ...path.split(".")], typed(value));
}

function withMember(object: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const members: Record<string, unknown> = typeof object === "object" && object !== null ? { ...object } : {};
  return { ...members, [key]: withMember(Object.hasOwn(members, key) ? members[key] : undefined, rest, value) };
}

/** As YAML would read it. */
function typed(value: string): unknown {
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(value)) return Number(value);
  return value === "true" ? true : value === "false" ? false : value;
}
