/**
 * The next step of handing a pod's owner and its place in Services over to its copy. Pure, and decided from what is there each time: a
 * hand-over that was cut short anywhere is completed, not begun again.
 */
import type { V1ContainerState } from "@kubernetes/client-node";
import { HANDED_OVER_GATE, MOVE_LABEL } from "../../../api/v1alpha1/group.ts";
import type { Pod } from "../../../kube/resources.ts";
import type { Wire } from "../../../kube/wire.ts";
import type { MovePods } from "./observe.ts";

export const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
export const LOWEST_COST = "-2147483648";

export type HandOverStep =
  | { do: "nothing" }
  /** The copy runs: from now on it is ready when its own probes say so, and its Services send to it. */
  | { do: "open-readiness"; target: Pod }
  /** Should the ReplicaSet find one pod too many, this is the one to go: the source, or a rival. */
  | { do: "lower-cost"; pod: Pod }
  /** Labels, owner and the Job's finalizer off the source. */
  | { do: "orphan-source"; source: Pod }
  /** A pod that the owner made in the source's place is taken from it and deleted. */
  | { do: "remove-rival"; rival: Pod }
  /** The copy has lost its memory, so what the owner made in the source's place stays, and no second cold pod runs beside it. */
  | { do: "remove-target"; target: Pod }
  /** The owner and the Job's finalizer onto the target, which has the labels already. */
  | { do: "adopt-target"; target: Pod }
  | { do: "wait"; message: string };

export interface HandOverSituation extends MovePods {
  /** Alive: what the owner has made in the place of a source that was being deleted, or had ended, before its copy could be handed over. */
  rivals: readonly Pod[];
  /** Kind of the owning controller; undefined for a bare pod. */
  ownerKind: string | undefined;
  ownerUID: string | undefined;
  /** The copy has had all the time that is waited for it to be ready. */
  overdue: boolean;
  /** The source's kubelet is about to find it unhealthy and to restart it: waiting on would make a second copy. */
  pressed: boolean;
}

export function nextStep(situation: HandOverSituation): HandOverStep {
  const { target, source, ownerKind } = situation;
  if (target === undefined) return { do: "nothing" };
  if (!hasCondition(target, HANDED_OVER_GATE)) return { do: "open-readiness", target };
  if (isAdopted(target)) return { do: "nothing" };
  if (situation.rivals.length > 0 && hasDied(target)) return { do: "remove-target", target };
  const owned = source?.metadata.deletionTimestamp === undefined && isOwned(source, situation) ? [source] : [];
  return ownerKind === "Job" ? jobStep(situation, owned, target) : replicaSetStep(situation, owned, target);
}

/** A Job's controller gathers events for a second: between two requests it makes no third pod. Of two it would delete the younger. */
function jobStep({ rivals: [rival] }: HandOverSituation, [source]: Pod[], target: Pod): HandOverStep {
  if (source) return { do: "orphan-source", source };
  return rival ? { do: "remove-rival", rival } : { do: "adopt-target", target };
}

/**
 * A ReplicaSet with one pod too many deletes the one that isn't ready before the one that is, and only then looks at their
 * cost: so the target is given to it once it is ready, or while no other is either.
 */
function replicaSetStep({ rivals, pressed, overdue }: HandOverSituation, [source]: Pod[], target: Pod): HandOverStep {
  const others = source ? [source, ...rivals] : rivals;
  const dear = others.find(({ metadata }) => metadata.annotations?.[DELETION_COST] !== LOWEST_COST);
  if (dear) return { do: "lower-cost", pod: dear };
  const safe = target.status?.phase === "Running" && (isReady(target) || !others.some(isReady));
  if (safe || others.length === 0) return { do: "adopt-target", target };
  if ((pressed || overdue) && source) return { do: "orphan-source", source };
  const [rival] = rivals;
  if (overdue && rival) return { do: "remove-rival", rival };
  return { do: "wait", message: "the copy runs; it is handed to its ReplicaSet as soon as it is ready" };
}

/** The adoption takes the move's label off the target, in the same write that puts the owner in the namespace's place. */
export function isAdopted(target: Pod): boolean {
  return target.metadata.labels?.[MOVE_LABEL] === undefined;
}

/** Its container has failed since the release: what its kubelet starts next starts from the beginning. */
function hasDied({ status }: Pod): boolean {
  const hasFailed = (state: Wire<V1ContainerState> | undefined): boolean => (state?.terminated?.exitCode ?? 0) !== 0;
  return status?.containerStatuses?.some(({ restartCount, state }) => restartCount > 0 || hasFailed(state)) ?? false;
}

function isOwned(source: Pod | undefined, { ownerUID }: HandOverSituation): source is Pod {
  return (source?.metadata.ownerReferences ?? []).some((owner) => owner.uid === ownerUID);
}

const isReady = (pod: Pod): boolean => hasCondition(pod, "Ready");

function hasCondition({ status }: Pod, condition: string): boolean {
  return status?.conditions?.some((one) => one.type === condition && one.status === "True") ?? false;
}
