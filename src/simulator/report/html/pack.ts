/** A run as the page carries it: what a reader can ask about, within bounds, deflated and in base64. */
import { deflateRawSync } from "node:zlib";
import type { DecisionRecord, RunRecord } from "../../run-record.ts";
import { marksOf } from "./marks.ts";
import type { Mark, PageDecision, PageRun } from "./page-data.ts";
import { rounded } from "./rounded.ts";
import { packFigures, timelineOf } from "./timeline.ts";

/** What one run may take of the page. */
export interface RunBounds {
  /** Stretches of time for which each node has a figure. */
  buckets: number;
  marks: number;
  decisions: number;
  refusalsPerDecision: number;
}

/** Figures of all nodes and runs together: about a byte each in the page. */
const FIGURES_PER_PAGE = 10_000_000;
const DECISIONS_PER_PAGE = 60_000;
const MARKS_PER_PAGE = 300_000;
const REFUSALS_PER_PAGE = 300_000;

/** Shares the page's size among its runs. */
export function boundsFor(runs: readonly RunRecord[]): RunBounds {
  const rows = runs.reduce((sum, run) => sum + run.nodes.length, 0);
  const share = (total: number, most: number) => Math.min(most, Math.floor(total / Math.max(1, runs.length)));
  const decisions = share(DECISIONS_PER_PAGE, 5_000);
  const kept = runs.reduce((sum, run) => sum + Math.min(decisions, run.decisions?.length ?? 0), 0);
  return {
    buckets: Math.max(48, Math.min(1440, Math.floor(FIGURES_PER_PAGE / Math.max(1, rows)))),
    marks: share(MARKS_PER_PAGE, 30_000),
    decisions,
    refusalsPerDecision: Math.max(20, Math.min(200, Math.floor(REFUSALS_PER_PAGE / Math.max(1, kept)))),
  };
}

/** Two blocks of base64: the run's JSON ({@link PageRun}) and its nodes' memory. */
export interface PackedRun {
  facts: string;
  memory: string;
}

export function packRun(run: RunRecord, bounds: RunBounds): PackedRun {
  const { buckets, bucketSeconds, figures } = timelineOf(run, bounds.buckets);
  const decisions = keptDecisions(run.decisions ?? [], bounds.decisions);
  const marks = marksOf(run, decisions);
  const shown = keptMarks(marks, bounds.marks);
  const facts: PageRun = {
    endSeconds: run.endSeconds,
    nodes: run.nodes.map(({ node, capacityBytes, meanUsedBytes, peakUsedBytes }) => ({
      name: node,
      capacityBytes,
      meanUsedBytes: Math.round(meanUsedBytes),
      peakUsedBytes: Math.round(peakUsedBytes),
    })),
    buckets,
    bucketSeconds,
    marks: shown,
    marksLeftOut: marks.length - shown.length,
    decisions: decisions.map((decision) => pageDecision(decision, bounds.refusalsPerDecision)),
    decisionsLeftOut: (run.decisions?.length ?? 0) - decisions.length,
  };
  return { facts: deflated(JSON.stringify(facts, rounded)), memory: deflated(packFigures(figures, buckets)) };
}

const deflated = (content: string | Uint8Array) => deflateRawSync(content).toString("base64");

/** Those that moved something come before those that only closed a gate or found no room. */
function keptDecisions(decisions: readonly DecisionRecord[], most: number): DecisionRecord[] {
  return keptByRank(decisions, most, ({ moves }) => (moves.length > 0 ? 0 : 1));
}

const MARK_RANKS: Partial<Record<Mark["kind"], number>> = { Kill: 0, Eviction: 0, Gate: 1 };

/** Kills and evictions come before all else, then closed gates. */
function keptMarks(marks: readonly Mark[], most: number): Mark[] {
  return keptByRank(marks, most, ({ kind }) => MARK_RANKS[kind] ?? 2);
}

/** At most so many, in their order: all of the lowest ranks, and of the rank that no longer fits some from beginning to end. */
function keptByRank<T>(all: readonly T[], most: number, rankOf: (one: T) => number): T[] {
  if (all.length <= most) return [...all];
  const chosen = new Set<T>();
  for (const rank of new Set(all.map(rankOf).sort())) {
    const ofRank = all.filter((one) => rankOf(one) === rank);
    for (const one of thinned(ofRank, most - chosen.size)) chosen.add(one);
  }
  return all.filter((one) => chosen.has(one));
}

/** So many of a list, at even distances; its last one is always among them. */
function thinned<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  const before = (count: number) => Math.floor((count * most) / list.length);
  return list.filter((_, index) => before(index + 1) > before(index));
}

function pageDecision({ seconds, moves, nodes, refusals }: DecisionRecord, mostRefusals: number): PageDecision {
  return {
    seconds,
    moves: moves.map(({ namespace, pod, from, to, bytes, policy, reason, message, expectedSeconds }) => {
      return { namespace, pod, from, to, bytes, policy, reason, message, expectedSeconds };
    }),
    nodes: nodes.map(({ name, policy, capacityBytes, freeBytes, pressureBytes, outcome, reason, message }) => {
      return { name, policy, capacityBytes, freeBytes, pressureBytes, outcome, reason, message };
    }),
    refusals: refusals.slice(0, mostRefusals),
    refusalsLeftOut: Math.max(0, refusals.length - mostRefusals),
  };
}
