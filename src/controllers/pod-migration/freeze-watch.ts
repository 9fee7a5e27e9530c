/**
 * What becomes of a freeze while it lasts. Pure: how far the transfer is, what the pod's liveness probe and the move's time limit still
 * allow, and so whether to go on, to let the target start, to expect a longer freeze, or to resume the source while that still saves it.
 */
import type { FreezeLimits, MoveRecord } from "../../agent/protocol.ts";
import { admitted, formatBytes, formatSeconds, parseDuration } from "../../api/quantity.ts";
import type { FreezeStatus } from "../../api/v1alpha1/pod-migration.ts";
import type { Refusal } from "./dependencies.ts";
import { POD_START_MS } from "./pace.ts";
import { type Move, sizeOf } from "./run.ts";
import { enteredAtMs } from "./status.ts";

export type Progress = NonNullable<MoveRecord["progress"]>;

/** A transfer is given up when nothing of it has arrived for this time. */
const STALLED_MS = 60_000;
/** What CRIU writes before the first page: a transfer has begun when more than this has arrived. */
const PREAMBLE_BYTES = 64 * 1024;
/** On a node that is out of breath it takes CRIU this long, at the most, from the pause to the first page. */
const BEGIN_MS = 30_000;
/** From its begin on, until then the transfer's rate tells how long it will take: TCP has found its pace. */
const TELLING_MS = 5_000;
/** It is given up early only when it would be late by more than its rate may waver. */
const WAVER = 1.1;
/** The expectation is raised when it was wrong by this factor. */
const WRONG = 1.5;
/** Between the decision to resume a source and its first instruction: a look, a write to the API, the end of CRIU. */
const MOST_RESUME_MS = 5_000;

/** How long a freeze may last before the source must be resumed for its liveness probe, milliseconds from the pause on. */
export function survivableMs(forgivenMs: number): number {
  return forgivenMs - Math.min(MOST_RESUME_MS, forgivenMs / 3);
}

/** The end of a freeze that nothing can extend: in milliseconds from its begin, and what to do about it. */
export interface Allowance {
  ms: number;
  reason: "LivenessWouldFail" | "TimedOut";
  /** Ends a sentence: what allows no more, and what to change. */
  because: string;
}

export function allowanceOf(move: Move, nowMs: number): Allowance {
  const { startTime } = move.status;
  const timeoutMs = admitted(parseDuration, move.spec.timeout) * 1000;
  const spentMs = frozenSinceMs(move, nowMs) - (startTime === undefined ? nowMs : Date.parse(startTime));
  const byTimeout: Allowance = {
    ms: timeoutMs - spentMs,
    reason: "TimedOut",
    because: `the move may take ${move.spec.timeout} in all (spec.timeout); a longer one needs a higher spec.timeout`,
  };
  const byLiveness = livenessAllowance(move);
  return byLiveness !== undefined && byLiveness.ms <= byTimeout.ms ? byLiveness : byTimeout;
}

/** As long as no copy is held, the source is resumed while its liveness probe still lets it live. */
export function livenessWouldFail(move: Move, nowMs: number): Refusal | undefined {
  const allowance = livenessAllowance(move);
  return allowance && pastAllowance(allowance, nowMs - frozenSinceMs(move, nowMs));
}

/** Undefined: the pod has no liveness probe. */
function livenessAllowance({ status }: Move): Allowance | undefined {
  const forgivenMs = status.freeze?.forgivenMilliseconds;
  if (forgivenMs === undefined) return undefined;
  return {
    ms: survivableMs(forgivenMs),
    reason: "LivenessWouldFail",
    because: `the liveness probe forgives ${formatSeconds(forgivenMs)}, the resume included; a longer freeze needs a higher failureThreshold or periodSeconds of the probe`,
  };
}

/** For the source's agent, which measures the link before the freeze. */
export function freezeLimits(move: Move, nowMs: number): FreezeLimits {
  const { ms } = allowanceOf(move, nowMs);
  return {
    expectedMs: move.status.freeze?.expectedMilliseconds ?? 0,
    allowedMs: ms - (nowMs - frozenSinceMs(move, nowMs)),
    filesBytes: sizeOf(move).filesBytes,
  };
}

/** The phase is written before the pause: so this is never later than the freeze's begin, whatever the nodes' clocks say. */
export function frozenSinceMs(move: Move, nowMs: number): number {
  return enteredAtMs(move.status, "Frozen") ?? nowMs;
}

/** A resume at this moment still saves the source; later ones may not. */
function pastAllowance({ ms, reason, because }: Allowance, frozenForMs: number): Refusal | undefined {
  if (frozenForMs <= ms) return undefined;
  return { reason, message: `the pod has been frozen for up to ${formatSeconds(frozenForMs)}: ${because}` };
}

export interface FreezeView {
  nowMs: number;
  sinceMs: number;
  expected: FreezeStatus;
  allowance: Allowance;
  /** As the target's agent tells; undefined: it doesn't. */
  progress: Progress | undefined;
  /** When the source was first seen to be paused; undefined: it is not yet, and runs. */
  pausedAtMs?: number | undefined;
  /** When the transfer was first seen to have begun; undefined: it has not. */
  begunAtMs?: number | undefined;
  /** When it was first seen to have sent as much as now. */
  grewAtMs: number;
}

/** Pages have come, not only what goes before them. */
export function hasBegun({ sentBytes, totalBytes }: Progress): boolean {
  return sentBytes >= Math.min(PREAMBLE_BYTES, totalBytes);
}

export type FreezeVerdict =
  | { kind: "goOn" }
  /** The target's pod may start: the transfer is almost over. */
  | { kind: "letGo" }
  /** Record the new expectation: time limits and the gate follow it. */
  | { kind: "expectLonger"; freeze: FreezeStatus }
  | ({ kind: "rollBack" } & Refusal);

export function judgeFreeze(view: FreezeView): FreezeVerdict {
  const frozenForMs = view.nowMs - view.sinceMs;
  const refusal = pastAllowance(view.allowance, frozenForMs) ?? inVain(view, frozenForMs) ?? stalled(view);
  if (refusal !== undefined) return { kind: "rollBack", ...refusal };
  const longer = slowerThanExpected(view, frozenForMs);
  if (longer !== undefined) return longer;
  return remainingMs(view, frozenForMs) <= POD_START_MS ? { kind: "letGo" } : { kind: "goOn" };
}

/** It cannot end in time, not even at the better of the rates that it has shown. */
function inVain(view: FreezeView, frozenForMs: number): Refusal | undefined {
  const { allowance, progress, pausedAtMs = view.nowMs, begunAtMs, nowMs } = view;
  const sentForMs = nowMs - (begunAtMs ?? pausedAtMs);
  if (progress === undefined || sentForMs < (begunAtMs === undefined ? BEGIN_MS : TELLING_MS)) return undefined;
  const endMs = frozenForMs + sendingMs(progress, sentForMs);
  if (endMs <= WAVER * allowance.ms) return undefined;
  const { sentBytes, totalBytes } = progress;
  const sent = `${formatBytes(sentBytes)} of ${formatBytes(totalBytes)} sent in ${formatSeconds(frozenForMs)}`;
  const whole = Number.isFinite(endMs)
    ? `the freeze would take ${formatSeconds(endMs)}`
    : "the freeze would not end in time";
  return { reason: allowance.reason, message: `${sent}: ${whole}, but ${allowance.because}` };
}

function stalled({ progress, grewAtMs, nowMs }: FreezeView): Refusal | undefined {
  if (progress === undefined || progress.sentBytes >= progress.totalBytes) return undefined;
  if (nowMs - grewAtMs < STALLED_MS) return undefined;
  const { sentBytes, totalBytes } = progress;
  const message = `nothing has been sent for ${formatSeconds(nowMs - grewAtMs)}, after ${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`;
  return { reason: "TransferStalled", message };
}

/** By the mean rate so far: limits that follow from it let a transfer end that makes progress. One that stalls gets no more time. */
function slowerThanExpected(view: FreezeView, frozenForMs: number): FreezeVerdict | undefined {
  const { progress, expected, nowMs, grewAtMs } = view;
  if (progress === undefined || progress.sentBytes <= 0) return undefined;
  if (frozenForMs < TELLING_MS || nowMs - grewAtMs > TELLING_MS) return undefined;
  const { sentBytes, totalBytes } = progress;
  const milliseconds = Math.ceil(frozenForMs * Math.max(1, totalBytes / sentBytes));
  if (milliseconds <= WRONG * expected.expectedMilliseconds) return undefined;
  const bytesPerSecond = Math.round((1000 * sentBytes) / frozenForMs);
  const freeze = { ...expected, expectedMilliseconds: milliseconds, bytesPerSecond, basis: "Progress" as const };
  return { kind: "expectLonger", freeze };
}

function remainingMs({ progress, expected }: FreezeView, frozenForMs: number): number {
  return progress === undefined ? expected.expectedMilliseconds - frozenForMs : sendingMs(progress, frozenForMs);
}

/** What is left, at the better of the last second's rate and the mean one. */
function sendingMs({ sentBytes, totalBytes, bytesPerSecond }: Progress, sentForMs: number): number {
  const left = Math.max(0, totalBytes - sentBytes);
  const rate = Math.max(bytesPerSecond, (1000 * sentBytes) / sentForMs);
  return left === 0 ? 0 : (1000 * left) / rate;
}
