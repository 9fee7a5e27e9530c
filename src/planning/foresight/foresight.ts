/**
 * What a policy's forecasts say of nodes and pods. Each is made when it is first asked for, and only where a cheap bound does not
 * answer already: most nodes are far from their limit.
 *
 * A node is foreseen from its own series, unless it has none or a move lately put a step into it: then by its pods together, and
 * what it uses beside them.
 */
import { type ClusterNode, nodeFigure, podFigure } from "../cluster.ts";
import { isCalibration } from "../forecast/calibration.ts";
import type { SeriesFits } from "../forecast/fits.ts";
import { type ForecastOptions, forecastHistory } from "../forecast/forecast.ts";
import { boundAtAGlance } from "../forecast/glance.ts";
import { type History, spanSeconds, toHistory } from "../forecast/history.ts";
import type { ForecastSettings } from "../pressure/pressure.ts";
import type { Figure, PodSnapshot } from "../snapshot.ts";
import type { View } from "../view.ts";
import type { Calibrations, ForecastOwner } from "./calibrations.ts";
import { type Foreseen, type JointMargin, ofFuture, ofHistory, ofUse, peakOf, together } from "./foreseen.ts";
import { type Interruptions, longestQuiet, within } from "./interruptions.ts";
import type { KeptFits } from "./kept-fits.ts";

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
  /** As {@link nodeAtMost}. `enoughBytes` absent: exact. */
  podAtMost(pod: PodSnapshot, enoughBytes?: number): number | undefined;
  pod(pod: PodSnapshot): Foreseen | undefined;
}

export interface ForesightInput {
  view: View;
  source: string;
  settings: ForecastSettings;
  calibrations: Calibrations;
  interruptions: Interruptions;
  fits: KeptFits;
}

/** The fewest samples that are a series. */
const FEWEST_SAMPLES = 2;

export function foresee(input: ForesightInput): Foresight {
  const { view, settings } = input;
  const sources = readSources(input);
  const pod = once((one: PodSnapshot) => foreseePod(input, sources, one));
  const node = once((one: ClusterNode) => foreseeNode(input, sources, one, pod));
  const glances = glancesAt(input, sources);
  const exact = (foreseen: Foreseen | undefined, usedBytes: number) =>
    foreseen &&
    Math.max(
      usedBytes,
      peakOf((ahead) => foreseen.upper(ahead), settings.horizonSeconds),
    );
  const nodeExactly = once((one: ClusterNode) => exact(node.of(one), usedBy(view.nodeUse(one))));
  const podExactly = once((one: PodSnapshot) => exact(pod.of(one), usedBy(view.podUse(one))));
  return {
    settings,
    node: node.of,
    nodeIfMade: (one) => (node.knows(one) ? node.of(one) : undefined),
    nodeAtMost(one, enoughBytes) {
      if (!view.nodeUse(one).ok) return undefined;
      const cheap = nodeExactly.knows(one) ? undefined : glances.node(one, enoughBytes);
      return cheap !== undefined && cheap <= enoughBytes ? cheap : nodeExactly.of(one);
    },
    pod: pod.of,
    podAtMost(one, enoughBytes = Number.NEGATIVE_INFINITY) {
      if (!view.podUse(one).ok) return undefined;
      const exactly = podExactly.knows(one) || enoughBytes === Number.NEGATIVE_INFINITY;
      const cheap = exactly ? undefined : glances.pod(one);
      return cheap !== undefined && cheap <= enoughBytes ? cheap : podExactly.of(one);
    },
  };
}

/** Of a series that begins later nothing is cut. */
function cutOf(figure: Figure | undefined, lastMs: number | undefined): number | undefined {
  const oldestMs = figure?.series?.timesMs[0] ?? Number.POSITIVE_INFINITY;
  return lastMs !== undefined && lastMs > oldestMs ? lastMs : undefined;
}

const usedBy = (use: ReturnType<View["podUse"]>) => (use.ok ? use.usedBytes : 0);

interface MarginBefore {
  margin: JointMargin["margin"];
  /** Until when it was known; milliseconds since the epoch. */
  untilMs: number;
}

/** Where the figures come from, cut where a move put a step into them. */
interface Sources {
  /** Of the series of its own. */
  forecast(kind: "nodes" | "pods", id: string, history: History): Foreseen;
  nodeFigure(node: ClusterNode): Figure | undefined;
  /** What its pods use together, as far as it is known, and what the node uses beside them. */
  podsBytes(node: ClusterNode): number;
  restBytes(node: ClusterNode): number;
  podFigure(pod: PodSnapshot): Figure | undefined;
  /** Undefined: it must be foreseen without. */
  nodeHistory(node: ClusterNode): History | undefined;
  podHistory(pod: PodSnapshot): History | undefined;
  /** How well the node was foreseen before a move put a step into its series; bytes by seconds ahead. */
  marginBefore(node: ClusterNode): MarginBefore | undefined;
}

function readSources({ view, source, settings, calibrations, interruptions, fits }: ForesightInput): Sources {
  const { cluster } = view;
  const { nowMs } = cluster;
  const owner: ForecastOwner = { ...settings, source };
  const calibrationOf = calibrations.of(owner);
  const podsBytes = once((node: ClusterNode) => node.pods.reduce((sum, pod) => sum + usedBy(view.podUse(pod)), 0));
  const figureOfNode = (node: ClusterNode) => nodeFigure(cluster, node.snapshot, source);
  const figureOfPod = (pod: PodSnapshot) => podFigure(cluster, pod, source);
  const historyOf = (figure: Figure | undefined, fromMs: number | undefined): History | undefined => {
    const all = figure?.series && toHistory(figure.series, nowMs);
    const history = all && fromMs !== undefined ? within(all, { fromMs, toMs: Number.POSITIVE_INFINITY }) : all;
    return history && history.timesMs.length >= FEWEST_SAMPLES ? history : undefined;
  };
  return {
    forecast(kind, id, history) {
      const { before: calibration, note } = calibrationOf(kind, id);
      return ofHistory(history, { nowMs, ...settings, calibration }, fits.of(owner, kind, id), note);
    },
    nodeFigure: figureOfNode,
    podsBytes: podsBytes.of,
    restBytes: (node) => usedBy(view.nodeUse(node)) - podsBytes.of(node),
    podFigure: figureOfPod,
    podHistory: once((pod: PodSnapshot) => historyOf(figureOfPod(pod), interruptions.ofPod(pod))).of,
    nodeHistory: once((node: ClusterNode) => {
      const figure = figureOfNode(node);
      const fromMs = cutOf(figure, interruptions.lastOfNode(node.snapshot.name));
      const history = historyOf(figure, fromMs);
      const tooShort = fromMs !== undefined && history && spanSeconds(history) < settings.horizonSeconds;
      return tooShort ? undefined : history;
    }).of,
    marginBefore(node) {
      const { name } = node.snapshot;
      const all = historyOf(figureOfNode(node), undefined);
      const quiet = all && longestQuiet(all, interruptions.ofNode(name));
      const history = quiet && within(all, quiet);
      if (!history || spanSeconds(history) < settings.horizonSeconds) return undefined;
      const options = { nowMs, ...settings, calibration: calibrationOf("nodes", name).before };
      return { margin: marginAsOf(history, options, fits.of(owner, "nodesBefore", name)), untilMs: quiet.toMs };
    },
  };
}

function foreseePod({ view }: ForesightInput, sources: Sources, pod: PodSnapshot): Foreseen | undefined {
  const use = view.podUse(pod);
  if (!use.ok) return undefined;
  const figure = sources.podFigure(pod);
  const known = figure?.future && ofFuture(figure.future, view.cluster.nowMs);
  if (known !== undefined) return known;
  const history = sources.podHistory(pod);
  if (history === undefined) return ofUse(use.usedBytes, figure?.series ? undefined : view.podGrowth(pod));
  return sources.forecast("pods", pod.uid, history);
}

function foreseeNode(
  input: ForesightInput,
  sources: Sources,
  node: ClusterNode,
  pods: Once<PodSnapshot, Foreseen | undefined>,
): Foreseen | undefined {
  const { view } = input;
  const use = view.nodeUse(node);
  if (!use.ok) return undefined;
  const { name } = node.snapshot;
  const future = sources.nodeFigure(node)?.future;
  const known = future && ofFuture(future, view.cluster.nowMs);
  if (known !== undefined) return known;
  const history = sources.nodeHistory(node);
  if (history !== undefined) return sources.forecast("nodes", name, history);
  const parts = node.pods.map(pods.of).filter((part) => part !== undefined);
  const before = sources.marginBefore(node);
  const arrivedMs = (pod: PodSnapshot) => input.interruptions.ofPod(pod) ?? pod.startedAtMs ?? Number.NEGATIVE_INFINITY;
  const arrived = before === undefined ? [] : node.pods.filter((pod) => arrivedMs(pod) >= before.untilMs);
  const newcomers = arrived.map(pods.of).filter((part) => part !== undefined);
  const joint = before && { margin: before.margin, newcomers };
  return together(parts, sources.restBytes(node), node.podCount - parts.length, joint);
}

/** The margin as it was at the history's end. */
function marginAsOf(history: History, options: ForecastOptions, fits: SeriesFits): JointMargin["margin"] {
  const nowMs = history.timesMs.at(-1) ?? history.nowMs;
  const { calibration: known } = options;
  const calibration = isCalibration(known) ? { ...known, throughMs: Math.min(known.throughMs, nowMs) } : undefined;
  const then = forecastHistory({ ...history, nowMs }, { ...options, nowMs, calibration }, fits);
  return (aheadSeconds) => then.upper(aheadSeconds) - then.point(aheadSeconds);
}

/** Bounds that no forecast's bound exceeds, from the samples alone. */
interface Glances {
  /** Not looked at to the end once it is clear that it is more than `enoughBytes`. */
  node(node: ClusterNode, enoughBytes: number): number;
  pod(pod: PodSnapshot): number;
}

function glancesAt({ view, settings, interruptions }: ForesightInput, sources: Sources): Glances {
  const { nowMs } = view.cluster;
  const glance = ({ series, future }: Figure, fromMs: number | undefined) =>
    series === undefined || future !== undefined
      ? Number.POSITIVE_INFINITY
      : boundAtAGlance(series, { nowMs, ...settings, fromMs });
  const pod = once((one: PodSnapshot) => {
    const use = view.podUse(one);
    const figure = sources.podFigure(one);
    if (!use.ok || figure === undefined) return 0;
    return Math.max(use.usedBytes, glance(figure, interruptions.ofPod(one)));
  });
  const byItsPods = (node: ClusterNode, enoughBytes: number) => {
    const rest = together([], sources.restBytes(node), 1).upper(0);
    // No bound is below what is used now, so the sum can only rise from there.
    let sum = rest + sources.podsBytes(node);
    for (const one of node.pods) {
      if (sum > enoughBytes) break;
      sum += pod.of(one) - usedBy(view.podUse(one));
    }
    return sum;
  };
  /** Undefined: it is foreseen by its pods. */
  const own = once((node: ClusterNode) => {
    const figure = sources.nodeFigure(node) ?? node.snapshot;
    if (figure.future !== undefined) return Number.POSITIVE_INFINITY;
    const cutMs = cutOf(figure, interruptions.lastOfNode(node.snapshot.name));
    const samples = figure.series?.bytes.length ?? 0;
    const isOwn = cutMs === undefined ? samples >= FEWEST_SAMPLES : sources.nodeHistory(node) !== undefined;
    return isOwn ? Math.max(usedBy(view.nodeUse(node)), glance(figure, cutMs)) : undefined;
  });
  return { pod: pod.of, node: (node, enoughBytes) => own.of(node) ?? byItsPods(node, enoughBytes) };
}

/** Work whose answers are remembered. */
interface Once<K, V> {
  of(key: K): V;
  knows(key: K): boolean;
}

function once<K, V>(work: (key: K) => V): Once<K, V> {
  const known = new Map<K, V>();
  return {
    knows: (key) => known.has(key),
    of(key) {
      const found = known.get(key);
      if (found !== undefined || known.has(key)) return found as V; // it is what `work` gave for this very key
      const value = work(key);
      known.set(key, value);
      return value;
    },
  };
}
