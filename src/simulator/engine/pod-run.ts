/** A pod in the simulation: where it is, how far its work is, what memory it has. Seconds since the simulation's start. */
import type { PodSnapshot } from "../../planning/snapshot.ts";
import type { LostWork, MoveOutcome, PodRecord } from "../run-record.ts";
import type { SimulatedPod } from "../scenario.ts";
import type { NodeRun } from "./node-run.ts";
import { byteSecondsUntil, bytesAt, locate, slopeFrom } from "./trace.ts";
import { WorkClock } from "./work-clock.ts";

/** `Waiting`: for a node. `Down`: killed, and about to start again on its node. */
export type PodState = "Waiting" | "Running" | "Down" | "Finished";

export class PodRun {
  readonly spec: SimulatedPod;
  /** `namespace/name`. */
  readonly key: string;
  readonly record: PodRecord;
  state: PodState = "Waiting";
  node: NodeRun | undefined;
  readonly clock = new WorkClock();
  /** The move under way. */
  move: { abandon(at: number, outcome: MoveOutcome): void } | undefined;
  /** Since when it, or the pods it was before its moves, runs; since the eviction, after one. */
  startedSeconds = 0;
  /** When its container began its work, and how often it was killed before it had run for long. */
  beganSeconds = 0;
  killsInARow = 0;
  /** The first pod's UID of its lineage, its own, and how often the lineage was moved. */
  lineage = "";
  uid = "";
  migrations = 0;
  /** Moves begun in all: numbers them. */
  movesBegun = 0;
  /** What planning sees of it while it is on a node. */
  snapshot: PodSnapshot | undefined;
  /** The straight piece of its trace that it is on. */
  #index = 0;
  #instances = 0;

  constructor(spec: SimulatedPod) {
    this.spec = spec;
    this.key = `${spec.namespace}/${spec.name}`;
    this.record = {
      pod: this.key,
      arrivalSeconds: spec.arrivalSeconds,
      scheduledSeconds: undefined,
      finishedSeconds: undefined,
      durationSeconds: spec.durationSeconds,
      workedSeconds: 0,
    };
  }

  /** A pod of a new UID; `lineage` goes on only after a move. */
  renew({ sameLineage }: { sameLineage: boolean }): void {
    this.#instances += 1;
    this.uid = `${this.key}#${this.#instances}`;
    if (!sameLineage) {
      this.lineage = this.uid;
      this.migrations = 0;
    }
  }

  bytesAt(at: number): number {
    if (this.clock.pace === "Down") return 0;
    const work = this.clock.workAt(at);
    this.#index = locate(this.spec.trace, work, this.#index);
    return bytesAt(this.spec.trace, work, this.#index);
  }

  /** Bytes per second, right after what {@link bytesAt} was last asked for. */
  slope(): number {
    return this.clock.pace === "Working" ? slopeFrom(this.spec.trace, this.#index) : 0;
  }

  /** Until when memory follows that slope, and stays within the limit if it is. */
  pieceEnds(at: number, bytes: number, slope: number): number {
    const { trace, limitBytes } = this.spec;
    const next = trace.seconds[this.#index + 1];
    if (this.clock.pace !== "Working" || next === undefined) return Number.POSITIVE_INFINITY;
    const ends = this.clock.whenDone(next);
    if (limitBytes === undefined || bytes > limitBytes || slope <= 0) return ends;
    return Math.min(ends, at + (limitBytes - bytes) / slope);
  }

  exceedsLimit(at: number): boolean {
    return this.spec.limitBytes !== undefined && this.bytesAt(at) > this.spec.limitBytes;
  }

  /** What is lost when it has to begin anew now. */
  lostWork(at: number): LostWork {
    const seconds = this.clock.workAt(at);
    return { seconds, byteSeconds: byteSecondsUntil(this.spec.trace, seconds) };
  }
}
