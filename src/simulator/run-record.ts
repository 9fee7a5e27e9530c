/** What a simulated run left behind: all that scores and reports are made from. Seconds since its start, bytes. */
import type { NodeFinding, PlannedMove, Refusal } from "../planning/decision.ts";

/** A pod is named `namespace/name`. */
export type RunEvent =
  | { kind: "Scheduled"; seconds: number; pod: string; node: string }
  | { kind: "Finished"; seconds: number; pod: string; node: string }
  /** `NodeOutOfMemory`: the kernel chose it; `OverLimit`: its own limit. */
  | {
      kind: "Killed";
      seconds: number;
      pod: string;
      node: string;
      cause: "NodeOutOfMemory" | "OverLimit";
      lost: LostWork;
    }
  | { kind: "Evicted"; seconds: number; pod: string; node: string; lost: LostWork }
  | {
      kind: "MoveStarted";
      seconds: number;
      pod: string;
      from: string;
      to: string;
      bytes: number;
      policy: string;
      move: PlannedMove;
    }
  | {
      kind: "MoveEnded";
      seconds: number;
      pod: string;
      from: string;
      to: string;
      bytes: number;
      outcome: MoveOutcome;
      frozenSeconds: number;
      tookSeconds: number;
    }
  | { kind: "GateClosed" | "GateOpened"; seconds: number; node: string; policy: string }
  /** A node is short, pods should leave it, and no node has room; once for each evaluation that says so. */
  | { kind: "NodesFull"; seconds: number; node: string; policy: string };

/** `Lost`: the pod was killed or its target's memory ran out while it moved. */
export type MoveOutcome = "Succeeded" | "RolledBack" | "Lost";

/** What a restart throws away. */
export interface LostWork {
  /** Seconds of work. */
  seconds: number;
  /** Memory that was held, over that work. */
  byteSeconds: number;
}

export interface PodRecord {
  pod: string;
  arrivalSeconds: number;
  /** When it was first on a node; undefined: never. */
  scheduledSeconds: number | undefined;
  finishedSeconds: number | undefined;
  /** Undefined: it never finishes by itself. */
  durationSeconds: number | undefined;
  /** Work done by the end, lost work not counted. */
  workedSeconds: number;
}

export interface NodeRecord {
  node: string;
  capacityBytes: number;
  meanUsedBytes: number;
  peakUsedBytes: number;
  /** Use above capacity minus the scenario's reserve, over time. */
  aboveReserveByteSeconds: number;
  /** The highest use in each of the stretches that begin at `RunRecord.recordedSeconds`; absent unless a timeline was asked for. */
  usedBytes?: Float64Array;
}

/** How one evaluation decided, kept where it started a move, closed a gate or found no room. */
export interface DecisionRecord {
  seconds: number;
  moves: PlannedMove[];
  /** Pressured nodes only. */
  nodes: NodeFinding[];
  refusals: Refusal[];
}

/**
 * How well a node's memory was foreseen at the horizon of the policy's forecast; sums over nodes and evaluations. Where a cruder bound shows that
 * a node is safe no forecast is made; one that a move changed before the horizon is not held against it.
 */
export interface ForecastRecord {
  confidence: number;
  foreseen: number;
  /** Of them, memory stayed at or below the bound. */
  covered: number;
  /** Sum of the pinball losses of the bound at `confidence`, in bytes. */
  pinballByteSum: number;
}

export interface RunRecord {
  /** The variant's name: a policy file's, `none` or `clairvoyant`. */
  variant: string;
  seed: number;
  endSeconds: number;
  /** In order of time; ties in the order in which they happened. */
  events: RunEvent[];
  pods: PodRecord[];
  nodes: NodeRecord[];
  /** Free memory below this counts as above reserve; part of a node's capacity. */
  reserve: number;
  evaluations: number;
  forecast?: ForecastRecord;
  /** From 0 on in equal steps, before the end: each stretch lasts until the next one begins, the last one until the end. */
  recordedSeconds?: Float64Array;
  decisions?: DecisionRecord[];
}
