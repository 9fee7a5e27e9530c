/** A score: one number out of a run. A family of them is one file, all of them one list (./scores.ts). */
import type { ScoreDescription } from "../comparing/comparison.ts";
import type { RunEvent, RunRecord } from "../run-record.ts";

export interface Score extends ScoreDescription {
  /** Null where it is not defined: a slow-down without a job, for one. Never NaN. */
  of(run: RunRecord): number | null;
}

export const GIB = 1024 ** 3;
export const HOUR = 3600;

export type EventOf<Kind extends RunEvent["kind"]> = Extract<RunEvent, { kind: Kind }>;

/** The events of one kind, in order. */
export function eventsOf<Kind extends RunEvent["kind"]>(run: RunRecord, kind: Kind): EventOf<Kind>[] {
  return run.events.filter((event): event is EventOf<Kind> => event.kind === kind);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : sum(values) / values.length;
}

/** The smallest value that is not exceeded by this part of all (nearest rank). */
export function percentile(values: readonly number[], part: number): number | null {
  const ascending = [...values].sort((a, b) => a - b);
  return ascending[Math.max(0, Math.ceil(part * ascending.length) - 1)] ?? null;
}
