/** A report as text for people. */
import { formatBytes } from "../../api/quantity.ts";
import type { MemoryPressure } from "../../metrics/source.ts";
import { table } from "../table.ts";
import { freeFraction, type TopReport, type Use } from "./report.ts";

const NODE_COLUMNS = ["NODE", "CAPACITY", "USED", "FREE", "FREE%", "PODS"];
/** Shown for what isn't known. */
const UNKNOWN = "-";

/** @param maxPods so many pods are shown; the rest is counted */
export function renderReport({ nodes, pods, source, time }: TopReport, maxPods: number): string {
  const hasPressure = nodes.some(({ pressure }) => pressure !== undefined);
  const nodeRows = nodes.map((node) => [
    node.name,
    formatBytes(node.capacityBytes),
    bytes(node.usedBytes),
    bytes(node.freeBytes),
    percent(freeFraction(node)),
    String(node.pods),
    ...(hasPressure ? [stalls(node.pressure)] : []),
    age(node, time),
  ]);
  const podRows = pods
    .slice(0, maxPods)
    .map((pod) => [pod.namespace, pod.name, pod.node, bytes(pod.usedBytes), age(pod, time)]);
  const more = pods.length - podRows.length;
  return [
    table([...NODE_COLUMNS, ...(hasPressure ? ["PSI"] : []), "MEASURED"], nodeRows),
    "",
    table(["NAMESPACE", "POD", "NODE", "USED", "MEASURED"], podRows),
    ...(more > 0 ? [`… and ${more} more (--pods ${pods.length} shows all)`] : []),
    ...nodes.flatMap(({ error }) => (error === undefined ? [] : [error])),
    `Source: ${source}, ${time}`,
  ].join("\n");
}

/** Time that some tasks, and all of them, waited for memory. */
function stalls(pressure: MemoryPressure | undefined): string {
  return pressure === undefined ? UNKNOWN : `${pressure.some.toFixed(1)}%/${pressure.full.toFixed(1)}%`;
}

function bytes(value: number | undefined): string {
  return value === undefined ? UNKNOWN : formatBytes(value);
}

function percent(fraction: number): string {
  return Number.isNaN(fraction) ? UNKNOWN : `${(fraction * 100).toFixed(1)}%`;
}

/** "7s ago", and what is wrong with it. */
function age({ sampledAt, state }: Use, time: string): string {
  if (sampledAt === undefined) return state;
  const ago = `${Math.max(0, Math.round((Date.parse(time) - Date.parse(sampledAt)) / 1000))}s ago`;
  return state === "Fresh" ? ago : `${ago} (${state})`;
}
