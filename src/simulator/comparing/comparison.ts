/**
 * What a comparison found: every variant's scores over the same seeds, with intervals. This is the document that
 * `headroom simulate --json` writes: the same input gives the same bytes. Null: not known, or not defined.
 */
import type { RunRecord } from "../run-record.ts";
import type { Conditions } from "../scenario.ts";

/** Which way is an improvement; `Neither`: a figure to look at. */
export type Better = "Lower" | "Higher" | "Neither";

/** What a score is; without its function. */
export interface ScoreDescription {
  /** camelCase; the key in {@link VariantResult.scores}. */
  name: string;
  /** A column's heading. */
  title: string;
  /** `` for a count. */
  unit: string;
  better: Better;
  /** A sentence: what it counts, and what not. */
  doc: string;
}

/** Mean and its 95 % confidence interval over the seeds where it is defined. */
export interface Estimate {
  mean: number;
  /** Null with less than two values. */
  low: number | null;
  high: number | null;
  /** How many seeds it is made from. */
  seeds: number;
}

export interface ScoreResult {
  /** As {@link Comparison.seeds}; null where this run has no such score. */
  perSeed: (number | null)[];
  /** Null: no seed has it. */
  estimate: Estimate | null;
  /** This variant minus no policy at all, seed by seed; null for `none` itself and where not defined. */
  againstNone: Estimate | null;
}

/** A swept option, as written: `pressure.freeBelow`, `15%`. */
export interface Parameter {
  path: string;
  value: string;
}

/** Memory of one node, over the seeds: fractions of its capacity. */
export interface NodeUse {
  node: string;
  mean: number;
  /** The highest of any seed. */
  peak: number;
}

/** `None`: no policy at all; `Clairvoyant`: the planner that is given the true future; `Policy`: what was asked for. */
export type VariantRole = "None" | "Clairvoyant" | "Policy";

export interface VariantResult {
  /** Unique; `RunRecord.variant` of its runs. */
  name: string;
  role: VariantRole;
  /** The policy without its swept options; all points of a sweep share it. */
  policy: string;
  /** Empty without a sweep. */
  parameters: Parameter[];
  /** By {@link ScoreDescription.name}, every one of {@link Comparison.scores}. */
  scores: Record<string, ScoreResult>;
  nodes: NodeUse[];
}

/** One variant minus another, seed by seed. */
export interface PairedDifference {
  variant: string;
  minus: string;
  /** By score; null where not defined. */
  scores: Record<string, Estimate | null>;
}

export interface Sweep {
  path: string;
  /** In order, as written. */
  values: string[];
}

export interface Comparison {
  kind: "SimulationComparison";
  version: 1;
  scenario: { name: string; nodes: number; pods: number; endSeconds: number; reserveFraction: number };
  conditions: Conditions;
  /** The seeds that every variant has completed; less than asked for when it was interrupted. */
  seeds: number[];
  seedsAsked: number;
  /** In the order in which they are shown. */
  scores: ScoreDescription[];
  /** `none` first, `clairvoyant` second, then the policies as given. */
  variants: VariantResult[];
  /** Between policies, where they are not too many; any other is made from `perSeed`. */
  differences: PairedDifference[];
  sweeps: Sweep[];
}

/** What the reports are made from. */
export interface ComparisonReport {
  comparison: Comparison;
  /** One run of each variant with timeline and decisions, all of the first seed; none if not all variants have completed that seed. */
  runs: readonly RunRecord[];
}
