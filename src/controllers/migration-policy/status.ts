/** A policy's status out of what was found and done. Pure. */
import type { Condition } from "../../api/v1alpha1/fields.ts";
import type { MigrationPolicyStatus } from "../../api/v1alpha1/migration-policy.ts";
import { FINAL_PHASES, type PodMigration, wentWell } from "../../api/v1alpha1/pod-migration.ts";
import type { MetricsUnavailable } from "../../metrics/source.ts";
import type { Decision, NodeFinding, PolicyFinding } from "../../planning/decision.ts";
import type { AgentProblem } from "../node-reports/agent-problem.ts";
import { cut, refusalEntry, timeText } from "./move-object.ts";
import type { ReadPolicy } from "./read-policies.ts";

/** What there is to say of a policy after an evaluation. */
export interface Outcome {
  decision: Decision;
  /** Why its metrics source gave no figures. */
  unavailable: MetricsUnavailable | undefined;
  /** What went wrong while the decision was carried out. */
  failure: string | undefined;
  migrations: readonly PodMigration[];
  /** By node. */
  agentProblems: ReadonlyMap<string, AgentProblem>;
}

const MAX_NODES = 50;
const MAX_RECOMMENDATIONS = 50;
const MAX_REFUSALS = 20;
const MAX_MESSAGE = 400;
/** Nodes whose problem is told in a condition. */
const MAX_TOLD = 3;

type NewCondition = Pick<Condition, "type" | "status" | "reason" | "message">;

export function statusOf(read: ReadPolicy, outcome: Outcome, nowMs: number): MigrationPolicyStatus {
  const { name } = read.policy;
  const before = read.object.status;
  const { decision } = outcome;
  const finding = decision.policies.find(({ policy }) => policy === name);
  const findings = decision.nodes.filter(({ policy }) => policy === name);
  const gated = new Set(decision.gates.filter((gate) => gate.policy === name && gate.closed).map(({ node }) => node));
  const refusals = decision.refusals.filter(({ policy }) => policy === name);
  const conditions = [
    ready(outcome),
    metricsAvailable(read, outcome, finding),
    agentsReady(findings, outcome.agentProblems),
    nodesFull(findings, before),
    overlapping(finding),
  ];
  return {
    ...(read.object.metadata.generation === undefined ? {} : { observedGeneration: read.object.metadata.generation }),
    lastEvaluationTime: timeText(nowMs),
    counts: counts(name, outcome, finding, gated.size),
    nodes: findings
      .filter((one) => one.pressureBytes > 0 || gated.has(one.name))
      .slice(0, MAX_NODES)
      .map((one) => nodeEntry(one, gated)),
    recommendations: read.policy.dryRun ? recommendations(name, decision) : [],
    refusals: refusals.slice(0, MAX_REFUSALS).map(refusalEntry),
    conditions: conditions.map((condition) => withTransition(condition, read.object, nowMs)),
  };
}

/** Of a policy that cannot be evaluated at all: what was known of nodes is no longer said. */
export function statusOfWrong(object: ReadPolicy["object"], message: string, nowMs: number): MigrationPolicyStatus {
  const condition: NewCondition = { type: "Ready", status: "False", reason: "InvalidSpec", message };
  return {
    ...(object.metadata.generation === undefined ? {} : { observedGeneration: object.metadata.generation }),
    lastEvaluationTime: timeText(nowMs),
    conditions: [withTransition(condition, object, nowMs)],
  };
}

function withTransition(condition: NewCondition, object: ReadPolicy["object"], nowMs: number): Condition {
  const before = object.status?.conditions?.find(({ type }) => type === condition.type);
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : timeText(nowMs);
  const { generation } = object.metadata;
  return { ...condition, lastTransitionTime, ...(generation === undefined ? {} : { observedGeneration: generation }) };
}

function ready({ unavailable, failure }: Outcome): NewCondition {
  const type = "Ready";
  if (unavailable) return { type, status: "False", reason: "MetricsUnavailable", message: unavailable.message };
  if (failure !== undefined) return { type, status: "False", reason: "ActionFailed", message: failure };
  return { type, status: "True", reason: "Evaluated", message: "The policy is evaluated." };
}

function metricsAvailable(
  read: ReadPolicy,
  { unavailable }: Outcome,
  finding: PolicyFinding | undefined,
): NewCondition {
  const type = "MetricsAvailable";
  if (unavailable) return { type, status: "False", ...unavailable };
  const without = finding?.nodesWithoutFigures ?? 0;
  if (without === 0) return { type, status: "True", reason: "Available", message: `${read.source} answers.` };
  const message = `${read.source} has no usable figure of ${without} of ${finding?.nodes ?? 0} nodes.`;
  return { type, status: without === finding?.nodes ? "False" : "True", reason: "FiguresMissing", message };
}

/** Of the nodes that the policy watches. The foremost reason is that of the first node by name. */
function agentsReady(findings: readonly NodeFinding[], problems: Outcome["agentProblems"]): NewCondition {
  const type = "AgentsReady";
  const names = findings.map(({ name }) => name).sort();
  const wrong = names.flatMap((name) => {
    const problem = problems.get(name);
    return problem === undefined ? [] : [{ name, ...problem }];
  });
  const [first] = wrong;
  if (first === undefined) {
    return { type, status: "True", reason: "Ready", message: "The agents of all nodes that it watches are ready." };
  }
  const told = wrong.slice(0, MAX_TOLD).map(({ name, message }) => `${name}: ${message}`);
  const message = `${wrong.length} of ${names.length} nodes: ${told.join("; ")}. See \`headroom nodes\`.`;
  return { type, status: "False", reason: first.reason, message: cut(message, MAX_MESSAGE) };
}

/** While the policy waits, nobody looked for room: what was said last stays. */
function nodesFull(findings: readonly NodeFinding[], before: MigrationPolicyStatus | undefined): NewCondition {
  const type = "NodesFull";
  const full = findings.filter(({ outcome }) => outcome === "NodesFull");
  if (full.length > 0) {
    const names = full.slice(0, 10).map(({ name }) => name);
    const message = `No node has room for a pod of ${names.join(", ")}: it is time to add a node.`;
    return { type, status: "True", reason: "NoTargetHasRoom", message };
  }
  const last = before?.conditions?.find((condition) => condition.type === type);
  if (last && findings.some(({ outcome, reason }) => outcome === "Waiting" && reason !== "StartsLater"))
    return { type, status: last.status, reason: last.reason, message: last.message };
  return { type, status: "False", reason: "RoomEnough", message: "No pod that should move lacks a target." };
}

function overlapping(finding: PolicyFinding | undefined): NewCondition {
  const type = "Overlapping";
  if (!finding || finding.overlapping === 0) {
    return { type, status: "False", reason: "NoOverlap", message: "No pod of it belongs to another policy." };
  }
  const owners = finding.overlappingWith.slice(0, 10).join(", ");
  const message = `${finding.overlapping} pods that it selects belong to ${owners}: the first policy that selects a pod has it, those in Enforce before those in DryRun, then by name.`;
  return { type, status: "True", reason: "Overlapping", message };
}

function counts(name: string, outcome: Outcome, finding: PolicyFinding | undefined, gated: number) {
  const own = outcome.migrations.filter(({ spec }) => spec.policyName === name);
  const finished = own.filter(({ status }) => FINAL_PHASES.has(status?.phase ?? "Pending"));
  const moved = finished.filter(({ status }) => wentWell(status)).length;
  return {
    nodes: finding?.nodes ?? 0,
    pressured: finding?.pressured ?? 0,
    gated,
    pods: finding?.pods ?? 0,
    moving: own.length - finished.length,
    moved,
    failed: finished.length - moved,
  };
}

function nodeEntry(finding: NodeFinding, gated: ReadonlySet<string>) {
  return {
    name: finding.name,
    ...(finding.freeBytes === undefined ? {} : { freeBytes: Math.round(finding.freeBytes) }),
    pressureBytes: Math.round(finding.pressureBytes),
    ...(finding.deadlineMs === undefined ? {} : { deadline: timeText(finding.deadlineMs) }),
    ...(finding.exhaustedAtMs === undefined ? {} : { exhaustedAt: timeText(finding.exhaustedAtMs) }),
    outcome: finding.reason,
    message: cut(finding.message, MAX_MESSAGE),
    gated: gated.has(finding.name),
  };
}

function recommendations(name: string, decision: Decision) {
  return decision.moves
    .filter(({ policy }) => policy === name)
    .slice(0, MAX_RECOMMENDATIONS)
    .map(({ namespace, pod, from, to, bytes, reason, message, startAtMs }) => ({
      namespace,
      pod,
      from,
      to,
      bytes: Math.round(bytes),
      ...(startAtMs > decision.timeMs ? { startAt: timeText(startAtMs) } : {}),
      reason,
      message: cut(message, MAX_MESSAGE),
    }));
}

/** Figures flicker with every sample: they alone are written at most once in this time. */
const FIGURES_EVERY_MS = 60_000;
/** And the time of the evaluation at least this often. */
const TIME_EVERY_MS = 300_000;

/** Whether the new status is worth a write. */
export function worthWriting(
  before: MigrationPolicyStatus | undefined,
  after: MigrationPolicyStatus,
  nowMs: number,
): boolean {
  if (before === undefined || essence(before) !== essence(after)) return true;
  const sinceMs = nowMs - Date.parse(before.lastEvaluationTime ?? "");
  if (!(sinceMs < TIME_EVERY_MS)) return true;
  return sinceMs >= FIGURES_EVERY_MS && figures(before) !== figures(after);
}

const FLICKERING: ReadonlySet<string> = new Set([
  "lastEvaluationTime",
  "freeBytes",
  "pressureBytes",
  "bytes",
  "deadline",
  "exhaustedAt",
  "startAt",
  "message",
]);
/** Independent of the order of members, which the API server may change. */
const sortedMembers = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
const essence = (status: MigrationPolicyStatus) =>
  JSON.stringify(status, (key, value) => (FLICKERING.has(key) ? undefined : sortedMembers(value)));
const figures = (status: MigrationPolicyStatus) =>
  JSON.stringify(status, (key, value) => (key === "lastEvaluationTime" ? undefined : sortedMembers(value)));
