/** Eligibility: may this pod move at all, and is it worth it. Each check answers with a reason against it, or nothing. */
import { formatBytes } from "../../api/quantity.ts";
import { MOVE_ANNOTATION } from "../../api/v1alpha1/group.ts";
import type { Reason } from "../decision.ts";
import { type Judged, problemOf } from "../figures.ts";
import { selfTestRefusal } from "../self-test.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import type { MoveHistory } from "./history.ts";

export interface EligibilityLimits {
  minMemoryBytes: number;
  /** Fraction of the expected runtime; strict. */
  skipAboveProgress: number;
  skipBelowRemainingSeconds: number;
  /** After a move of its lineage that succeeded. */
  cooldownSeconds: number;
}

export interface EligibilityInput {
  pod: PodSnapshot;
  /** That it runs on. */
  node: NodeSnapshot;
  use: Judged;
  limits: EligibilityLimits;
  history: MoveHistory;
  nowMs: number;
  /** By when the pod must be gone, where that is known. */
  deadlineMs?: number;
}

type Check = (input: EligibilityInput) => Reason | undefined;
/** Of the pod alone. */
type PodCheck = (input: Pick<EligibilityInput, "pod">) => Reason | undefined;

/** Whose pods are never moved. */
const PROTECTED_NAMESPACES: ReadonlySet<string> = new Set(["kube-system"]);
const NODE_BOUND_OWNERS: Readonly<Record<string, string>> = { DaemonSet: "DaemonSet", Node: "MirrorPod" };

const running: PodCheck = ({ pod }) =>
  pod.phase === "Running" ? undefined : { reason: "PodNotRunning", message: `the pod is ${pod.phase}` };

const optedOut: PodCheck = ({ pod }) =>
  pod.annotations[MOVE_ANNOTATION] === "false"
    ? { reason: "OptedOut", message: `the pod's annotation ${MOVE_ANNOTATION} is "false"` }
    : undefined;

const protectedPod: PodCheck = ({ pod }) => {
  if (PROTECTED_NAMESPACES.has(pod.namespace)) {
    return { reason: "ProtectedNamespace", message: `pods of ${pod.namespace} are never moved` };
  }
  const reason = NODE_BOUND_OWNERS[pod.ownerKind ?? ""];
  return reason === undefined ? undefined : { reason, message: `a pod of a ${pod.ownerKind} belongs to its node` };
};

const unobstructed: PodCheck = ({ pod }) => pod.obstacle && { ...pod.obstacle };

const agentReady: Check = ({ node }) =>
  node.agentReady ? undefined : { reason: "AgentNotReady", message: "the agent of its node is not ready" };

const proven: Check = ({ pod, node }) => selfTestRefusal(pod, node);

const alreadyMoving: Check = ({ pod, history }) =>
  history.isMoving(pod) ? { reason: "AlreadyMoving", message: "a move of this pod is under way" } : undefined;

const measured: Check = ({ use }) => (use.ok ? undefined : problemOf(use));

const bigEnough: Check = ({ use, limits }) =>
  use.ok && use.usedBytes < limits.minMemoryBytes
    ? {
        reason: "BelowMinMemory",
        message: `it uses ${formatBytes(use.usedBytes)}, less than ${formatBytes(limits.minMemoryBytes)}`,
      }
    : undefined;

/** Unknown runtime or start: movable. (The predecessor dropped such pods.) */
const notAlmostDone: Check = ({ pod, limits, nowMs }) => {
  const { startedAtMs, expectedRuntimeSeconds: expected } = pod;
  if (startedAtMs === undefined || expected === undefined || !(expected > 0)) return undefined;
  const ranSeconds = Math.max(0, nowMs - startedAtMs) / 1000;
  if (ranSeconds > limits.skipAboveProgress * expected) {
    const percent = Math.floor((ranSeconds / expected) * 100);
    return { reason: "AlmostDone", message: `it has run ${percent}% of its expected runtime` };
  }
  const leftSeconds = expected - ranSeconds;
  if (leftSeconds >= limits.skipBelowRemainingSeconds) return undefined;
  return { reason: "AlmostDone", message: `it is expected to end in ${Math.ceil(leftSeconds)}s` };
};

const staysUntilDeadline: Check = ({ pod: { startedAtMs, expectedRuntimeSeconds }, nowMs, deadlineMs }) => {
  if (deadlineMs === undefined || startedAtMs === undefined || expectedRuntimeSeconds === undefined) return undefined;
  const endMs = startedAtMs + expectedRuntimeSeconds * 1000;
  if (!(endMs > nowMs && endMs < deadlineMs)) return undefined;
  const message = `it is expected to end in ${Math.ceil((endMs - nowMs) / 1000)}s, before the node may be short`;
  return { reason: "EndsBeforeDeadline", message };
};

const rested: Check = ({ pod, history, nowMs }) => {
  const wait = history.backOff(pod, nowMs);
  if (wait === undefined) return undefined;
  const times = wait.failures === 1 ? "its last move" : `its last ${wait.failures} moves`;
  const again = `not tried again for ${Math.ceil(wait.leftSeconds)}s`;
  if (wait.failed === "Move") return { reason: "BackOff", message: `${times} did not succeed; ${again}` };
  if (wait.failed === "Kind") {
    const message = `it has something open that cannot be moved, which its last PodMigration names; ${again}`;
    return { reason: "NotCarried", message };
  }
  return { reason: "FailedAfterMove", message: `its program failed within a minute of ${times}; ${again}` };
};

const cooledDown: Check = ({ pod, limits, history, nowMs }) => {
  if (limits.cooldownSeconds === 0) return undefined;
  const movedMs = history.departures(pod).map(({ atMs }) => atMs ?? nowMs);
  const leftSeconds = limits.cooldownSeconds - (nowMs - Math.max(Number.NEGATIVE_INFINITY, ...movedMs)) / 1000;
  if (!(leftSeconds > 0)) return undefined;
  return { reason: "Cooldown", message: `it was just moved; not moved again for ${Math.ceil(leftSeconds)}s` };
};

/** In the order in which they are told. */
const CHECKS: readonly Check[] = [
  protectedPod,
  optedOut,
  running,
  unobstructed,
  agentReady,
  proven,
  alreadyMoving,
  rested,
  cooledDown,
  measured,
  bigEnough,
  notAlmostDone,
  staysUntilDeadline,
];

/** The first reason against moving the pod; undefined: it is eligible. */
export function ineligible(input: EligibilityInput): Reason | undefined {
  for (const check of CHECKS) {
    const reason = check(input);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Reasons that no waiting mends, for a move asked for by hand. */
export function mayMoveAtAll(pod: PodSnapshot): Reason | undefined {
  for (const check of [protectedPod, optedOut, running, unobstructed]) {
    const reason = check({ pod });
    if (reason !== undefined) return reason;
  }
  return undefined;
}
