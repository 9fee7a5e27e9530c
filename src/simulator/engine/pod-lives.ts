/** What happens to pods: they come, start on a node, finish, are killed or evicted, and begin anew. */
import type { RunEvent } from "../run-record.ts";
import type { EventQueue } from "./event-queue.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import type { Scheduler } from "./scheduling.ts";

/** The kubelet says for so long that its node is short of memory; its default. */
const PRESSURE_SECONDS = 300;

/** The kubelet's back-off: each kill doubles the wait up to this; a container that has run for so long begins anew. */
const BACK_OFF = { atMostSeconds: 300, forgottenAfterSeconds: 600 };

export interface LivesContext {
  queue: EventQueue;
  events: RunEvent[];
  restartSeconds: number;
  scheduler(): Scheduler;
  /** A pod of a new UID runs. */
  onRunning(pod: PodRun, at: number): void;
}

export class PodLives {
  readonly #context: LivesContext;

  constructor(context: LivesContext) {
    this.#context = context;
  }

  /** It waits for a node. */
  arrive(pod: PodRun): void {
    pod.state = "Waiting";
    this.#context.scheduler().add(pod);
  }

  start(pod: PodRun, node: NodeRun, at: number): void {
    pod.renew({ sameLineage: false });
    pod.record.scheduledSeconds ??= at;
    pod.startedSeconds = at;
    node.promise(pod, 1);
    this.#context.events.push({ kind: "Scheduled", seconds: at, pod: pod.key, node: node.name });
    this.enter(pod, node, at, () => this.#begin(pod, at));
  }

  /** It runs there from now on, under the UID that it has; its promise has been made. */
  enter(pod: PodRun, node: NodeRun, at: number, begin: () => void): void {
    node.alter(at, () => {
      node.pods.add(pod);
      pod.node = node;
      begin();
    });
    this.#context.onRunning(pod, at);
  }

  /** It gives back what was promised. */
  leave(pod: PodRun, node: NodeRun, at: number): void {
    node.alter(at, () => node.pods.delete(pod));
    node.promise(pod, -1);
    this.#context.scheduler().noteFreer(node);
    if (pod.node === node) [pod.node, pod.snapshot] = [undefined, undefined];
  }

  freeze(pod: PodRun, at: number): void {
    pod.node?.alter(at, () => pod.clock.freeze(at));
  }

  /** Call within the node's `alter`, or where it enters one. */
  resume(pod: PodRun, at: number): void {
    pod.clock.resume(at);
    this.#awaitFinish(pod);
  }

  /** Its container is killed and starts again on the same node. */
  kill(pod: PodRun, at: number, cause: "NodeOutOfMemory" | "OverLimit"): void {
    const { node } = pod;
    if (node === undefined) return;
    pod.move?.abandon(at, "Lost");
    const lost = pod.lostWork(at);
    this.#context.events.push({ kind: "Killed", seconds: at, pod: pod.key, node: node.name, cause, lost });
    node.alter(at, () => pod.clock.stop(at));
    pod.state = "Down";
    if (pod.snapshot) pod.snapshot.phase = "Pending";
    const { version } = pod.clock;
    this.#context.queue.put(at + this.#backOff(pod, at), "Arrival", (later) => {
      if (pod.clock.version !== version || pod.state !== "Down") return;
      node.alter(later, () => this.#begin(pod, later));
      if (pod.snapshot) pod.snapshot.phase = "Running";
    });
  }

  /** Seconds until its container starts again. */
  #backOff(pod: PodRun, at: number): number {
    pod.killsInARow = at - pod.beganSeconds >= BACK_OFF.forgottenAfterSeconds ? 1 : pod.killsInARow + 1;
    const { restartSeconds } = this.#context;
    return Math.max(restartSeconds, Math.min(restartSeconds * 2 ** (pod.killsInARow - 1), BACK_OFF.atMostSeconds));
  }

  /** It leaves its node, and a successor of its owner's waits for one. */
  evict(pod: PodRun, at: number): void {
    const { node } = pod;
    if (node === undefined) return;
    pod.move?.abandon(at, "Lost");
    const lost = pod.lostWork(at);
    this.#context.events.push({ kind: "Evicted", seconds: at, pod: pod.key, node: node.name, lost });
    this.leave(pod, node, at);
    pod.clock.stop(at);
    pod.state = "Waiting";
    node.underPressureUntil = at + PRESSURE_SECONDS;
    this.#context.queue.put(node.underPressureUntil, "Arrival", () => this.#context.scheduler().noteFreer(node));
    this.#context.queue.put(at + this.#context.restartSeconds, "Arrival", () => this.arrive(pod));
  }

  #begin(pod: PodRun, at: number): void {
    pod.state = "Running";
    pod.beganSeconds = at;
    pod.clock.begin(at);
    this.#awaitFinish(pod);
  }

  #awaitFinish(pod: PodRun): void {
    const { durationSeconds } = pod.spec;
    if (durationSeconds === undefined) return;
    const { version } = pod.clock;
    this.#context.queue.put(pod.clock.whenDone(durationSeconds), "Finish", (at) => {
      if (pod.clock.version === version) this.#finish(pod, at);
    });
  }

  #finish(pod: PodRun, at: number): void {
    const { node } = pod;
    if (node === undefined) return;
    pod.move?.abandon(at, "RolledBack");
    this.#context.events.push({ kind: "Finished", seconds: at, pod: pod.key, node: node.name });
    this.leave(pod, node, at);
    pod.clock.stop(at);
    pod.state = "Finished";
    pod.record.finishedSeconds = at;
  }
}
