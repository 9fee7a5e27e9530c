/**
 * Which nodes get their turn to be prepared, which takes a restart of their containerd: one canary, then a share of the nodes at a time, and no
 * more after a failure. Pure.
 */
import type { Turn } from "../../agent/protocol.ts";

/** How many nodes may be prepared concurrently, rounded down; one always may. */
export type Share = { count: number } | { fraction: number };

export interface Candidate {
  node: string;
  /** Of the DaemonSet whose pod the agent is: a failure counts for agents of the same version and settings. Undefined: not known, so for all. */
  revision: string | undefined;
  /** As the agent last told. Undefined: it has told nothing yet. */
  turn: Turn | undefined;
  /** The runtime handler is in its running containerd. */
  handlerInstalled: boolean;
  /** Why it can get no turn now, whatever the others do. */
  hindrance: string | undefined;
}

export interface Failure {
  node: string;
  message: string;
}

export interface RollOut {
  /** They get their turn now. */
  turns: string[];
  /** They stop it, for agents of their own revision. */
  failures: Failure[];
  /** Why each of the others that wait gets none now. */
  waits: ReadonlyMap<string, string>;
}

/** @param candidates all nodes with an agent, each once. */
export function decideTurns(candidates: readonly Candidate[], share: Share): RollOut {
  const turns: string[] = [];
  const waits = new Map<string, string>();
  const waiting = candidates.filter(({ turn }) => turn?.state === "waiting");
  for (const candidate of waiting.sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const why = whyNot(candidate, candidates, turns, share);
    if (why === undefined) turns.push(candidate.node);
    else waits.set(candidate.node, why);
  }
  return { turns, failures: candidates.flatMap(failureOf), waits };
}

function whyNot(
  candidate: Candidate,
  all: readonly Candidate[],
  turns: readonly string[],
  share: Share,
): string | undefined {
  const alike = all.filter(({ revision }) => revision === undefined || revision === candidate.revision);
  const [failure] = alike.flatMap(failureOf);
  if (failure) return `the roll-out has stopped, because node ${failure.node} could not be prepared`;
  if (candidate.hindrance !== undefined) return candidate.hindrance;
  const busy = [...turns, ...all.flatMap(({ node, turn }) => (turn?.state === "preparing" ? [node] : []))];
  if (busy.length === 0) return undefined;
  if (!alike.some(isPrepared)) return `node ${busy[0]} is the first to be prepared`;
  const most = nodesOf(share, all.length);
  return busy.length < most ? undefined : `at most ${most} of ${all.length} nodes are prepared at a time`;
}

function failureOf({ node, turn }: Candidate): Failure[] {
  return turn?.state === "failed" ? [{ node, message: turn.message }] : [];
}

const isPrepared = ({ turn, handlerInstalled }: Candidate): boolean => turn?.state === "none" && handlerInstalled;

/** 0.29 × 100 is a little less than 29. */
const ROUNDING = 1e-9;
const nodesOf = (share: Share, nodes: number): number =>
  Math.max(1, "count" in share ? share.count : Math.floor(share.fraction * nodes + ROUNDING));
