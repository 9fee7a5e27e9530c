/** Generated series with a seed: the same on every machine. */
import type { Series } from "../../../src/planning/snapshot.ts";

export const GIB = 2 ** 30;
export const START_MS = Date.UTC(2026, 0, 1);
export const STEP_SECONDS = 15;

/** Uniform in [0, 1): a linear congruential generator (Numerical Recipes' constants), good enough to shake a test. */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Normal with mean 0 and deviation 1 (sum of twelve). */
export function normalFrom(random: () => number): () => number {
  return () => Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
}

export type Shape = (index: number, normal: () => number) => number;

/** `shape` in bytes by index; may keep its own state. */
export function generate(length: number, shape: Shape, seed: number): Series {
  const normal = normalFrom(randomFrom(seed));
  const timesMs = Float64Array.from({ length }, (_, index) => START_MS + index * STEP_SECONDS * 1000);
  return { timesMs, bytes: Float64Array.from(timesMs, (_, index) => Math.max(0, shape(index, normal))) };
}

export const SHAPES: Record<string, () => Shape> = {
  "steady with noise": () => (_, normal) => 10 * GIB + 0.2 * GIB * normal(),
  "growing with noise": () => (index, normal) => 2 * GIB + index * 0.02 * GIB + 0.2 * GIB * normal(),
  "growth that comes and goes": () => {
    let bytes = 10 * GIB;
    return (index, normal) => {
      bytes += (Math.floor(index / 90) % 2 === 0 ? 0.04 : -0.035) * GIB;
      return bytes + 0.1 * GIB * normal();
    };
  },
  "growing ever faster": () => (index, normal) => 5 * GIB + 4e-5 * index ** 2 * GIB + 0.1 * GIB * normal(),
  "noise that doubles every 100 samples": () => (index, normal) =>
    20 * GIB + 0.05 * GIB * 2 ** (index / 100) * normal(),
  "random walk": () => {
    let bytes = 20 * GIB;
    return (_, normal) => {
      bytes = Math.max(0, bytes + 0.1 * GIB * normal());
      return bytes;
    };
  },
  "daily-like wave": () => (index, normal) => (10 + 4 * Math.sin(index / 40)) * GIB + 0.1 * GIB * normal(),
  sawtooth: () => (index, normal) => (5 + (index % 60) * 0.05) * GIB + 0.05 * GIB * normal(),
};

/** The samples from `from` to `to`, exclusive. */
export function windowOf(series: Series, from: number, to: number): Series {
  return { timesMs: series.timesMs.subarray(from, to), bytes: series.bytes.subarray(from, to) };
}
