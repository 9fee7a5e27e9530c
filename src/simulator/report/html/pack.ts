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
  const kept = keptMarks(marks, bounds.marks);
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
    marks: kept,
    marksLeftOut: marks.length - kept.length,
    decisions: decisions.map((decision) => pageDecision(decision, bounds.refusalsPerDecision)),
    decisionsLeftOut: (run.decisions?.length ?? 0) - decisions.length,
  };
  return { facts: deflated(JSON.stringify(facts, rounded)), memory: deflated(packFigures(figures, buckets)) };
}

const deflated = (content: string | Uint8Array) => deflateRawSync(content).toString("base64");

/** Those that moved something come before those that only closed a gate or found no room; in order of time. */
function keptDecisions(decisions: readonly DecisionRecord[], most: number): DecisionRecord[] {
  if (decisions.length <= most) return [...decisions];
  const moving = decisions.filter(({ moves }) => moves.length > 0);
  const others = decisions.filter(({ moves }) => moves.length === 0);
  return [...moving, ...others].slice(0, most).sort((a, b) => a.seconds - b.seconds);
}

/** Kills and evictions come before all else. */
function keptMarks(marks: readonly Mark[], most: number): Mark[] {
  if (marks.length <= most) return [...marks];
  const losses = marks.filter(({ kind }) => kind === "Kill" || kind === "Eviction");
  const others = marks.filter(({ kind }) => kind !== "Kill" && kind !== "Eviction");
  return [...losses, ...others].slice(0, most).sort((a, b) => a.at - b.at);
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
