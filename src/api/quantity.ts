/** The edges: quantities, percentages and durations as people write them, as bytes, fractions and seconds. */

const UNIT_BYTES: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

export const QUANTITY_PATTERN = /^[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)$/;
export const PERCENT_PATTERN = /^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%$/;
export const DURATION_PATTERN = /^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/;

/** An amount of a node's memory: a part of its capacity, or bytes. */
export type Amount = { readonly fraction: number } | { readonly bytes: number };

/** Bytes of "512Mi", "1.5G". Undefined for anything else, a bare integer too: nobody can tell its unit. */
export function parseQuantity(text: string): number | undefined {
  if (!QUANTITY_PATTERN.test(text)) return undefined;
  const unit = text.replace(/^[0-9.]+/, "");
  const factor = UNIT_BYTES[unit];
  return factor === undefined ? undefined : Math.round(Number.parseFloat(text) * factor);
}

/** The fraction (0 to 1) of "20%". Undefined for anything else, more than 100% too. */
export function parsePercent(text: string): number | undefined {
  return PERCENT_PATTERN.test(text) ? Number.parseFloat(text) / 100 : undefined;
}

/** "20%" or "20Gi". */
export function parseAmount(text: string): Amount | undefined {
  const fraction = parsePercent(text);
  if (fraction !== undefined) return { fraction };
  const bytes = parseQuantity(text);
  return bytes === undefined ? undefined : { bytes };
}

/** Bytes that an amount means on a node of this capacity, without the noise of binary fractions (0.07 × 100 is 7). */
export function amountBytes(amount: Amount, capacityBytes: number): number {
  return "bytes" in amount ? amount.bytes : Math.round(amount.fraction * capacityBytes * 1024) / 1024;
}

/** Seconds of "90s", "5m", "1h30m". Undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text);
  if (text === "" || match === null) return undefined;
  const [hours, minutes, seconds] = [match[1], match[2], match[3]].map((part) => Number.parseInt(part ?? "0", 10));
  return (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}

/** The number, where a schema has already admitted the text. Throws a RangeError naming the text otherwise: a defect, not input. */
export function admitted<T>(parse: (text: string) => T | undefined, text: string): T {
  const value = parse(text);
  if (value === undefined) throw new RangeError(`not admitted by its schema: ${JSON.stringify(text)}`);
  return value;
}

/** Bytes of a quantity as Kubernetes objects carry it (resources.requests, node status): plain integers, "128974848", "1e9", "500m" too. */
export function parseResourceQuantity(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]+)|(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei))?$/.exec(text);
  if (match === null) return undefined;
  const factor = { m: 1e-3, E: 1e18, Ei: 2 ** 60, ...UNIT_BYTES }[match[3] ?? ""] ?? 1;
  const bytes = Number.parseFloat(`${match[1]}${match[2] ?? ""}`) * factor;
  return Number.isFinite(bytes) ? bytes : undefined;
}

const BINARY_UNITS = (["Pi", "Ti", "Gi", "Mi", "Ki"] as const).map((name) => ({ name, bytes: UNIT_BYTES[name] ?? 1 }));
const SMALLEST_UNIT = { name: "Ki", bytes: 1024 };

/** Bytes for people: "1.5Gi", "700Mi". At most two decimals; below 1Ki as "0.5Ki". Negative amounts keep their sign. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  const unit = BINARY_UNITS.find((one) => size >= one.bytes) ?? SMALLEST_UNIT;
  return `${Math.round((bytes / unit.bytes) * 100) / 100}${unit.name}`;
}

/** Milliseconds for people: "16.0 s". */
export function formatSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
