/**
 * What the page is given, beside its own code: the comparison's figures as JSON, and each run packed (see ./pack.ts). Types only, so that
 * the browser's code (./page) is checked against them. Seconds since the run's start, bytes.
 */
import type { NodeFinding, PlannedMove, Refusal } from "../../../planning/decision.ts";
import type { Estimate, PairedDifference, ScoreDescription, Sweep, VariantResult } from "../../comparing/comparison.ts";
import type { MoveOutcome } from "../../run-record.ts";
import type { Conditions } from "../../scenario.ts";

export interface PageScore {
  estimate: Estimate | null;
  againstNone: Estimate | null;
}

export interface PageVariant extends Pick<VariantResult, "name" | "role" | "policy" | "parameters"> {
  scores: Record<string, PageScore>;
}

export interface PageRunName {
  variant: string;
  seed: number;
}

export interface PageData {
  scenario: { name: string; nodes: number; pods: number; endSeconds: number; reserveFraction: number };
  conditions: Conditions;
  seeds: number;
  seedsAsked: number;
  scores: ScoreDescription[];
  variants: PageVariant[];
  differences: PairedDifference[];
  sweeps: Sweep[];
  /** In the order of their packed blocks. */
  runs: PageRunName[];
}

export interface PageNode {
  name: string;
  capacityBytes: number;
  meanUsedBytes: number;
  peakUsedBytes: number;
}

interface MarkBase {
  /** When it began. */
  at: number;
  /** Index into {@link PageRun.decisions}: the evaluation that decided this. */
  decision?: number;
}

/** `node`, `from` and `to` are indices into {@link PageRun.nodes}. */
export type LossMark = MarkBase & {
  /** `LimitKill`: at the pod's own limit; `Kill`: its node was out of memory. */
  kind: "Kill" | "LimitKill" | "Eviction";
  node: number;
  pod: string;
  lostSeconds: number;
  lostByteSeconds: number;
};

export type MoveMark = MarkBase & {
  kind: "Move";
  /** Undefined: it was under way when the run ended. */
  end?: number;
  outcome?: MoveOutcome;
  frozenSeconds?: number;
  pod: string;
  from: number;
  to: number;
  bytes: number;
  policy: string;
  reason: string;
  message: string;
};

/** A stretch of time: a closed gate, or evaluations one after the other that found no room. */
export type StretchMark = MarkBase & {
  kind: "Gate" | "NodesFull";
  /** Undefined: until the run's end. */
  end?: number;
  node: number;
  policy: string;
  /** Of `NodesFull`: how many evaluations said so. */
  times?: number;
};

export type Mark = LossMark | MoveMark | StretchMark;

export interface PageDecision {
  seconds: number;
  moves: Pick<
    PlannedMove,
    "namespace" | "pod" | "from" | "to" | "bytes" | "policy" | "reason" | "message" | "expectedSeconds"
  >[];
  nodes: Pick<
    NodeFinding,
    "name" | "policy" | "capacityBytes" | "freeBytes" | "pressureBytes" | "outcome" | "reason" | "message"
  >[];
  refusals: Refusal[];
  /** Refusals beyond what the page holds. */
  refusalsLeftOut: number;
}

export interface PageRun {
  endSeconds: number;
  nodes: PageNode[];
  /** Each node has so many figures: the highest use in each stretch of `bucketSeconds`, of which the last may go beyond the end. */
  buckets: number;
  bucketSeconds: number;
  /** In order of time. */
  marks: Mark[];
  marksLeftOut: number;
  decisions: PageDecision[];
  decisionsLeftOut: number;
}
