/**
 * Moves: the fixed part of one goes by while the pod still runs and grows on its source; then it is frozen, its memory is sent, and it goes on
 * on the target, or on the source if the move fails. The target holds what was planned from the start; once the pod is frozen it
 * holds what is sent and, beside it, what is restored from that. Whatever ends a move before its commit leaves the pod to its source.
 */
import type { PlannedMove } from "../../planning/decision.ts";
import type { MoveSnapshot } from "../../planning/snapshot.ts";
import { randomOf } from "../random.ts";
import type { MoveOutcome, RunEvent } from "../run-record.ts";
import type { Conditions } from "../scenario.ts";
import type { EventQueue } from "./event-queue.ts";
import { Network, type Transfer } from "./network.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodLives } from "./pod-lives.ts";
import type { PodRun } from "./pod-run.ts";
import type { Scheduler } from "./scheduling.ts";

/** Finished moves that stay on record, as a policy's `history.keep` by default. */
const KEPT_MOVES = 200;

export interface MovesContext {
  seed: number;
  conditions: Conditions["moves"];
  queue: EventQueue;
  events: RunEvent[];
  lives: PodLives;
  scheduler(): Scheduler;
  toMs(seconds: number): number;
}

/** A move under way. */
export interface MoveRun {
  readonly planned: PlannedMove;
  readonly pod: PodRun;
  readonly source: NodeRun;
  readonly target: NodeRun;
  readonly startedSeconds: number;
  /** What this one takes of what moves of its size take. */
  readonly factor: number;
  readonly fails: boolean;
  readonly snapshot: MoveSnapshot;
  /** Undefined: not frozen yet. */
  frozenAt: number | undefined;
  bytes: number;
  /** Held on the target. */
  heldBytes: number;
  abandon(at: number, outcome: MoveOutcome): void;
}

export class Moves {
  readonly #context: MovesContext;
  readonly #network: Network;
  readonly #underWay = new Set<MoveRun>();
  readonly #transfers = new Map<MoveRun, Transfer>();
  #past: MoveSnapshot[] = [];

  constructor(context: MovesContext) {
    this.#context = context;
    this.#network = new Network(context.queue);
  }

  /** Under way and the last that ended. */
  snapshots(): MoveSnapshot[] {
    return [...this.#past, ...Array.from(this.#underWay, ({ snapshot }) => snapshot)];
  }

  /** Those that are restored on this node: processes that the kernel may kill. */
  restoredOn(node: NodeRun): MoveRun[] {
    return [...this.#underWay].filter(({ target, frozenAt }) => target === node && frozenAt !== undefined);
  }

  begin(planned: PlannedMove, pod: PodRun, nodes: { source: NodeRun; target: NodeRun }, timeout: number, at: number) {
    const move = this.#order(planned, pod, nodes, at);
    this.#underWay.add(move);
    pod.move = move;
    move.target.promise(pod, 1);
    hold(move, planned.bytes, at);
    const { namespace: _, pod: __, from, to, bytes, policy } = planned;
    this.#context.events.push({
      kind: "MoveStarted",
      seconds: at,
      pod: pod.key,
      from,
      to,
      bytes,
      policy,
      move: planned,
    });
    const { queue, conditions } = this.#context;
    queue.put(at + conditions.fixedSeconds * move.factor, "Move", (then) => this.#freeze(move, then));
    queue.put(at + timeout, "Move", (then) => this.#end(move, "RolledBack", then));
  }

  #order(planned: PlannedMove, pod: PodRun, nodes: { source: NodeRun; target: NodeRun }, at: number): MoveRun {
    const { seed, conditions, toMs } = this.#context;
    pod.movesBegun += 1;
    const random = randomOf(seed, "move", pod.key, pod.movesBegun);
    const fails = random.next() < conditions.failureRate;
    const move: MoveRun = {
      planned,
      pod,
      ...nodes,
      startedSeconds: at,
      factor: Math.exp(conditions.noise * random.normal()),
      fails,
      snapshot: {
        namespace: pod.spec.namespace,
        name: `${pod.spec.name}-${pod.movesBegun}`,
        pod: pod.spec.name,
        podUID: pod.uid,
        lineage: pod.lineage,
        policy: planned.policy,
        from: planned.from,
        to: planned.to,
        memoryBytes: planned.bytes,
        phase: "Preparing",
        startedAtMs: toMs(at),
      },
      frozenAt: undefined,
      bytes: planned.bytes,
      heldBytes: 0,
      abandon: (then, outcome) => this.#end(move, outcome, then),
    };
    return move;
  }

  #freeze(move: MoveRun, at: number): void {
    if (!this.#underWay.has(move)) return;
    const { pod, source, target, snapshot, factor } = move;
    move.frozenAt = at;
    move.bytes = pod.bytesAt(at);
    snapshot.phase = "Frozen";
    snapshot.memoryBytes = move.bytes;
    this.#context.lives.freeze(pod, at);
    hold(move, 2 * move.bytes, at);
    const done = (then: number) => this.#end(move, move.fails ? "RolledBack" : "Succeeded", then);
    const transfer = { from: source.name, to: target.name, done };
    this.#transfers.set(move, transfer);
    this.#network.begin(transfer, move.bytes * this.#context.conditions.secondsPerByte * factor, at);
  }

  #end(move: MoveRun, outcome: MoveOutcome, at: number): void {
    if (!this.#underWay.delete(move)) return;
    const { pod, target } = move;
    pod.move = undefined;
    const transfer = this.#transfers.get(move);
    if (transfer) this.#network.end(transfer, at);
    this.#transfers.delete(move);
    hold(move, 0, at);
    if (outcome === "Succeeded") this.#commit(move, at);
    else this.#goOn(move, at);
    this.#note(move, outcome, at);
    if (outcome !== "Succeeded") {
      target.promise(pod, -1);
      this.#context.scheduler().noteFreer(target);
    }
  }

  #commit({ pod, source, target }: MoveRun, at: number): void {
    const { lives } = this.#context;
    lives.leave(pod, source, at);
    pod.renew({ sameLineage: true });
    pod.migrations += 1;
    lives.enter(pod, target, at, () => lives.resume(pod, at));
  }

  #goOn({ pod, source, frozenAt }: MoveRun, at: number): void {
    if (frozenAt !== undefined) source.alter(at, () => this.#context.lives.resume(pod, at));
  }

  #note({ pod, planned, snapshot, startedSeconds, frozenAt, bytes }: MoveRun, outcome: MoveOutcome, at: number): void {
    const frozenSeconds = frozenAt === undefined ? 0 : at - frozenAt;
    const { from, to } = planned;
    this.#context.events.push({
      kind: "MoveEnded",
      seconds: at,
      pod: pod.key,
      from,
      to,
      bytes,
      outcome,
      frozenSeconds,
      tookSeconds: at - startedSeconds,
    });
    snapshot.phase = outcome === "Lost" ? "Failed" : outcome;
    snapshot.finishedAtMs = this.#context.toMs(at);
    snapshot.freezeMilliseconds = Math.round(frozenSeconds * 1000);
    if (outcome === "Succeeded") snapshot.transferredBytes = bytes;
    this.#past = [...this.#past, snapshot].slice(-KEPT_MOVES);
  }
}

function hold(move: MoveRun, bytes: number, at: number): void {
  const { source, target } = move;
  source.steps += 1;
  target.steps += 1;
  target.alter(at, () => {
    target.stagedBytes += bytes - move.heldBytes;
    move.heldBytes = bytes;
  });
}
