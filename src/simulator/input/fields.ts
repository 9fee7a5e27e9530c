/** Fields of the simulator's own files: quantities, durations and fractions as people write them, or plain numbers. */
import { z } from "zod";
import { parseDuration, parsePercent, parseResourceQuantity } from "../../api/quantity.ts";
import { field } from "../../api/v1alpha1/cluster-snapshot.ts";

const isCount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

/** 8Ei, where Kubernetes' own quantities end: what is summed up of less stays a number. */
const MOST_BYTES = 2 ** 63;

export const isBytes = (value: unknown): value is number => isCount(value) && value <= MOST_BYTES;

/** Of what {@link isBytes} refuses: what is there. */
export function notBytes(written: unknown, bytes: unknown): string {
  const isTooMuch = typeof bytes === "number" && bytes > MOST_BYTES;
  return `not ${JSON.stringify(written)}${isTooMuch ? ", which is more than 8Ei" : ""}`;
}

export function parseBytes(value: unknown): number | undefined {
  const bytes = typeof value === "string" ? parseResourceQuantity(value) : value;
  return isBytes(bytes) ? bytes : undefined;
}

export function parseSeconds(value: unknown): number | undefined {
  const seconds = typeof value === "string" ? parseDuration(value) : value;
  return isCount(seconds) ? seconds : undefined;
}

function parseFraction(value: unknown): number | undefined {
  const fraction = typeof value === "string" ? parsePercent(value) : value;
  return isCount(fraction) && fraction <= 1 ? fraction : undefined;
}

function parseFactor(value: unknown): number | undefined {
  const percent = typeof value === "string" ? /^([0-9]+(?:\.[0-9]+)?)%$/.exec(value)?.[1] : undefined;
  const factor = percent === undefined ? value : Number.parseFloat(percent) / 100;
  return isCount(factor) ? factor : undefined;
}

const positive = (parse: (value: unknown) => number | undefined) => (value: unknown) => {
  const number = parse(value);
  return number !== undefined && number > 0 ? number : undefined;
};

/** Bytes. */
export const bytesField = field(parseBytes, "a quantity such as 4Gi, or a number of bytes from 0 on");
/** Bytes, more than none. */
export const sizeField = field(positive(parseBytes), "a quantity above 0 such as 4Gi, or a number of bytes");
/** Seconds. */
export const secondsField = field(parseSeconds, "a duration such as 10m, or a number of seconds from 0 on");
/** Seconds, more than none. */
export const spanField = field(positive(parseSeconds), "a duration above 0 such as 10m, or a number of seconds");
/** 0 to 1. */
export const fractionField = field(parseFraction, "a part such as 30% or 0.3");
/** 0 or more. */
export const factorField = field(parseFactor, "a factor such as 0.5 or 50%");
/** Above 0. */
export const shapeField = field(positive(parseFactor), "a number above 0");

export const labelsField = z.record(z.string(), z.string());
