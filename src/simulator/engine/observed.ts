/** Nodes and pods as planning sees them: made once, their figures read when they are asked for. */
import { type Amount, amountBytes } from "../../api/quantity.ts";
import type { Figure, NodeSnapshot, PodSnapshot, Series } from "../../planning/snapshot.ts";
import { nodeFuture, PodFuture } from "./foresight.ts";
import { type Meter, NodeMeter, PodMeter, type Reading } from "./meters.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import type { Sampling } from "./sampling.ts";

export interface ObserverOptions {
  sampling: Sampling;
  /** Between the samples of a series. */
  spacingSeconds: number;
  /** Figures are what is true now, and what will be is known. */
  foresight: boolean;
  stepSeconds: number;
  stagingBudget?: Amount | undefined;
  toMs(seconds: number): number;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #meters = new Map<NodeRun, NodeMeter>();
  /** The moment of the evaluation. */
  #now = 0;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Everything handed out before shows this moment from now on. */
  advance(at: number): void {
    this.#now = at;
    this.#options.sampling.advance(at);
  }

  sampleNodes(index: number, at: number): void {
    for (const meter of this.#meters.values()) meter.take(index, at);
  }

  watchNode(node: NodeRun): void {
    const { toMs, stepSeconds, stagingBudget } = this.#options;
    const meter = new NodeMeter(node, this.#options);
    this.#meters.set(node, meter);
    const truth = { now: () => node.usedAt(this.#now), future: () => nodeFuture(node, this.#now, stepSeconds, toMs) };
    node.snapshot = withFigures<Omit<NodeSnapshot, keyof Figure>>(
      {
        name: node.name,
        capacityBytes: node.capacityBytes,
        allocatableBytes: node.allocatableBytes,
        labels: node.labels,
        taints: node.taints,
        unschedulable: false,
        ready: true,
        maxPods: node.maxPods,
        agentReady: true,
        ...(stagingBudget && { stagingFreeBytes: amountBytes(stagingBudget, node.capacityBytes) }),
      },
      this.#figures(meter, truth),
    );
  }

  watchPod(pod: PodRun, at: number): void {
    const { toMs } = this.#options;
    const future = new PodFuture(pod, toMs);
    const truth = { now: () => pod.bytesAt(this.#now), future: () => future.from(this.#now) };
    pod.snapshot = withFigures<Omit<PodSnapshot, keyof Figure>>(
      podFacts(pod, toMs),
      this.#figures(new PodMeter(pod, this.#options, at), truth),
    );
  }

  #figures(meter: Meter, truth: Truth): Figures {
    if (!this.#options.foresight) return { newest: () => meter.newest(), series: () => meter.series() };
    const newest = () => ({ bytes: truth.now(), sampledAtMs: this.#options.toMs(this.#now) });
    const known = { at: -1, future: NO_FUTURE };
    const future = () => {
      if (known.at !== this.#now) [known.at, known.future] = [this.#now, truth.future()];
      return known.future;
    };
    return { newest, series: () => meter.series(), future };
  }
}

const NO_FUTURE: Series = { timesMs: new Float64Array(0), bytes: new Float64Array(0) };

interface Truth {
  now(): number;
  future(): Series;
}

interface Figures {
  newest(): Reading | undefined;
  series(): Series;
  future?(): Series;
}

function podFacts(pod: PodRun, toMs: (seconds: number) => number): Omit<PodSnapshot, keyof Figure> {
  const { spec } = pod;
  return {
    namespace: spec.namespace,
    name: spec.name,
    uid: pod.uid,
    node: pod.node?.name ?? "",
    requestBytes: spec.requestBytes,
    labels: spec.labels,
    namespaceLabels: {},
    annotations: spec.annotations,
    tolerations: spec.tolerations ?? [],
    nodeSelector: spec.nodeSelector ?? {},
    startedAtMs: toMs(pod.startedSeconds),
    ...(spec.expectedRuntimeSeconds !== undefined && { expectedRuntimeSeconds: spec.expectedRuntimeSeconds }),
    migrations: pod.migrations,
    lineage: pod.lineage,
    phase: "Running",
  };
}

/** The figures as members of the object's own, so that they outlive its being copied. */
function withFigures<Facts extends object>(facts: Facts, figures: Figures): Facts & Figure {
  const lazy = {
    get usedBytes() {
      return figures.newest()?.bytes;
    },
    get sampledAtMs() {
      return figures.newest()?.sampledAtMs;
    },
    get series() {
      return figures.series();
    },
  };
  const { future } = figures;
  // Without a figure planning would take the sum of the pods, which a metrics source never stands in for.
  const suspect = {
    get suspect() {
      return figures.newest() === undefined;
    },
  };
  const members = { ...Object.getOwnPropertyDescriptors(lazy), ...Object.getOwnPropertyDescriptors(suspect) };
  Object.defineProperties(facts, members);
  if (future) Object.defineProperty(facts, "future", { get: future, enumerable: true, configurable: true });
  // The members were just put there.
  return facts as Facts & Figure;
}
