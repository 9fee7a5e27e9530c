/**
 * The MigrationPolicy controller. All policies are evaluated together, so there is one key for all of them: gather a
 * snapshot, decide, act. Each policy has its own turn, every `evaluationInterval`.
 */

import { GATE_TAINT } from "../../api/v1alpha1/group.ts";
import {
  type MetricsSourceName,
  MIGRATION_POLICIES,
  type MigrationPolicy,
} from "../../api/v1alpha1/migration-policy.ts";
import { isAgentPod } from "../../checkpointing/trust/agent-sites.ts";
import {
  type Controller,
  type ControllerContext,
  type ReconcileResult,
  type Term,
  watchRule,
} from "../../kube/controller.ts";
import { NODES, type Node } from "../../kube/resources.ts";
import type { CollectResult } from "../../metrics/source.ts";
import { evaluate } from "../../planning/evaluate.ts";
import { agentProblems } from "../node-reports/agent-problem.ts";
import { carryOut, Failures } from "./act.ts";
import { allMigrations, buildSnapshot, type NodeReports } from "./build-snapshot.ts";
import type { CollectFigures } from "./collect-figures.ts";
import { type ReadPolicy, readPolicies } from "./read-policies.ts";
import { EvaluationState } from "./state.ts";

/** The one key: every policy, evaluated together. */
const ALL = { name: "all-policies" };
/** After a policy's deletion or a failure, look again after this time, for what the stores did not show yet. */
const SECOND_LOOK_MS = 5_000;

export function migrationPolicyController(
  context: ControllerContext,
  collect: CollectFigures,
  reports: NodeReports,
): Controller {
  let current: { epoch: number; state: EvaluationState } | undefined;
  /** What an earlier term remembered may be long out of date. */
  const stateOf = ({ epoch }: Term) => {
    if (current?.epoch !== epoch) current = { epoch, state: new EvaluationState() };
    return current.state;
  };
  return {
    name: "migration-policy",
    watches: [
      watchRule({ kind: MIGRATION_POLICIES, keys: (policy, before) => (isNews(policy, before) ? [ALL] : []) }),
      watchRule({ kind: NODES, keys: (node) => (hasOrphanTaint(context, node) ? [ALL] : []) }),
    ],
    initialKeys: [ALL],
    concurrency: 1,
    reconcile: (_key, term) => evaluateAll({ context, collect, reports }, term, stateOf(term)),
  };
}

/** Not what this controller writes itself: its status. A deletion comes with the last state as both. */
function isNews(policy: MigrationPolicy, before: MigrationPolicy | undefined): boolean {
  if (before === undefined || before === policy) return true;
  const seen = ({ metadata }: MigrationPolicy) =>
    `${metadata.uid}/${metadata.generation}/${metadata.deletionTimestamp}`;
  return seen(policy) !== seen(before);
}

function hasOrphanTaint({ stores }: ControllerContext, node: Node): boolean {
  const taint = node.spec?.taints?.find(({ key }) => key === GATE_TAINT);
  return taint !== undefined && stores.migrationPolicies.get({ name: taint.value ?? "" }) === undefined;
}

interface World {
  context: ControllerContext;
  collect: CollectFigures;
  reports: NodeReports;
}

async function evaluateAll(
  { context, collect, reports }: World,
  term: Term,
  state: EvaluationState,
): Promise<ReconcileResult> {
  const { clock, logger, stores } = context;
  const startMs = clock.monotonicMs();
  const objects = stores.migrationPolicies.list();
  const leaving = objects.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const read = readPolicies(objects.filter(({ metadata }) => metadata.deletionTimestamp === undefined));
  const due = read.policies.filter((policy) => state.isDue(policy, startMs));
  const collected = await collectAll(collect, due);
  if (term.signal.aborted) return {};
  const nowMs = clock.now();
  const stored = stores.podMigrations.list();
  const migrations = allMigrations(stored, state.created(stored, clock.monotonicMs()));
  const snapshot = buildSnapshot({ context, nowMs, migrations, collected, memory: state.memory, reports });
  const dueNames = new Set(due.map(({ policy }) => policy.name));
  const { decision, memory } = evaluate(
    snapshot,
    read.policies.map(({ policy }) => policy),
    { isDue: (policy) => dueNames.has(policy.name), fits: state.fits },
  );
  state.memory = memory;
  state.noteEvaluated(due, startMs);
  const failures = new Failures();
  const unavailable = ({ source }: ReadPolicy) => errorOf(collected.get(source));
  const outcome = { decision, unavailable, agentProblems: problemsOfAgents(context, reports) };
  await carryOut({ context, term, state, ...outcome, read, due, leaving, migrations, failures });
  for (const [policy, error] of failures.all()) logger.error("a step of a policy failed", { policy, error });
  return again(read.policies, state, clock.monotonicMs(), leaving.length > 0 || failures.all().length > 0);
}

function problemsOfAgents({ clock, stores, namespace }: ControllerContext, reports: NodeReports) {
  const nodes = stores.nodes.list().map(({ metadata }) => metadata.name);
  const pods = stores.pods.list(namespace).filter(isAgentPod);
  return agentProblems(nodes, { pods, namespace, reportOf: (node) => reports.get(node), nowMs: clock.now() });
}

/** Each source once, side by side. */
async function collectAll(
  collect: CollectFigures,
  due: readonly ReadPolicy[],
): Promise<Map<MetricsSourceName, CollectResult>> {
  const sources = [...new Set(due.map(({ source }) => source))];
  return new Map(await Promise.all(sources.map(async (source) => [source, await collect(source)] as const)));
}

const errorOf = (result: CollectResult | undefined) => (result && !result.ok ? result.error : undefined);

function again(policies: readonly ReadPolicy[], state: EvaluationState, nowMs: number, soon: boolean): ReconcileResult {
  const next = [...policies.map((policy) => state.dueAtMs(policy) - nowMs), ...(soon ? [SECOND_LOOK_MS] : [])];
  return next.length === 0 ? {} : { requeueAfterMs: Math.max(0, Math.min(...next)) };
}
