/**
 * What may speak against a move because of how long it would freeze its pod. Pure predicates, in the order in which they are asked.
 * They refuse only what is sure: where no move on record says how fast the link is, the source's agent measures it before the freeze.
 */
import { admitted, formatBytes, formatSeconds, parseDuration } from "../../../api/quantity.ts";
import type { FreezeStatus } from "../../../api/v1alpha1/pod-migration.ts";
import type { Pod } from "../../../kube/resources.ts";
import type { ExpectedFreeze } from "../../../planning/cost/freeze-costs.ts";
import type { Refusal } from "../dependencies.ts";
import { survivableMs } from "../freeze-watch.ts";
import { livenessForgivesMs, swapDelayMs } from "./probes.ts";

export interface FreezeSide {
  pod: Pod;
  expected: ExpectedFreeze;
  /** spec.timeout. */
  timeout: string;
  /** The move's policy, where one has made it. */
  policyName?: string | undefined;
}

type Check = (side: FreezeSide) => Refusal | undefined;

/** Placement, target pod, image and sandbox take a move about this long before its freeze. */
const PREPARING_MS = 30_000;

export function freezeRefusal(side: FreezeSide): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(side);
    if (refusal) return refusal;
  }
  return undefined;
}

/** What the later phases go by. */
export function freezeStatus(pod: Pod, expected: ExpectedFreeze): FreezeStatus {
  const forgivenMilliseconds = livenessForgivesMs(pod);
  return {
    expectedMilliseconds: expected.milliseconds,
    bytesPerSecond: expected.bytesPerSecond,
    basis: expected.basis,
    ...(forgivenMilliseconds === undefined ? {} : { forgivenMilliseconds }),
  };
}

const livenessForgives: Check = ({ pod, expected }) => {
  const forgivenMs = livenessForgivesMs(pod);
  if (forgivenMs === undefined || expected.atLeastMilliseconds < survivableMs(forgivenMs)) return undefined;
  const raise = "a longer freeze needs a higher failureThreshold or periodSeconds of the probe";
  return {
    reason: "LivenessProbe",
    message: `${inWords(expected)}, and its liveness probe forgives ${formatSeconds(forgivenMs)}, the resume included: ${raise}`,
  };
};

/** A ReplicaSet's source stays frozen until the copy is ready or itself isn't: its liveness probe must bear that, too. */
const livenessForgivesSwap: Check = ({ pod, expected }) => {
  const forgivenMs = livenessForgivesMs(pod);
  const owned = pod.metadata.ownerReferences?.some((owner) => owner.kind === "ReplicaSet") ?? false;
  const neededMs = expected.atLeastMilliseconds + swapDelayMs(pod);
  if (!owned || forgivenMs === undefined || neededMs < forgivenMs) return undefined;
  return {
    reason: "LivenessProbe",
    message: `handing it over takes about ${formatSeconds(neededMs)} because of its readiness probe, its liveness probe forgives ${formatSeconds(forgivenMs)}`,
  };
};

/** A transfer that is healthy must not be cut off by the move's time limit, with the pod frozen in vain. */
const timeoutSuffices: Check = ({ expected, timeout, policyName }) => {
  const neededMs = PREPARING_MS + expected.atLeastMilliseconds;
  if (neededMs <= admitted(parseDuration, timeout) * 1000) return undefined;
  const field = policyName === undefined ? "spec.timeout" : `migration.timeout of MigrationPolicy ${policyName}`;
  const enough = `${Math.ceil((PREPARING_MS + 1.5 * expected.milliseconds) / 60_000)}m`;
  return {
    reason: "TimeoutTooShort",
    message: `${inWords(expected)}, which does not fit into spec.timeout (${timeout}): set ${field} to ${enough} or more`,
  };
};

const CHECKS: readonly Check[] = [livenessForgives, livenessForgivesSwap, timeoutSuffices];

function inWords({ milliseconds, atLeastMilliseconds, bytesPerSecond, sharedWith }: ExpectedFreeze): string {
  const fast = atLeastMilliseconds < milliseconds;
  const rate = fast ? "even on a fast link" : `at ${formatBytes(bytesPerSecond)}/s`;
  const others = sharedWith === 0 ? "" : ` shared with ${sharedWith} other ${sharedWith === 1 ? "move" : "moves"}`;
  return `the pod would be frozen for about ${formatSeconds(atLeastMilliseconds)} ${rate}${others}`;
}
