/** What memory will be, for the clairvoyant reference: as things stand, without kills, moves and arrivals to come. */
import type { Series } from "../../planning/snapshot.ts";
import type { Trace } from "../scenario.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import { bytesAt, locate } from "./trace.ts";

/** Further ahead nobody asks. */
const FORESEEN_SECONDS = 3600;

type ToMs = (seconds: number) => number;

/** A pod's whole life on the clock, made anew only when it was frozen or began anew; handed out from now on. */
export class PodFuture {
  readonly #pod: PodRun;
  readonly #toMs: ToMs;
  #version = -1;
  #life: Series = { timesMs: new Float64Array(0), bytes: new Float64Array(0) };
  #place = 0;

  constructor(pod: PodRun, toMs: ToMs) {
    this.#pod = pod;
    this.#toMs = toMs;
  }

  from(at: number): Series {
    const { clock } = this.#pod;
    if (clock.pace !== "Working") {
      return { timesMs: Float64Array.of(this.#toMs(at)), bytes: Float64Array.of(this.#pod.bytesAt(at)) };
    }
    if (clock.version !== this.#version) {
      this.#life = lifeOf(this.#pod, at, this.#toMs);
      this.#version = clock.version;
      this.#place = 0;
    }
    const { timesMs, bytes } = this.#life;
    const onClock: Trace = { seconds: timesMs, bytes };
    this.#place = locate(onClock, this.#toMs(at), this.#place);
    const end = locate(onClock, this.#toMs(at + FORESEEN_SECONDS), this.#place) + 2;
    return { timesMs: timesMs.subarray(this.#place, end), bytes: bytes.subarray(this.#place, end) };
  }
}

/** The points of its trace on the clock; when it finishes its memory is gone. */
function lifeOf({ spec, clock }: PodRun, at: number, toMs: ToMs): Series {
  const { seconds, bytes } = spec.trace;
  const begun = at - clock.workAt(at);
  const ends = spec.durationSeconds ?? Number.POSITIVE_INFINITY;
  const shown = seconds.filter((work) => work < ends);
  const last = spec.durationSeconds === undefined ? [] : [ends];
  const endBytes = last.map((work) => bytesAt(spec.trace, work, locate(spec.trace, work, shown.length)));
  return {
    timesMs: Float64Array.from([
      ...Array.from(shown, (work) => toMs(begun + work)),
      ...last.flatMap((work) => [toMs(begun + work), toMs(begun + work) + 1]),
    ]),
    bytes: Float64Array.from([...bytes.subarray(0, shown.length), ...endBytes.flatMap((value) => [value, 0])]),
  };
}

/** The sum of its pods at every step from now on, and what moves have staged. */
export function nodeFuture(node: NodeRun, at: number, stepSeconds: number, toMs: ToMs): Series {
  const count = Math.floor(FORESEEN_SECONDS / stepSeconds) + 1;
  const timesMs = Float64Array.from({ length: count }, (_, step) => toMs(at + step * stepSeconds));
  const bytes = new Float64Array(count).fill(node.stagedBytes);
  for (const pod of node.pods) addPod(pod, bytes, at, stepSeconds);
  return { timesMs, bytes };
}

function addPod({ spec, clock }: PodRun, sum: Float64Array, at: number, stepSeconds: number): void {
  if (clock.pace === "Down") return;
  const pace = clock.pace === "Working" ? 1 : 0;
  const ends = spec.durationSeconds ?? Number.POSITIVE_INFINITY;
  const workNow = clock.workAt(at);
  let place = 0;
  for (let step = 0; step < sum.length; step++) {
    const work = workNow + pace * step * stepSeconds;
    if (work >= ends) return;
    place = locate(spec.trace, work, place);
    sum[step] = (sum[step] ?? 0) + bytesAt(spec.trace, work, place);
  }
}
