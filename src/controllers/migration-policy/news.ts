/** What is worth an event on a policy: what is new since its last status. Pure. */
import type { MigrationPolicyStatus } from "../../api/v1alpha1/migration-policy.ts";
import type { GateDecision } from "../../planning/decision.ts";

export interface News {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

/** Conditions that are bad news when they turn to this status. */
const WARNINGS = [
  ["NodesFull", "True"],
  ["MetricsAvailable", "False"],
  ["Overlapping", "True"],
] as const;

export function newsOf(
  before: MigrationPolicyStatus | undefined,
  after: MigrationPolicyStatus,
  gates: readonly GateDecision[],
): News[] {
  return [
    ...turned(before, after),
    ...recommended(before, after),
    ...scheduled(before, after),
    ...gates.flatMap((gate) => gateNews(before, gate)),
  ];
}

function turned(before: MigrationPolicyStatus | undefined, after: MigrationPolicyStatus): News[] {
  return WARNINGS.flatMap(([type, bad]) => {
    const now = after.conditions?.find((condition) => condition.type === type);
    const was = before?.conditions?.find((condition) => condition.type === type);
    if (now === undefined || now.status !== bad || was?.status === bad) return [];
    return [
      { type: "Warning", reason: type === "MetricsAvailable" ? "MetricsUnavailable" : type, message: now.message },
    ];
  });
}

function recommended(before: MigrationPolicyStatus | undefined, after: MigrationPolicyStatus): News[] {
  const key = (one: { namespace: string; pod: string; to: string }) => `${one.namespace}/${one.pod}>${one.to}`;
  const known = new Set(before?.recommendations?.map(key));
  return (after.recommendations ?? [])
    .filter((one) => !known.has(key(one)))
    .map((one) => ({
      type: "Normal",
      reason: "WouldMove",
      message: `${one.namespace}/${one.pod} would go to ${one.to} (DryRun): ${one.message}`,
    }));
}

/** Moves that are chosen and have time, and those that have none left: of a node that was not yet told of. */
function scheduled(before: MigrationPolicyStatus | undefined, after: MigrationPolicyStatus): News[] {
  const outcome = (name: string) => before?.nodes?.find((one) => one.name === name)?.outcome;
  return (after.nodes ?? []).flatMap((node): News[] => {
    const message = `${node.name}: ${node.message ?? ""}`;
    if (node.outcome === outcome(node.name)) return [];
    if (node.outcome === "StartsLater") return [{ type: "Normal", reason: "MovePlanned", message }];
    return node.outcome === "TooLate" ? [{ type: "Warning", reason: "TooLate", message }] : [];
  });
}

function gateNews(before: MigrationPolicyStatus | undefined, { node, closed, message }: GateDecision): News[] {
  const was = before?.nodes?.some((one) => one.name === node && one.gated === true) ?? false;
  if (was === closed) return [];
  return [{ type: "Normal", reason: closed ? "GateClosed" : "GateOpened", message: `${node}: ${message}` }];
}
