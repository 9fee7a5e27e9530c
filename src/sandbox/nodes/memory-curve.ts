/**
 * How much memory a simulated process uses after so much work, from the pod's annotation:
 *   sandbox.headroom.dev/memory: "0s=300Mi, 40s=2Gi"     straight lines between the points, level after the last
 *   sandbox.headroom.dev/runs-for: 90s                   then it exits with 0; absent: it runs for ever
 *   sandbox.headroom.dev/files: 100Mi                    what its files weigh; absent: nothing
 */
import { quantityValue } from "../api-server/cel-rules.ts";
import type { ApiObject } from "../api-server/json.ts";

export const MEMORY_ANNOTATION = "sandbox.headroom.dev/memory";
export const RUNS_FOR_ANNOTATION = "sandbox.headroom.dev/runs-for";

export const FILES_ANNOTATION = "sandbox.headroom.dev/files";

const DEFAULT_BYTES = 64 * 2 ** 20;

interface Point {
  workMs: number;
  bytes: number;
}

export type MemoryCurve = (workMs: number) => number;

/** Throws when the text is none. */
export function memoryCurve(text: string | undefined): MemoryCurve {
  const points = (text ?? "").split(",").flatMap((part) => (part.trim() === "" ? [] : [point(part.trim())]));
  const [first] = points;
  if (first === undefined) return () => DEFAULT_BYTES;
  return (workMs) => {
    const next = points.findIndex((p) => p.workMs > workMs);
    const before = points.at(next === -1 ? -1 : next - 1) ?? first;
    const after = points[next];
    if (next <= 0 || after === undefined) return next === 0 ? first.bytes : before.bytes;
    const share = (workMs - before.workMs) / (after.workMs - before.workMs);
    return Math.round(before.bytes + share * (after.bytes - before.bytes));
  };
}

function point(text: string): Point {
  const [time = "", quantity = ""] = text.split("=").map((side) => side.trim());
  const workMs = durationMs(time);
  const bytes = quantityValue(quantity);
  if (workMs === undefined || bytes === undefined) throw new Error(`${MEMORY_ANNOTATION}: not a point: ${text}`);
  return { workMs, bytes };
}

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 };

/** `90s`, `1.5m`, `2h` in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([smh])$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0) : undefined;
}

/** Bytes of the pod's writable layer and emptyDirs. */
export const filesBytesOf = ({ metadata }: ApiObject): number =>
  quantityValue(metadata.annotations?.[FILES_ANNOTATION] ?? "0") ?? 0;
