/** Reports as a comparison makes them, without simulating: memory that waves, kills where it tops, moves and decisions in between. */

import type {
  Comparison,
  ComparisonReport,
  Estimate,
  VariantResult,
} from "../../../src/simulator/comparing/comparison.ts";
import type { DecisionRecord, RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";
import { SCORE_DESCRIPTIONS, scoreRun } from "../../../src/simulator/scores/scores.ts";

const GIB = 1024 ** 3;

export interface Fabrication {
  nodes?: number;
  hours?: number;
  tickSeconds?: number;
  policies?: string[];
  /** Values of `pressure.freeBelow`; each policy has a variant for each. */
  swept?: string[];
  scenario?: string;
  /** The name of the pod that all is about. */
  pod?: string;
  node?: (index: number) => string;
}

export function fabricatedReport(fabrication: Fabrication = {}): ComparisonReport {
  const { policies = ["threshold", "forecast"], swept = [], scenario = "generated" } = fabrication;
  const variants = [
    { name: "none", role: "None" as const, policy: "none", parameters: [] },
    { name: "clairvoyant", role: "Clairvoyant" as const, policy: "clairvoyant", parameters: [] },
    ...policies.flatMap((policy) => variantsOf(policy, swept)),
  ];
  const runs = variants.map(({ name }, index) => fabricatedRun(name, index, fabrication));
  const comparison: Comparison = {
    kind: "SimulationComparison",
    version: 1,
    scenario: {
      name: scenario,
      nodes: fabrication.nodes ?? 10,
      pods: (fabrication.nodes ?? 10) * 20,
      endSeconds: (fabrication.hours ?? 4) * 3600,
      reserveFraction: 0.05,
    },
    conditions: DEFAULT_CONDITIONS,
    seeds: [1, 2, 3],
    seedsAsked: 3,
    scores: [...SCORE_DESCRIPTIONS],
    variants: variants.map((variant, index) => fabricatedVariant(variant, index, runs[index])),
    differences: [],
    sweeps: swept.length > 0 ? [{ path: "pressure.freeBelow", values: swept }] : [],
  };
  return { comparison, runs };
}

function variantsOf(policy: string, swept: string[]) {
  if (swept.length === 0) return [{ name: policy, role: "Policy" as const, policy, parameters: [] }];
  return swept.map((value) => ({
    name: `${policy} pressure.freeBelow=${value}`,
    role: "Policy" as const,
    policy,
    parameters: [{ path: "pressure.freeBelow", value }],
  }));
}

type Named = Pick<VariantResult, "name" | "role" | "policy" | "parameters">;

function fabricatedVariant(variant: Named, index: number, run: RunRecord | undefined): VariantResult {
  const figures = run === undefined ? {} : scoreRun(run);
  const scores = SCORE_DESCRIPTIONS.map(({ name }, at) => {
    const figure = figures[name] ?? null;
    const spread = (figure ?? 0) * 0.15 + 0.4;
    const difference =
      variant.role === "None" || figure === null ? null : interval(((at % 3) - 1) * (index + 1) * 2, 1.5);
    return [
      name,
      {
        perSeed: [figure, figure, figure],
        estimate: figure === null ? null : interval(figure, spread),
        againstNone: difference,
      },
    ];
  });
  return { ...variant, scores: Object.fromEntries(scores), nodes: [] };
}

const interval = (mean: number, spread: number): Estimate => ({
  mean,
  low: mean - spread,
  high: mean + spread,
  seeds: 3,
});

/** A sequence of numbers from 0 to 1 that is the same every time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function fabricatedRun(variant: string, index: number, fabrication: Fabrication = {}): RunRecord {
  const {
    nodes = 10,
    hours = 4,
    tickSeconds = 10,
    pod = "default/worker",
    node = (at) => `node-${at + 1}`,
  } = fabrication;
  const endSeconds = hours * 3600;
  const recordedSeconds = Float64Array.from({ length: endSeconds / tickSeconds }, (_, at) => at * tickSeconds);
  const next = numbers(index + 1);
  const capacityBytes = 64 * GIB;
  const events: RunEvent[] = [];
  const decisions: DecisionRecord[] = [];
  const records = Array.from({ length: nodes }, (_, at) => {
    const usedBytes = walk(recordedSeconds, next, capacityBytes, (seconds) => {
      if (index === 0 || next() < 0.1) events.push(killed(`${pod}-${at}`, node(at), seconds, index));
      else relieve(at, seconds);
    });
    return {
      node: node(at),
      capacityBytes,
      meanUsedBytes: usedBytes.reduce((sum, used) => sum + used, 0) / usedBytes.length,
      peakUsedBytes: usedBytes.reduce((most, used) => Math.max(most, used), 0),
      aboveReserveByteSeconds: 0,
      usedBytes,
    };
  });

  function relieve(at: number, seconds: number): void {
    const to = node((at + 1 + Math.floor(next() * (nodes - 1))) % nodes);
    const decision = decisionFor(`${pod.split("/")[1] ?? pod}-${at}`, node(at), to, seconds, variant);
    const [move] = decision.moves;
    if (move === undefined) return;
    decisions.push(decision);
    const facts = { pod: `${move.namespace}/${move.pod}`, from: move.from, to, bytes: move.bytes };
    events.push({ kind: "MoveStarted", seconds, ...facts, policy: variant, move });
    const outcome = next() < 0.1 ? "RolledBack" : "Succeeded";
    events.push({ kind: "MoveEnded", seconds: seconds + 40, ...facts, outcome, frozenSeconds: 22, tookSeconds: 40 });
    events.push({ kind: "GateClosed", seconds, node: node(at), policy: variant });
    events.push({ kind: "GateOpened", seconds: seconds + 900, node: node(at), policy: variant });
    if (next() < 0.2) events.push({ kind: "NodesFull", seconds: seconds + 60, node: node(at), policy: variant });
  }

  events.sort((a, b) => a.seconds - b.seconds);
  decisions.sort((a, b) => a.seconds - b.seconds);
  return {
    variant,
    seed: 1,
    endSeconds,
    events,
    pods: [],
    nodes: records,
    reserve: 0.05,
    evaluations: endSeconds / 60,
    recordedSeconds,
    decisions,
  };
}

/** Memory that grows and ebbs; at 96 % `relieved` is told and a part is gone. */
function walk(
  seconds: Float64Array,
  next: () => number,
  capacity: number,
  relieved: (seconds: number) => void,
): Float64Array {
  let used = capacity * (0.3 + 0.4 * next());
  let growth = capacity * 0.001 * next();
  return seconds.map((at) => {
    if (next() < 0.01) growth = capacity * 0.004 * (next() - 0.4);
    used = Math.max(capacity * 0.05, used + growth + capacity * 0.004 * (next() - 0.5));
    const before = used;
    if (used > capacity * 0.96) {
      relieved(Math.round(at / 60) * 60);
      used *= 0.7;
    }
    return Math.min(before, capacity);
  });
}

function killed(pod: string, node: string, seconds: number, index: number): RunEvent {
  const lost = { seconds: 1800, byteSeconds: 1800 * GIB };
  if (index % 2 === 1) return { kind: "Evicted", seconds, pod, node, lost };
  return { kind: "Killed", seconds, pod, node, cause: "NodeOutOfMemory", lost };
}

function decisionFor(pod: string, from: string, to: string, seconds: number, policy: string): DecisionRecord {
  const move = {
    namespace: "default",
    pod,
    podUID: `${pod}-uid`,
    lineage: pod,
    from,
    to,
    bytes: 12 * GIB,
    policy,
    startAtMs: seconds * 1000,
    expectedSeconds: 42,
    reason: "NodeShortOfMemory",
    message: `Node ${from} has 2.6 GiB free and must free 3.8 GiB; ${pod} is the biggest pod that may move, and ${to} has room for it.`,
  };
  const nodes = [
    {
      name: from,
      policy,
      capacityBytes: 64 * GIB,
      freeBytes: 2.6 * GIB,
      pressureBytes: 3.8 * GIB,
      outcome: "Moves" as const,
      reason: "PodsSelected",
      message: `Less than 10 % of ${from} is free.`,
    },
  ];
  const refusals = Array.from({ length: 12 }, (_, at) => ({
    policy,
    from,
    namespace: "default",
    pod: `${pod}-sibling-${at}`,
    ...(at % 2 === 0 ? { node: to } : {}),
    reason: at % 2 === 0 ? "NotEnoughRoom" : "NotSelected",
    message:
      at % 2 === 0 ? `${to} would have 1.2 GiB free, less than freeBelow and margin.` : "The strategy took others.",
  }));
  return { seconds, moves: [move], nodes, refusals };
}
