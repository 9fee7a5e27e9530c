/** A run's events as the page marks them: a move is one mark from its start to its end, a closed gate one stretch. */
import type { DecisionRecord, RunEvent, RunRecord } from "../../run-record.ts";
import type { LossMark, Mark, MoveMark, StretchMark } from "./page-data.ts";

type EventOf<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;

/** Marks in order of time. `decisions`: those that the page keeps, to which marks point by index. */
export function marksOf(run: RunRecord, decisions: readonly DecisionRecord[]): Mark[] {
  const collector = new MarkCollector(run, decisions);
  for (const event of run.events) collector.add(event);
  return collector.marks;
}

class MarkCollector {
  readonly marks: Mark[] = [];
  readonly #nodes: Map<string, number>;
  readonly #decisions: Map<number, number>;
  /** Closer than this, two findings that no node has room are one stretch. */
  readonly #evaluationSeconds: number;
  readonly #moving = new Map<string, MoveMark>();
  readonly #stretches = new Map<string, StretchMark>();

  constructor(run: RunRecord, decisions: readonly DecisionRecord[]) {
    this.#nodes = new Map(run.nodes.map(({ node }, index) => [node, index]));
    this.#decisions = new Map(decisions.map(({ seconds }, index) => [seconds, index]));
    this.#evaluationSeconds = run.evaluations > 0 ? run.endSeconds / run.evaluations : 0;
  }

  add(event: RunEvent): void {
    switch (event.kind) {
      case "Killed":
        this.marks.push(this.#loss(event, event.cause === "OverLimit" ? "LimitKill" : "Kill"));
        break;
      case "Evicted":
        this.marks.push(this.#loss(event, "Eviction"));
        break;
      case "MoveStarted":
        this.#startMove(event);
        break;
      case "MoveEnded":
        this.#endMove(event);
        break;
      case "GateClosed":
        this.#open("Gate", event);
        break;
      case "GateOpened":
        this.#close("Gate", event);
        break;
      case "NodesFull":
        this.#noRoom(event);
        break;
    }
  }

  #node(name: string): number {
    return this.#nodes.get(name) ?? -1;
  }

  #decidedAt(seconds: number): { decision?: number } {
    const decision = this.#decisions.get(seconds);
    return decision === undefined ? {} : { decision };
  }

  #loss(event: EventOf<"Killed" | "Evicted">, kind: LossMark["kind"]): LossMark {
    return {
      kind,
      at: event.seconds,
      node: this.#node(event.node),
      pod: event.pod,
      lostSeconds: event.lost.seconds,
      lostByteSeconds: event.lost.byteSeconds,
    };
  }

  #startMove(event: EventOf<"MoveStarted">): void {
    const mark: MoveMark = {
      kind: "Move",
      at: event.seconds,
      pod: event.pod,
      from: this.#node(event.from),
      to: this.#node(event.to),
      bytes: event.bytes,
      policy: event.policy,
      reason: event.move.reason,
      message: event.move.message,
      ...this.#decidedAt(event.seconds),
    };
    this.marks.push(mark);
    this.#moving.set(event.pod, mark);
  }

  #endMove(event: EventOf<"MoveEnded">): void {
    const mark = this.#moving.get(event.pod);
    if (mark === undefined) return;
    this.#moving.delete(event.pod);
    mark.end = event.seconds;
    mark.outcome = event.outcome;
    mark.frozenSeconds = event.frozenSeconds;
  }

  #open(kind: StretchMark["kind"], event: { seconds: number; node: string; policy: string }): StretchMark {
    const { seconds: at, policy } = event;
    const mark: StretchMark = { kind, at, node: this.#node(event.node), policy, ...this.#decidedAt(at) };
    this.marks.push(mark);
    this.#stretches.set(`${kind} ${event.node} ${policy}`, mark);
    return mark;
  }

  #close(kind: StretchMark["kind"], event: { seconds: number; node: string; policy: string }): void {
    const key = `${kind} ${event.node} ${event.policy}`;
    const mark = this.#stretches.get(key);
    if (mark === undefined) return;
    this.#stretches.delete(key);
    mark.end = event.seconds;
  }

  #noRoom(event: EventOf<"NodesFull">): void {
    const open = this.#stretches.get(`NodesFull ${event.node} ${event.policy}`);
    const goesOn = open?.end !== undefined && event.seconds <= open.end + this.#evaluationSeconds * 1.01;
    const mark = goesOn ? open : this.#open("NodesFull", event);
    mark.end = event.seconds + this.#evaluationSeconds;
    mark.times = (mark.times ?? 0) + 1;
  }
}
