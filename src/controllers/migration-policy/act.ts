/** Carries a decision out: PodMigrations, gates, statuses, events, history. A failure concerns one policy, never the others. */
import { FINALIZER } from "../../api/v1alpha1/group.ts";
import {
  MIGRATION_POLICIES,
  type MigrationPolicy,
  type MigrationPolicyStatus,
} from "../../api/v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { type ControllerContext, refOf, type Term } from "../../kube/controller.ts";
import { addFinalizer, hasFinalizer, removeFinalizer } from "../../kube/finalizers.ts";
import type { MetricsUnavailable } from "../../metrics/source.ts";
import { type Decision, isDue, type PlannedMove } from "../../planning/decision.ts";
import type { AgentProblem } from "../node-reports/agent-problem.ts";
import { applyTaint, gatesToKeep, taintChanges } from "../scheduling-gate/taints.ts";
import { createMove, recordCause } from "./create-moves.ts";
import { newsOf } from "./news.ts";
import { surplusHistory } from "./prune-history.ts";
import type { ReadPolicies, ReadPolicy } from "./read-policies.ts";
import type { EvaluationState } from "./state.ts";
import { statusOf, statusOfWrong, worthWriting } from "./status.ts";

/** Finished PodMigrations deleted in one evaluation at most. */
const MAX_PRUNED = 50;

/** What one evaluation is carried out with. */
export interface Action {
  context: ControllerContext;
  term: Term;
  state: EvaluationState;
  decision: Decision;
  read: ReadPolicies;
  due: readonly ReadPolicy[];
  /** Being deleted: their taints go, then their finalizer. */
  leaving: readonly MigrationPolicy[];
  migrations: readonly PodMigration[];
  unavailable(policy: ReadPolicy): MetricsUnavailable | undefined;
  /** By node. */
  agentProblems: ReadonlyMap<string, AgentProblem>;
  failures: Failures;
}

/** What went wrong, by policy. */
export class Failures {
  readonly #messages = new Map<string, string>();

  /** Runs the step; what it throws is noted, the first for each policy. */
  async guard(policy: string, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!this.#messages.has(policy))
        this.#messages.set(policy, error instanceof Error ? error.message : String(error));
    }
  }

  of(policy: string): string | undefined {
    return this.#messages.get(policy);
  }

  all(): [policy: string, message: string][] {
    return [...this.#messages];
  }
}

/** Moves first: they are what is urgent. */
export async function carryOut(action: Action): Promise<void> {
  await startMoves(action);
  await syncGates(action);
  await writeStatuses(action);
  await pruneHistories(action);
}

async function startMoves({ context, term, state, decision, due, migrations, failures }: Action): Promise<void> {
  const enforcing = new Map(due.filter(({ policy }) => !policy.dryRun).map((read) => [read.policy.name, read]));
  for (const move of decision.moves.filter((one) => isDue(one, decision.timeMs))) {
    const read = enforcing.get(move.policy);
    if (read === undefined || term.signal.aborted) continue;
    await failures.guard(move.policy, async () => {
      const order = { move, migration: read.spec.migration, existing: migrations };
      const created = await createMove(context.client, order);
      state.noteCreated(created, context.clock.monotonicMs());
      announce(context, read.object, created, move);
      await recordCause(context.client, created, move, decision);
    });
  }
}

function announce(context: ControllerContext, policy: MigrationPolicy, created: PodMigration, move: PlannedMove): void {
  const { namespace, pod, from, to, message } = move;
  const summary = `${namespace}/${pod} goes from ${from} to ${to} (${created.metadata.name}): ${message}`;
  context.events.record(policy, "Normal", "MoveStarted", summary);
  const object = context.stores.pods.get({ namespace, name: pod });
  if (object) context.events.record(object, "Normal", "MoveStarted", `policy ${move.policy}: ${summary}`);
  context.logger.info("move started", {
    policy: move.policy,
    migration: created.metadata.name,
    namespace,
    pod,
    from,
    to,
  });
}

async function syncGates(action: Action): Promise<void> {
  const { context, decision, read, failures, leaving } = action;
  const dryRun = new Set(read.policies.filter(({ policy }) => policy.dryRun).map(({ policy }) => policy.name));
  const closed = decision.gates.filter((gate) => gate.closed && !dryRun.has(gate.policy));
  const nodes = context.stores.nodes.list();
  const wanted = new Map([
    ...gatesToKeep(nodes, new Set(read.wrong.map(({ object }) => object.metadata.name))),
    ...closed.map((gate) => [gate.node, gate.policy] as const),
  ]);
  const changes = taintChanges(nodes, wanted);
  const held = await holdPolicies(action, new Set(changes.flatMap(({ policy }) => policy ?? [])));
  for (const change of changes) {
    if (action.term.signal.aborted) return;
    if (change.policy !== undefined && !held.has(change.policy)) continue;
    await failures.guard(
      change.policy ?? change.was ?? "",
      async () => void (await applyTaint(context.client, change)),
    );
  }
  for (const policy of leaving) await letGo(action, policy);
}

/** A policy that taints a node has a finalizer first: it cannot go and leave its taints behind. Those that have it. */
async function holdPolicies({ context, read, failures }: Action, names: ReadonlySet<string>): Promise<Set<string>> {
  const held = new Set<string>();
  for (const { object } of read.policies.filter(({ policy }) => names.has(policy.name))) {
    const { name } = object.metadata;
    await failures.guard(name, async () => {
      const fresh = hasFinalizer(object, FINALIZER) ? object : await context.client.get(MIGRATION_POLICIES, { name });
      if (fresh === undefined) return;
      await addFinalizer(context.client, MIGRATION_POLICIES, fresh, FINALIZER);
      held.add(name);
    });
  }
  return held;
}

async function letGo({ context, failures }: Action, policy: MigrationPolicy): Promise<void> {
  const { name } = policy.metadata;
  if (failures.of(name) !== undefined) return;
  await failures.guard(name, async () => {
    const fresh = await context.client.get(MIGRATION_POLICIES, { name });
    if (fresh?.metadata.deletionTimestamp) await removeFinalizer(context.client, MIGRATION_POLICIES, fresh, FINALIZER);
  });
}

async function writeStatuses(action: Action): Promise<void> {
  const nowMs = action.context.clock.now();
  for (const read of action.due) {
    const { name } = read.policy;
    const outcome = {
      decision: action.decision,
      unavailable: action.unavailable(read),
      agentProblems: action.agentProblems,
      failure: action.failures.of(name),
      migrations: action.migrations,
    };
    await writeStatus(action, read.object, statusOf(read, outcome, nowMs), nowMs);
  }
  for (const { object, message } of action.read.wrong) {
    await writeStatus(action, object, statusOfWrong(object, message, nowMs), nowMs);
  }
}

async function writeStatus(action: Action, object: MigrationPolicy, status: MigrationPolicyStatus, nowMs: number) {
  const { context, decision, failures, term } = action;
  if (term.signal.aborted || !worthWriting(object.status, status, nowMs)) return;
  const gates = decision.gates.filter((gate) => gate.policy === object.metadata.name);
  for (const { type, reason, message } of newsOf(object.status, status, gates)) {
    context.events.record(object, type, reason, message);
  }
  await failures.guard(object.metadata.name, async () => {
    // Unconditional: this controller alone writes it, and its members that are not given are removed.
    const body = { status: { ...ABSENT, ...status } };
    await context.client.patch(MIGRATION_POLICIES, refOf(object), body, { subresource: "status" });
  });
}

/** In a merge patch null removes. */
const ABSENT: Record<keyof MigrationPolicyStatus, null> = {
  observedGeneration: null,
  lastEvaluationTime: null,
  counts: null,
  nodes: null,
  recommendations: null,
  refusals: null,
  conditions: null,
};

async function pruneHistories({ context, term, due, migrations, failures }: Action): Promise<void> {
  for (const { policy, spec } of due.filter((read) => !read.policy.dryRun)) {
    const surplus = surplusHistory(migrations, policy.name, spec.history.keep, context.clock.now());
    for (const { metadata } of surplus.slice(0, MAX_PRUNED)) {
      if (term.signal.aborted) return;
      const { namespace, name, uid } = metadata;
      await failures.guard(policy.name, () =>
        context.client.delete(POD_MIGRATIONS, { namespace, name }, uid ? { uid } : {}),
      );
    }
  }
}
