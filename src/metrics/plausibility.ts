/** Judges raw figures before they become samples. Whatever is doubtful is rejected with a reason, never rounded to something harmless. */
import type { RejectionReason } from "./source.ts";

/** What an agent says of a node at one moment. Bytes; absent where it says nothing. */
export interface NodeFigures {
  /** Left before the kubelet evicts or the kernel kills. */
  availableBytes?: number;
  workingSetBytes?: number;
  /** 0–100, of the node's memory. */
  availablePercent?: number;
  /** Used without caches, of a total as the agent sees it; both or none. */
  usedOfTotal?: { usedBytes: number; totalBytes: number };
}

export type Judgement = { ok: true; usedBytes: number } | { ok: false; reason: RejectionReason };

/** Agents and the API server read a node's size at different places: so much above it is still believed. */
const CAPACITY_SLACK = 1.05;

/**
 * A node's use is capacity − available, the kubelet's own eviction signal. Of several figures for one moment the fullest counts.
 * A node always uses something: zero is what agents write for a figure they don't have.
 */
export function judgeNode(figures: NodeFigures, capacityBytes: number): Judgement {
  if (hasNegative(figures)) return { ok: false, reason: "Implausible" };
  const used = usesOf(figures, capacityBytes);
  if (used.length === 0) return { ok: false, reason: "Missing" };
  return judge(Math.max(...used), Math.min(...used), capacityBytes);
}

/** A running container always uses something: zero is a figure that is missing. */
export function judgeContainer(bytes: number, nodeCapacityBytes: number): Judgement {
  if (bytes === 0) return { ok: false, reason: "Missing" };
  return judge(bytes, bytes, nodeCapacityBytes);
}

/** May a sample of this moment be used at all? Undefined when it may. */
export function judgeTime(
  timeMs: number,
  limits: { nowMs: number; futureToleranceMs: number; startedAtMs?: number | undefined },
): RejectionReason | undefined {
  if (!Number.isFinite(timeMs)) return "Implausible";
  if (timeMs > limits.nowMs + limits.futureToleranceMs) return "Future";
  return limits.startedAtMs !== undefined && timeMs < limits.startedAtMs ? "BeforeStart" : undefined;
}

function hasNegative({ availableBytes, workingSetBytes, availablePercent, usedOfTotal }: NodeFigures): boolean {
  const raw = [availableBytes, workingSetBytes, availablePercent, usedOfTotal?.usedBytes, usedOfTotal?.totalBytes];
  return raw.some((figure) => figure !== undefined && figure < 0);
}

function usesOf(figures: NodeFigures, capacityBytes: number): number[] {
  const { availableBytes, workingSetBytes, availablePercent, usedOfTotal } = figures;
  if (workingSetBytes === 0 && !availableBytes) return [];
  const used: number[] = [];
  if (availableBytes !== undefined) used.push(capacityBytes - availableBytes);
  if (workingSetBytes !== undefined && workingSetBytes !== 0) used.push(workingSetBytes);
  if (availablePercent !== undefined) used.push(capacityBytes * (1 - availablePercent / 100));
  if (usedOfTotal !== undefined) used.push((capacityBytes * usedOfTotal.usedBytes) / usedOfTotal.totalBytes);
  return used;
}

function judge(most: number, least: number, capacityBytes: number): Judgement {
  // NaN fails both comparisons, in either figure (Math.max and Math.min hand it on).
  const plausible = least > 0 && most <= capacityBytes * CAPACITY_SLACK;
  return plausible ? { ok: true, usedBytes: most } : { ok: false, reason: "Implausible" };
}
