/** The cluster as one policy sees it: figures of its metrics source, judged by its staleAfter. Nothing is computed twice. */
import { type Cluster, type ClusterNode, nodeFigure, podFigure } from "./cluster.ts";
import { type Judged, judge } from "./figures.ts";
import type { Calibrations } from "./foresight/calibrations.ts";
import { type Foresight, foresee } from "./foresight/foresight.ts";
import type { Interruptions } from "./foresight/interruptions.ts";
import type { KeptFits } from "./foresight/kept-fits.ts";
import { growthPerMinute } from "./growth.ts";
import type { ForecastSettings, NodeGrowth } from "./pressure/pressure.ts";
import type { PodSnapshot } from "./snapshot.ts";

export interface FigureOptions {
  source: string;
  staleAfterSeconds: number;
  pressure?: { forecast?: ForecastSettings };
}

/** What forecasts need beside the figures. */
export interface ForecastInput {
  calibrations: Calibrations;
  interruptions: Interruptions;
  fits: KeptFits;
}

export interface View {
  cluster: Cluster;
  /** What the whole node uses; the sum of its pods when it has no figure of its own. */
  nodeUse(node: ClusterNode): Judged;
  podUse(pod: PodSnapshot): Judged;
  /** Bytes per minute; undefined: not known, or its figure cannot be relied on. At most the node's capacity in a minute. */
  podGrowth(pod: PodSnapshot): number | undefined;
  nodeGrowth(node: ClusterNode): NodeGrowth;
  /** Of a policy that forecasts. */
  foresight?: Foresight;
}

const implausible = (message: string): Judged => ({ ok: false, reason: "MetricsImplausible", message });

/** `forecasts`: absent, and nothing is forecast, whatever the options say. */
export function viewCluster(cluster: Cluster, options: FigureOptions, forecasts?: ForecastInput): View {
  const { source, staleAfterSeconds } = options;
  const judged = new Map<ClusterNode, Judged>();
  const { nowMs } = cluster;

  const podUses = new Map<PodSnapshot, Judged>();
  function podUse(pod: PodSnapshot): Judged {
    const known = podUses.get(pod) ?? judgePod(pod);
    podUses.set(pod, known);
    return known;
  }

  function judgePod(pod: PodSnapshot): Judged {
    const what = () => `pod ${pod.namespace}/${pod.name}`;
    if (cluster.isDuplicate(pod)) return implausible(`${what()} is listed more than once`);
    const capacityBytes = cluster.node(pod.node)?.snapshot.capacityBytes ?? 0;
    return judge(podFigure(cluster, pod, source), { nowMs, staleAfterSeconds, capacityBytes, what });
  }

  function judgeNode(node: ClusterNode): Judged {
    const { name, capacityBytes } = node.snapshot;
    const what = () => `node ${name}`;
    if (node.duplicate) return implausible(`${what()} is listed more than once`);
    if (!(capacityBytes > 0) || capacityBytes === Number.POSITIVE_INFINITY) {
      return implausible(`${what()} has no memory capacity`);
    }
    const figure = nodeFigure(cluster, node.snapshot, source);
    const written = cluster.snapshot.sources === undefined;
    if (written && figure?.usedBytes === undefined && figure?.suspect !== true) return estimate(node, podUse);
    return judge(figure, { nowMs, staleAfterSeconds, capacityBytes, what });
  }

  function podGrowth(pod: PodSnapshot): number | undefined {
    const figure = podFigure(cluster, pod, source);
    if (figure === undefined || !podUse(pod).ok) return undefined;
    return bounded(growthPerMinute(figure), cluster.node(pod.node));
  }

  const grown = new Map<ClusterNode, NodeGrowth>();
  const view: View = {
    cluster,
    podUse,
    podGrowth,
    nodeGrowth(node) {
      const figure = nodeFigure(cluster, node.snapshot, source);
      const known =
        grown.get(node) ?? sumGrowth(node.pods.map(podGrowth), bounded(figure && growthPerMinute(figure), node));
      grown.set(node, known);
      return known;
    },
    nodeUse(node) {
      const known = judged.get(node) ?? judgeNode(node);
      judged.set(node, known);
      return known;
    },
  };
  const settings = options.pressure?.forecast;
  if (settings === undefined || forecasts === undefined) return view;
  return { ...view, foresight: foresee({ view, source, settings, ...forecasts }) };
}

/** Nothing grows by more than its node in a minute: what says so is a jump, and counts as that much. */
function bounded(growth: number | undefined, node: ClusterNode | undefined): number | undefined {
  const most = node?.snapshot.capacityBytes ?? 0;
  return growth === undefined || !Number.isFinite(most) ? undefined : Math.min(growth, Math.max(0, most));
}

/** Shrinking pods do not cancel growing ones; `own`: of the node's own figure, which shows pods without figures too. */
function sumGrowth(pods: readonly (number | undefined)[], own: number | undefined): NodeGrowth {
  const sum = pods.reduce<number>((total, growth) => total + Math.max(0, growth ?? 0), 0);
  return { perMinute: Math.max(sum, own ?? 0), unknownPods: pods.filter((growth) => growth === undefined).length };
}

/**
 * The sum of its pods, for a snapshot written by hand. Only when every pod is known: a missing one would make the node look
 * safer. A metrics source that has no figure for a node is never made up for in this way: the system's own use is not in pods.
 */
function estimate(node: ClusterNode, podUse: (pod: PodSnapshot) => Judged): Judged {
  const uses = node.pods.map(podUse);
  const unknown = uses.find((use) => !use.ok);
  if (unknown !== undefined) return unknown;
  return { ok: true, usedBytes: uses.reduce((sum, use) => sum + (use.ok ? use.usedBytes : 0), 0), estimated: true };
}
