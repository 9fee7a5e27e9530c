/** The PodMigration of a planned move: its name, its spec and its cause. Pure. */
import { API_VERSION, LINEAGE_LABEL, POLICY_LABEL } from "../../api/v1alpha1/group.ts";
import type { MigrationPolicySpec } from "../../api/v1alpha1/migration-policy.ts";
import type { MoveCause, PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import type { Decision, NodeFinding, PlannedMove, Refusal } from "../../planning/decision.ts";

const MAX_CONSIDERED = 20;
const MAX_REFUSAL_MESSAGE = 400;
const MAX_CAUSE_MESSAGE = 1024;
/** With the rest of a cause, which is at most 2 KiB, within 8 KiB. */
const MAX_CONSIDERED_LENGTH = 6 * 1024;
/** A label's value may be this long; a UID is. */
const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** The same for a pod whatever the attempt: the pod's name for people, and enough of its UID to tell it from a namesake. */
export function moveNamePrefix(pod: string, podUID: string): string {
  return `${pod.slice(0, 200).replace(/[-.]+$/, "")}-${podUID.replaceAll("-", "").slice(0, 12)}-`;
}

/** Deterministic: the same attempt of the same pod has the same name, whichever controller makes it, and exists once. */
export function moveName(move: PlannedMove, existing: readonly PodMigration[]): string {
  const prefix = moveNamePrefix(move.pod, move.podUID);
  const attempts = existing
    .filter(({ metadata }) => metadata.namespace === move.namespace && metadata.name.startsWith(prefix))
    .map(({ metadata }) => Number.parseInt(metadata.name.slice(prefix.length), 10));
  return `${prefix}${Math.max(0, ...attempts.filter(Number.isSafeInteger)) + 1}`;
}

export function moveObject(
  move: PlannedMove,
  migration: MigrationPolicySpec["migration"],
  existing: readonly PodMigration[],
): PodMigration {
  return {
    apiVersion: API_VERSION,
    kind: "PodMigration",
    metadata: {
      name: moveName(move, existing),
      namespace: move.namespace,
      labels: {
        [POLICY_LABEL]: move.policy,
        ...(LABEL_VALUE.test(move.lineage) ? { [LINEAGE_LABEL]: move.lineage } : {}),
      },
    },
    spec: {
      podName: move.pod,
      targetNode: move.to,
      policyName: move.policy,
      timeout: migration.timeout,
      tcp: migration.tcp,
      cancel: false,
    },
  };
}

/** Why it is made, with what else was considered for the same node: other pods first, then other targets. */
export function causeOf(move: PlannedMove, decision: Decision): MoveCause {
  const finding = decision.nodes.find(({ name, policy }) => name === move.from && policy === move.policy);
  const concerned = decision.refusals.filter(
    ({ policy, from }) => policy === move.policy && (from === undefined || from === move.from),
  );
  const ranked = [...concerned.filter(({ from }) => from !== undefined), ...concerned.filter(({ from }) => !from)];
  return {
    message: cut(move.message, MAX_CAUSE_MESSAGE),
    ...(finding && {
      measured: {
        node: finding.name,
        usedBytes: finding.capacityBytes - (finding.freeBytes ?? 0),
        capacityBytes: finding.capacityBytes,
        pressureBytes: finding.pressureBytes,
      },
    }),
    ...(finding && foreseen(finding)),
    considered: fitting(ranked.slice(0, MAX_CONSIDERED).map(refusalEntry)),
  };
}

function foreseen({ deadlineMs, exhaustedAtMs, message }: NodeFinding): Pick<MoveCause, "forecast"> {
  if (deadlineMs === undefined && exhaustedAtMs === undefined) return {};
  return {
    forecast: {
      ...(exhaustedAtMs === undefined ? {} : { exhaustedAt: timeText(exhaustedAtMs) }),
      ...(deadlineMs === undefined ? {} : { deadline: timeText(deadlineMs) }),
      message: cut(message, MAX_REFUSAL_MESSAGE),
    },
  };
}

/** The first of them, as many as there is room for. */
function fitting(entries: MoveCause["considered"]): MoveCause["considered"] {
  let length = 0;
  return entries.filter((entry) => {
    length += JSON.stringify(entry).length;
    return length <= MAX_CONSIDERED_LENGTH;
  });
}

/** Whole seconds, as Kubernetes writes them. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** As the API keeps it. */
export function refusalEntry({ namespace, pod, node, reason, message }: Refusal): MoveCause["considered"][number] {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
    ...(node === undefined ? {} : { node }),
    reason,
    message: cut(message, MAX_REFUSAL_MESSAGE),
  };
}

export const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
