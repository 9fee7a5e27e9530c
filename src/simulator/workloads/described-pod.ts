/** Pods as files describe them, before what the reader of the files asks for (requests) is applied. */
import type { SimulatedPod, Trace } from "../scenario.ts";

/** Times are since the simulation's start. */
export interface DescribedPod extends Omit<SimulatedPod, "requestBytes"> {
  /** Absent: the file says nothing. */
  requestBytes?: number | undefined;
  /** What a request factor is a part of; absent: the trace's peak. */
  requestBaseBytes?: number | undefined;
}

/** Of what a pod uses at its peak, where neither its file nor the caller says what it requests. */
export const DEFAULT_REQUEST_FACTOR = 0.5;

/** `factor` (the predecessor's request factor) applies to every pod, also to those whose file has a request. */
export function withRequest(described: DescribedPod, factor: number | undefined): SimulatedPod {
  const { requestBytes, requestBaseBytes, ...pod } = described;
  const base = requestBaseBytes ?? peakBytes(pod.trace);
  const own = requestBytes ?? Math.round(base * DEFAULT_REQUEST_FACTOR);
  return { ...pod, requestBytes: factor === undefined ? own : Math.round(base * factor) };
}

export function peakBytes({ bytes }: Trace): number {
  return bytes.reduce((peak, value) => Math.max(peak, value), 0);
}
