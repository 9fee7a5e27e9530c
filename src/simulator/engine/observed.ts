/** Nodes and pods as planning sees them: made once, their figures read when they are asked for. */
import { type Amount, amountBytes } from "../../api/quantity.ts";
import type { Figure, NodeSnapshot, PodSnapshot, Series } from "../../planning/snapshot.ts";
import { namespaceLabelsOf, planningFacts } from "../planning-facts.ts";
import { nodeFuture, PodFuture } from "./foresight.ts";
import { type Meter, NodeMeter, PodMeter } from "./meters.ts";
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
    node.snapshot = Object.assign(this.#figure(meter, truth), nodeFacts(node, stagingBudget));
  }

  watchPod(pod: PodRun, at: number): void {
    const { toMs } = this.#options;
    const future = new PodFuture(pod, toMs);
    const truth = { now: () => pod.bytesAt(this.#now), future: () => future.from(this.#now) };
    const meter = new PodMeter(pod, this.#options, at);
    pod.snapshot = Object.assign(this.#figure(meter, truth), podFacts(pod, toMs));
  }

  #figure(meter: Meter, truth: Truth): Figure {
    if (!this.#options.foresight) return new MeasuredFigure(meter);
    const newest = () => ({ bytes: truth.now(), sampledAtMs: this.#options.toMs(this.#now) });
    const known = { at: -1, future: NO_FUTURE };
    const future = () => {
      if (known.at !== this.#now) [known.at, known.future] = [this.#now, truth.future()];
      return known.future;
    };
    return new TrueFigure({ newest, series: () => meter.series() }, future);
  }
}

/**
 * Facts are added to it as members. The getters are the class's: with getters of its own each object would be slow to read. A copy made
 * member by member has no figures.
 */
class MeasuredFigure implements Figure {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  get usedBytes(): number | undefined {
    return this.#meter.newest()?.bytes;
  }

  get sampledAtMs(): number | undefined {
    return this.#meter.newest()?.sampledAtMs;
  }

  get series(): Series {
    return this.#meter.series();
  }

  /** Without a figure planning would take the sum of the pods, which a metrics source never stands in for. */
  get suspect(): boolean {
    return this.#meter.newest() === undefined;
  }
}

class TrueFigure extends MeasuredFigure {
  readonly #future: () => Series;

  constructor(meter: Meter, future: () => Series) {
    super(meter);
    this.#future = future;
  }

  get future(): Series {
    return this.#future();
  }
}

const NO_FUTURE: Series = { timesMs: new Float64Array(0), bytes: new Float64Array(0) };

interface Truth {
  now(): number;
  future(): Series;
}

function nodeFacts(node: NodeRun, stagingBudget: Amount | undefined): Omit<NodeSnapshot, keyof Figure> {
  return {
    name: node.name,
    capacityBytes: node.capacityBytes,
    allocatableBytes: node.allocatableBytes,
    labels: node.labels,
    taints: node.taints,
    unschedulable: node.unschedulable,
    ready: node.ready,
    maxPods: node.maxPods,
    agentReady: node.agentReady,
    ...(stagingBudget && { stagingFreeBytes: amountBytes(stagingBudget, node.capacityBytes) }),
  };
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
    ...planningFacts(spec),
    namespaceLabels: namespaceLabelsOf(spec),
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
