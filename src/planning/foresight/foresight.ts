/**
 * What a policy's forecasts say of nodes and pods. Each is made when it is first asked for, and only where a cheap bound does not
 * answer already: most nodes are far from their limit.
 *
 * A node is foreseen from its own series, unless it has none or a move lately put a step into it: then by its pods together, and
 * what it uses beside them.
 */
import { type ClusterNode, nodeFigure, podFigure } from "../cluster.ts";
import type { ForecastOptions } from "../forecast/forecast.ts";
import { type History, spanSeconds, toHistory } from "../forecast/history.ts";
import { boundWithoutForecast } from "../forecast/safe-bound.ts";
import type { ForecastSettings } from "../pressure/pressure.ts";
import type { Figure, PodSnapshot } from "../snapshot.ts";
import type { View } from "../view.ts";
import type { Calibrations, ForecastOwner } from "./calibrations.ts";
import { type Foreseen, ofFuture, ofHistory, ofUse, peakOf, together } from "./foreseen.ts";
import { type Interruptions, since } from "./interruptions.ts";

export interface Foresight {
  settings: ForecastSettings;
  /**
   * What the node uses at most up to the horizon, as the policy's confidence has it; not below what it uses now. Where it is not
   * more than `enoughBytes`, a cruder bound may be given that is not either. Undefined: nothing can be said of the node.
   */
  nodeAtMost(node: ClusterNode, enoughBytes: number): number | undefined;
  node(node: ClusterNode): Foreseen | undefined;
  /** The forecast of a node for which one was needed. */
  nodeIfMade(node: ClusterNode): Foreseen | undefined;
  /** As {@link nodeAtMost}, always exact. */
  podAtMost(pod: PodSnapshot): number | undefined;
  pod(pod: PodSnapshot): Foreseen | undefined;
}

export interface ForesightInput {
  view: View;
  source: string;
  settings: ForecastSettings;
  calibrations: Calibrations;
  interruptions: Interruptions;
}

/** The fewest samples that are a series. */
const FEWEST_SAMPLES = 2;

export function foresee({ view, source, settings, calibrations, interruptions }: ForesightInput): Foresight {
  const { cluster } = view;
  const { nowMs } = cluster;
  const owner: ForecastOwner = { ...settings, source };
  const { horizonSeconds } = settings;

  const optionsOf = (kind: "node" | "pod", id: string): ForecastOptions => ({
    nowMs,
    ...settings,
    calibration: calibrations.before(owner, kind, id),
  });
  const historyOf = (figure: Figure | undefined, fromMs: number | undefined): History | undefined => {
    const all = figure?.series && toHistory(figure.series, nowMs);
    const history = all && since(all, fromMs, nowMs);
    return history && history.seconds.length >= FEWEST_SAMPLES ? history : undefined;
  };
  const podHistory = once((pod: PodSnapshot) => historyOf(podFigure(cluster, pod, source), interruptions.ofPod(pod)));
  const nodeHistory = once((node: ClusterNode) => {
    const { name } = node.snapshot;
    const movedMs = interruptions.ofNode(name);
    const history = historyOf(nodeFigure(cluster, node.snapshot, source), movedMs);
    const interrupted = movedMs !== undefined && (nowMs - movedMs) / 1000 < horizonSeconds;
    return history && interrupted && spanSeconds(history) < horizonSeconds ? undefined : history;
  });

  const pod = once((one: PodSnapshot): Foreseen | undefined => {
    const use = view.podUse(one);
    if (!use.ok) return undefined;
    const figure = podFigure(cluster, one, source);
    const known = figure?.future && ofFuture(figure.future, nowMs);
    if (known !== undefined) return known;
    const history = podHistory(one);
    if (history === undefined) return ofUse(use.usedBytes, figure?.series ? undefined : view.podGrowth(one));
    const { foreseen, calibration } = ofHistory(history, optionsOf("pod", one.uid));
    calibrations.note(owner, "pod", one.uid, calibration);
    return foreseen;
  });

  const made = new Set<ClusterNode>();
  const node = once((one: ClusterNode): Foreseen | undefined => {
    const use = view.nodeUse(one);
    if (!use.ok) return undefined;
    made.add(one);
    const { name } = one.snapshot;
    const future = nodeFigure(cluster, one.snapshot, source)?.future;
    const known = future && ofFuture(future, nowMs);
    if (known !== undefined) return known;
    const history = nodeHistory(one);
    if (history === undefined) return byItsPods(one, use.usedBytes);
    const { foreseen, calibration } = ofHistory(history, optionsOf("node", name));
    calibrations.note(owner, "node", name, calibration);
    return foreseen;
  });

  function byItsPods(one: ClusterNode, usedBytes: number): Foreseen {
    const parts = one.pods.map(pod).filter((part) => part !== undefined);
    return together(parts, restBytes(one, usedBytes), one.pods.length - parts.length);
  }

  /** What the node uses beside its pods. */
  function restBytes(one: ClusterNode, usedBytes: number): number {
    const uses = one.pods.map((each) => view.podUse(each));
    return Math.max(0, usedBytes - uses.reduce((sum, use) => sum + (use.ok ? use.usedBytes : 0), 0));
  }

  const podBound = (one: PodSnapshot): number => {
    const history = podFigure(cluster, one, source)?.future === undefined ? podHistory(one) : undefined;
    if (history !== undefined && view.podUse(one).ok) return boundWithoutForecast(history, optionsOf("pod", one.uid));
    const foreseen = pod(one);
    return foreseen === undefined ? 0 : peakOf(foreseen.upper, horizonSeconds);
  };

  /** No forecast's bound exceeds it. */
  const nodeBound = once((one: ClusterNode): number => {
    const use = view.nodeUse(one);
    if (!use.ok || nodeFigure(cluster, one.snapshot, source)?.future !== undefined) return Number.POSITIVE_INFINITY;
    const history = nodeHistory(one);
    if (history !== undefined) return boundWithoutForecast(history, optionsOf("node", one.snapshot.name));
    const rest = restBytes(one, use.usedBytes);
    return one.pods.reduce((sum, each) => sum + podBound(each), together([], rest, 1).upper(0));
  });

  const nodePeak = once((one: ClusterNode): number | undefined => {
    const foreseen = node(one);
    return foreseen && Math.max(usedBytesOf(one), peakOf(foreseen.upper, horizonSeconds));
  });
  const usedBytesOf = (one: ClusterNode) => {
    const use = view.nodeUse(one);
    return use.ok ? use.usedBytes : 0;
  };

  return {
    settings,
    node,
    nodeIfMade: (one) => (made.has(one) ? node(one) : undefined),
    nodeAtMost(one, enoughBytes) {
      if (!view.nodeUse(one).ok) return undefined;
      if (!made.has(one)) {
        const bound = Math.max(usedBytesOf(one), nodeBound(one));
        if (bound <= enoughBytes) return bound;
      }
      return nodePeak(one);
    },
    pod,
    podAtMost: once((one: PodSnapshot) => {
      const foreseen = pod(one);
      const use = view.podUse(one);
      return foreseen && Math.max(use.ok ? use.usedBytes : 0, peakOf(foreseen.upper, horizonSeconds));
    }),
  };
}

/** Remembers each answer. */
function once<K, V>(work: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined || known.has(key)) return found as V; // it is what `work` gave for this very key
    const value = work(key);
    known.set(key, value);
    return value;
  };
}
