/**
 * The link to a move's target, measured before a long freeze: half a second of zeros that the target's agent counts and throws away,
 * beside all else that goes over the link. A freeze that would be longer than is allowed is refused while the pod still runs.
 */
import { performance } from "node:perf_hooks";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { formatBytes, formatSeconds } from "../api/quantity.ts";
import { AgentError } from "./agent-error.ts";
import type { FreezeLimits } from "./protocol.ts";

/** Name of the part in the request's query. */
export const PROBE_PART = "probe";
/** What the target takes of it at the most. */
export const PROBE_LIMIT_BYTES = 1 << 30;

const CHUNK = Buffer.alloc(256 << 10);
const MEASURE_MS = 500;
/** What was sent lies in buffers: on a slow link the answer takes longer than the sending. Not longer than this. */
const ANSWER_MS = 5_000;
/** A longer freeze is worth half a second. */
const LONG_FREEZE_MS = 20_000;
/** So is one that comes near to what is allowed, unless there is next to nothing to send. */
const NEAR = 3;
const LITTLE_BYTES = 8 << 20;
/**
 * An agent that works for more of the time, or waits for its half a core, is slower than the link: the measurement is encrypted, the
 * pages are neither encrypted nor sent by an agent.
 */
const BUSY = 0.8;

/** What a measurement says of the link. */
export interface LinkRate {
  bytesPerSecond: number;
  /** The link may carry more: an agent was the limit. */
  atLeast: boolean;
}

/** The target's answer to what measures the link: for what part of the time its agent worked. */
const probeAnswerSchema = z.object({ busy: z.number() });

/** @param bytes memory and files that the freeze would send. */
export function isWorthMeasuring({ expectedMs, allowedMs }: FreezeLimits, bytes: number): boolean {
  return expectedMs > LONG_FREEZE_MS || (bytes > LITTLE_BYTES && allowedMs < NEAR * expectedMs);
}

/** Why a freeze over a link that was measured may not begin. */
export function linkRefusal({ allowedMs }: FreezeLimits, bytes: number, link: LinkRate): AgentError | undefined {
  const { bytesPerSecond, atLeast } = link;
  const sendingMs = (1000 * bytes) / bytesPerSecond;
  if (atLeast || sendingMs <= allowedMs) return undefined;
  return new AgentError(
    "LinkTooSlow",
    `the link to the target carries ${formatBytes(bytesPerSecond)}/s now: sending ${formatBytes(bytes)} would freeze the pod for ` +
      `${formatSeconds(sendingMs)}, and ${formatSeconds(Math.max(0, allowedMs))} are allowed`,
  );
}

/**
 * What the target has taken in half a second; if it doesn't answer in time, at most what it can have taken.
 * @param put resolves with the target's answer.
 */
export async function measureLink(
  put: (body: Readable, signal: AbortSignal) => Promise<unknown>,
  signal: AbortSignal,
): Promise<LinkRate> {
  const busy = watchBusy();
  const startedMs = performance.now();
  let sentBytes = 0;
  const zeros = function* () {
    while (performance.now() - startedMs < MEASURE_MS && sentBytes + CHUNK.length <= PROBE_LIMIT_BYTES) {
      sentBytes += CHUNK.length;
      yield CHUNK;
    }
  };
  const late = AbortSignal.timeout(MEASURE_MS + ANSWER_MS);
  const body = Readable.from(zeros(), { objectMode: false });
  const answer = await put(body, AbortSignal.any([signal, late])).catch((error: unknown) => {
    if (!late.aborted || signal.aborted) throw error;
    return { busy: 0 };
  });
  const bytesPerSecond = (1000 * sentBytes) / (performance.now() - startedMs);
  return { bytesPerSecond, atLeast: Math.max(busy(), probeAnswerSchema.parse(answer).busy) > BUSY };
}

/** Takes what measures the link, and throws it away. */
export async function takeProbe(body: Readable): Promise<z.infer<typeof probeAnswerSchema>> {
  const busy = watchBusy();
  await finished(body.resume());
  return { busy: busy() };
}

/** For what part of the time since the call this process had work to do, from 0 to 1. */
function watchBusy(): () => number {
  const before = performance.eventLoopUtilization();
  return () => performance.eventLoopUtilization(before).utilization;
}
