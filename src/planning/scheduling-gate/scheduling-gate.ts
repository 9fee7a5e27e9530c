/**
 * The scheduling gate: keeps new pods off a node that fills up. Closes above `closeAbove`, opens again at or below
 * `reopenBelow`, and stays as it is in between and while the node's figures cannot be relied on.
 *
 * Good: the scheduler stops adding to a node that is about to be relieved. Bad: gates on many nodes leave pods pending; that
 * is the moment to add a node.
 */
import { GATE_TAINT } from "../../api/v1alpha1/group.ts";
import type { Cluster, ClusterNode } from "../cluster.ts";
import type { GateDecision } from "../decision.ts";
import type { GateLimits, Policy } from "../policy.ts";
import type { View } from "../view.ts";

const percent = (fraction: number) => `${Math.round(fraction * 1000) / 10}%`;

export interface Gates {
  decisions: GateDecision[];
  /** Whether new pods are kept off the node, as far as this policy is concerned. */
  isGated(node: string, policy: Policy): boolean;
  /** Closed gates: policy by node, for the next evaluation. */
  memory: Record<string, string>;
}

/** Closed by this policy when last looked at: the taint on the node says so, or (in DryRun, without a taint) the memory. */
function wasClosed(cluster: Cluster, { snapshot }: ClusterNode, policy: string): boolean {
  const tainted = snapshot.taints.some((taint) => taint.key === GATE_TAINT && taint.value === policy);
  return tainted || cluster.snapshot.memory?.gates?.[snapshot.name] === policy;
}

interface Wish {
  closed: boolean;
  was: boolean;
  reason: string;
  message: string;
}

/** Pure hysteresis on the used fraction; `undefined`: not known, nothing changes. */
export function gateCloses(used: number | undefined, was: boolean, limits: GateLimits): boolean {
  if (used === undefined) return was;
  if (used > limits.closeAbove) return true;
  return used > limits.reopenBelow && was;
}

function wish(view: View, node: ClusterNode, policy: string, limits: GateLimits): Wish {
  const use = view.nodeUse(node);
  const used = use.ok ? use.usedBytes / node.snapshot.capacityBytes : undefined;
  const was = wasClosed(view.cluster, node, policy);
  const closed = gateCloses(used, was, limits);
  if (used === undefined) return { closed, was, reason: "FiguresUnreliable", message: "the gate stays as it is" };
  const message = `${percent(used)} is used; closes above ${percent(limits.closeAbove)}, opens at ${percent(limits.reopenBelow)}`;
  const reason = used > limits.closeAbove ? "AboveCloseAbove" : closed ? "AboveReopenBelow" : "BelowReopenBelow";
  return { closed, was, reason, message };
}

/** `policies` in the order of precedence: a gate that several want closed names the first. */
export function decideGates(cluster: Cluster, policies: readonly Policy[], viewFor: (policy: Policy) => View): Gates {
  const decisions: GateDecision[] = [];
  const enforced = new Set<string>();
  const looking = new Set<string>();
  const memory: Record<string, string> = {};
  for (const policy of policies) {
    if (policy.gate === undefined) continue;
    const closed = policy.dryRun ? looking : enforced;
    for (const node of cluster.nodes.filter(({ snapshot }) => policy.watchesNode(snapshot))) {
      const { name } = node.snapshot;
      const { was, ...decided } = wish(viewFor(policy), node, policy.name, policy.gate);
      if (decided.closed && !closed.has(name)) {
        closed.add(name);
        memory[name] ??= policy.name;
      } else if (decided.closed || !was) continue;
      decisions.push({ node: name, policy: policy.name, ...decided });
    }
  }
  const isGated = (node: string, policy: Policy) =>
    enforced.has(node) || (policy.dryRun && looking.has(node)) || isUncertain(cluster, node, policy, viewFor(policy));
  return { decisions, isGated, memory };
}

/** Without memory nobody knows whether a gate between its thresholds was closed: such a node is no target this once. */
function isUncertain(cluster: Cluster, name: string, policy: Policy, view: View): boolean {
  const node = cluster.node(name);
  if (policy.gate === undefined || cluster.snapshot.memory !== undefined || node === undefined) return false;
  const use = view.nodeUse(node);
  return use.ok && use.usedBytes > policy.gate.reopenBelow * node.snapshot.capacityBytes;
}
