/** One run: everything that happens, in order. Nothing here knows a clock but the queue's. */
import { compareText } from "../../planning/order.ts";
import type { Policy } from "../../planning/policy.ts";
import type { RunEvent } from "../run-record.ts";
import type { Scenario } from "../scenario.ts";
import { Operator } from "./evaluation.ts";
import { EventQueue, type Kind } from "./event-queue.ts";
import { type ForecastTally, forecastTally } from "./forecast-tally.ts";
import { Moves } from "./moves.ts";
import { NodeRun } from "./node-run.ts";
import { Observer } from "./observed.ts";
import { PodLives } from "./pod-lives.ts";
import { PodRun } from "./pod-run.ts";
import { Sampling } from "./sampling.ts";
import { Scheduler } from "./scheduling.ts";
import { evictWhenShort, killWhatExceeds, type ShortageContext } from "./shortage.ts";
import { toMs } from "./start.ts";
import { Timeline } from "./timeline.ts";

export interface SimulationOptions {
  policies: readonly Policy[];
  seed: number;
  reserve: number;
  timeline: { everySeconds: number } | undefined;
  decisions: boolean;
  foresight: boolean;
}

export class Simulation {
  readonly nodes: readonly NodeRun[];
  readonly pods: readonly PodRun[];
  readonly events: RunEvent[] = [];
  readonly operator: Operator;
  readonly timeline: Timeline | undefined;
  readonly forecasts: ForecastTally | undefined;
  readonly #scenario: Scenario;
  readonly #queue = new EventQueue();
  readonly #scheduler: Scheduler;
  readonly #lives: PodLives;
  readonly #observer: Observer;
  readonly #shortage: ShortageContext;

  constructor(scenario: Scenario, options: SimulationOptions) {
    const { conditions } = scenario;
    const { seed, foresight, decisions } = options;
    this.#scenario = scenario;
    // In a fixed order, so that the order of the input never matters.
    this.nodes = [...scenario.nodes]
      .sort((a, b) => compareText(a.name, b.name))
      .map((node) => new NodeRun(node, options.reserve));
    this.pods = [...scenario.pods]
      .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name))
      .map((pod) => new PodRun(pod));
    const [queue, events, scheduler] = [this.#queue, this.events, () => this.#scheduler];
    const sampling = new Sampling(conditions.metrics, seed);
    const spacingSeconds = seriesSpacing(options.policies);
    const {
      tickSeconds: stepSeconds,
      moves: { stagingBudget },
    } = conditions;
    this.#observer = new Observer({ sampling, spacingSeconds, foresight, stepSeconds, stagingBudget, toMs });
    this.#lives = new PodLives({
      queue,
      events,
      restartSeconds: conditions.restartSeconds,
      scheduler,
      onRunning: (pod, at) => this.#observer.watchPod(pod, at),
    });
    const place = (pod: PodRun, node: NodeRun, at: number) => this.#lives.start(pod, node, at);
    this.#scheduler = new Scheduler(this.nodes, conditions.scheduler, place);
    const moves = new Moves({ seed, conditions: conditions.moves, queue, events, lives: this.#lives, scheduler, toMs });
    this.#shortage = { lives: this.#lives, moves, evictionBytes: conditions.kubelet.evictionBytes };
    this.forecasts = forecastTally(options.policies, queue);
    const { nodes, forecasts } = this;
    const context = { nodes, events, moves, observer: this.#observer, scheduler, toMs, decisions, forecasts };
    this.operator = new Operator(options.policies, context);
    this.timeline = options.timeline && new Timeline(this.nodes, options.timeline.everySeconds, scenario.endSeconds);
    this.#plan(sampling);
  }

  /** What is known to happen before anything has happened. */
  #plan(sampling: Sampling): void {
    const { conditions } = this.#scenario;
    for (const node of this.nodes) this.#observer.watchNode(node);
    for (const pod of this.pods) this.#queue.put(pod.spec.arrivalSeconds, "Arrival", () => this.#lives.arrive(pod));
    this.#every(conditions.tickSeconds, "Tick", (at) => {
      for (const node of this.nodes) killWhatExceeds(node, at, this.#shortage);
    });
    this.#every(conditions.kubelet.intervalSeconds, "Kubelet", (at) => {
      for (const node of this.nodes) evictWhenShort(node, at, this.#shortage);
    });
    const sample = (at: number) => this.#observer.sampleNodes(sampling.firstFrom(at), at);
    this.#every(conditions.metrics.intervalSeconds, "Sample", sample);
    this.#awaitEvaluation();
    const { timeline } = this;
    if (timeline) this.#every(timeline.everySeconds, "Record", (at) => timeline.begin(at));
  }

  /** At 0 and all multiples. */
  #every(seconds: number, kind: Kind, act: (at: number) => void): void {
    const turn = (count: number) => {
      this.#queue.put(count * seconds, kind, (at) => {
        act(at);
        turn(count + 1);
      });
    };
    turn(0);
  }

  #awaitEvaluation(): void {
    const { nextAt } = this.operator;
    if (!Number.isFinite(nextAt)) return;
    this.#queue.put(nextAt, "Evaluate", (at) => {
      this.operator.run(at);
      this.#awaitEvaluation();
    });
  }

  /** Runs to the end; `onSecond` hears how far it is after everything that happens. */
  run(onSecond: (seconds: number) => void): void {
    const { endSeconds } = this.#scenario;
    for (let next = this.#queue.take(endSeconds); next !== undefined; next = this.#queue.take(endSeconds)) {
      next.act(next.at);
      this.#scheduler.run(next.at);
      onSecond(next.at);
    }
    for (const node of this.nodes) node.observe(endSeconds);
    this.timeline?.end();
  }
}

/** Forty samples reach back four horizons, as forecasts look. */
function seriesSpacing(policies: readonly Policy[]): number {
  const horizons = policies.map(({ pressure }) => pressure.forecast?.horizonSeconds ?? 0);
  return Math.max(30, ...horizons.map((seconds) => seconds / 10));
}
