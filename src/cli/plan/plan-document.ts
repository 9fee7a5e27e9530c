/** MigrationPlan: what `headroom plan` answers. Bytes, seconds, RFC 3339 times; null: not known, or not foreseen. Pure. */
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import { type Evaluation, foremost, type NodeFinding, type Outcome, type Refusal } from "../../planning/decision.ts";
import { compareText } from "../../planning/order.ts";
import type { ClusterSnapshot, PlanningMemory } from "../../planning/snapshot.ts";

export interface MigrationPlan {
  apiVersion: typeof API_VERSION;
  kind: "MigrationPlan";
  time: string;
  outcome: Outcome;
  /** In the order in which they would start. */
  moves: {
    namespace: string;
    pod: string;
    from: string;
    to: string;
    bytes: number;
    policy: string;
    reason: string;
    message: string;
    startAt: string;
    expectedSeconds: number;
  }[];
  /** Every node that a policy watches, once. */
  nodes: {
    name: string;
    freeBytes: number | null;
    /** What it must free; 0: nothing. */
    pressureBytes: number;
    exhaustedAt: string | null;
    outcome: Outcome;
    reason: string;
  }[];
  gates: { node: string; closed: boolean }[];
  /** Without `pod`: for any pod. Without `node`: for any node. */
  refusals: { namespace?: string; pod?: string; node?: string; reason: string; message: string }[];
  /** To be given back as the next snapshot's `memory`. */
  memory: PlanningMemory;
}

const timeText = (timeMs: number) => new Date(timeMs).toISOString().replace(".000Z", "Z");

export function planDocument(snapshot: ClusterSnapshot, { decision, memory }: Evaluation): MigrationPlan {
  return {
    apiVersion: API_VERSION,
    kind: "MigrationPlan",
    time: timeText(decision.timeMs),
    outcome: decision.outcome,
    moves: decision.moves.map((move) => ({
      namespace: move.namespace,
      pod: move.pod,
      from: move.from,
      to: move.to,
      bytes: move.bytes,
      policy: move.policy,
      reason: move.reason,
      message: move.message,
      startAt: timeText(move.startAtMs),
      expectedSeconds: move.expectedSeconds,
    })),
    nodes: leadingFindings(decision.nodes).map(planNode),
    gates: decision.gates.map(({ node, closed }) => ({ node, closed })),
    refusals: [...decision.refusals.map(planRefusal), ...homelessPods(snapshot)],
    memory,
  };
}

/** Of several policies' findings of a node the one that matters most; the most pressed nodes first. */
export function leadingFindings(findings: readonly NodeFinding[]): NodeFinding[] {
  const byName = Map.groupBy(findings, ({ name }) => name);
  const leading = [...byName.values()].flatMap((same) => {
    const outcome = foremost(same.map((finding) => finding.outcome));
    const best = same.filter((finding) => finding.outcome === outcome);
    return best.toSorted((a, b) => b.pressureBytes - a.pressureBytes).slice(0, 1);
  });
  const part = ({ pressureBytes, capacityBytes }: NodeFinding) =>
    capacityBytes > 0 ? pressureBytes / capacityBytes : 0;
  return leading.sort((a, b) => part(b) - part(a) || compareText(a.name, b.name));
}

function planNode(finding: NodeFinding): MigrationPlan["nodes"][number] {
  const { name, freeBytes = null, pressureBytes, exhaustedAtMs, outcome, reason } = finding;
  const exhaustedAt = exhaustedAtMs === undefined ? null : timeText(exhaustedAtMs);
  return { name, freeBytes, pressureBytes, exhaustedAt, outcome, reason };
}

function planRefusal({ namespace, pod, node, reason, message }: Refusal): MigrationPlan["refusals"][number] {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
    ...(node === undefined ? {} : { node }),
    reason,
    message,
  };
}

/** Pods on nodes that the snapshot does not have: nothing can be decided about them. */
function homelessPods({ nodes, pods }: ClusterSnapshot): MigrationPlan["refusals"] {
  const known = new Set(nodes.map(({ name }) => name));
  return pods
    .filter((pod) => !known.has(pod.node))
    .map(({ namespace, name, node }) => ({
      namespace,
      pod: name,
      reason: "NodeNotFound",
      message: `it runs on node ${node}, which is not known`,
    }))
    .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.pod, b.pod));
}
