/** The operator in the simulation: the planning code itself, on what the metrics source shows; what it decides is done. */
import type { Decision, PlannedMove } from "../../planning/decision.ts";
import { evaluate } from "../../planning/evaluate.ts";
import { KeptFits } from "../../planning/foresight/kept-fits.ts";
import type { Policy } from "../../planning/policy.ts";
import type { ClusterSnapshot, NodeSnapshot, PlanningMemory, PodSnapshot } from "../../planning/snapshot.ts";
import type { DecisionRecord, RunEvent } from "../run-record.ts";
import type { ForecastTally } from "./forecast-tally.ts";
import type { Moves } from "./moves.ts";
import type { NodeRun } from "./node-run.ts";
import type { Observer } from "./observed.ts";
import type { Scheduler } from "./scheduling.ts";

export interface OperatorContext {
  nodes: readonly NodeRun[];
  events: RunEvent[];
  moves: Moves;
  observer: Observer;
  scheduler(): Scheduler;
  toMs(seconds: number): number;
  /** Decisions are kept. */
  decisions: boolean;
  forecasts: ForecastTally | undefined;
}

interface Turn {
  policy: Policy;
  dueAt: number;
}

export class Operator {
  readonly #context: OperatorContext;
  readonly #policies: readonly Policy[];
  readonly #turns: Turn[];
  readonly #nodes: ReadonlyMap<string, NodeRun>;
  #memory: PlanningMemory | undefined;
  readonly #fits = new KeptFits();
  evaluations = 0;
  readonly decisions: DecisionRecord[] = [];

  constructor(policies: readonly Policy[], context: OperatorContext) {
    this.#context = context;
    // What a policy in DryRun would do is just what is asked for here.
    this.#policies = policies.map((policy) => ({ ...policy, dryRun: false }));
    this.#turns = this.#policies.map((policy) => ({ policy, dueAt: policy.evaluationIntervalSeconds }));
    this.#nodes = new Map(context.nodes.map((node) => [node.name, node]));
  }

  /** When the next policy is due; never without policies. */
  get nextAt(): number {
    return Math.min(...this.#turns.map(({ dueAt }) => dueAt));
  }

  run(at: number): void {
    const due = new Set(this.#turns.filter(({ dueAt }) => dueAt <= at).map(({ policy }) => policy));
    for (const turn of this.#turns) if (due.has(turn.policy)) turn.dueAt = at + turn.policy.evaluationIntervalSeconds;
    this.#context.observer.advance(at);
    const isDue = (policy: Policy) => due.has(policy);
    const options = { isDue, refusals: this.#context.decisions, fits: this.#fits };
    const { decision, memory } = evaluate(this.#snapshot(at), this.#policies, options);
    this.#memory = memory;
    this.evaluations += 1;
    const dueNames = new Set([...due].map(({ name }) => name));
    const wentBy = decision.nodes.filter(({ policy }) => dueNames.has(policy));
    this.#context.forecasts?.note(wentBy, this.#nodes);
    this.#carryOut(decision, at);
  }

  #snapshot(at: number): ClusterSnapshot {
    const { nodes, moves, toMs } = this.#context;
    const pods: PodSnapshot[] = [];
    for (const node of nodes) for (const { snapshot } of node.pods) if (snapshot) pods.push(snapshot);
    return {
      timeMs: toMs(at),
      nodes: nodes.flatMap<NodeSnapshot>(({ snapshot }) => snapshot ?? []),
      pods,
      moves: moves.snapshots(),
      ...(this.#memory && { memory: this.#memory }),
    };
  }

  #carryOut(decision: Decision, at: number): void {
    const begun = this.#beginMoves(decision, at);
    const gated = this.#syncGates(decision, at);
    const full = decision.nodes.filter(({ outcome }) => outcome === "NodesFull");
    for (const { name, policy } of full) {
      this.#context.events.push({ kind: "NodesFull", seconds: at, node: name, policy });
    }
    if (!this.#context.decisions || (begun.length === 0 && !gated && full.length === 0)) return;
    const nodes = decision.nodes.filter(({ pressureBytes }) => pressureBytes > 0);
    this.decisions.push({ seconds: at, moves: begun, nodes, refusals: decision.refusals });
  }

  /** Those that are due; the others are decided anew until they are. */
  #beginMoves(decision: Decision, at: number): PlannedMove[] {
    const nowMs = this.#context.toMs(at);
    return decision.moves.filter((planned) => planned.startAtMs <= nowMs && this.#begin(planned, at));
  }

  #begin(planned: PlannedMove, at: number): boolean {
    const [source, target] = [this.#nodes.get(planned.from), this.#nodes.get(planned.to)];
    const policy = this.#policies.find(({ name }) => name === planned.policy);
    if (source === undefined || target === undefined || policy === undefined) return false;
    const pod = [...source.pods].find(({ uid }) => uid === planned.podUID);
    if (pod?.state !== "Running" || pod.move !== undefined) return false;
    this.#context.moves.begin(planned, pod, { source, target }, policy.moveTimeoutSeconds, at);
    return true;
  }

  /** The taints as wanted; true when one was put on. */
  #syncGates({ gates }: Decision, at: number): boolean {
    const wanted = new Map(gates.filter(({ closed }) => closed).map(({ node, policy }) => [node, policy]));
    let closes = false;
    for (const node of this.#context.nodes) {
      const [was, policy] = [node.gate, wanted.get(node.name)];
      if (was === policy) continue;
      node.setGate(policy);
      closes ||= policy !== undefined;
      if (was !== undefined) this.#note("GateOpened", node, was, at);
      if (policy !== undefined) this.#note("GateClosed", node, policy, at);
      else this.#context.scheduler().noteFreer(node);
    }
    return closes;
  }

  #note(kind: "GateClosed" | "GateOpened", node: NodeRun, policy: string, at: number): void {
    this.#context.events.push({ kind, seconds: at, node: node.name, policy });
  }
}
