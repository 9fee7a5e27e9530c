/** Taints and tolerations, as the scheduler compares them. */
import type { Reason } from "../decision.ts";
import type { NodeSnapshot, PodSnapshot, Taint, Toleration } from "../snapshot.ts";

/** PreferNoSchedule keeps no pod off; NoExecute keeps new ones off as NoSchedule does, for however long it is tolerated. */
export function untoleratedTaint(pod: PodSnapshot, node: NodeSnapshot): Taint | undefined {
  return node.taints.find(
    (taint) =>
      taint.effect !== "PreferNoSchedule" && !pod.tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}

export function taintRefusal(pod: PodSnapshot, node: NodeSnapshot): Reason | undefined {
  const taint = untoleratedTaint(pod, node);
  return taint && { reason: "TaintNotTolerated", message: `the pod does not tolerate the node's taint ${taint.key}` };
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  if (toleration.key === undefined || toleration.key === "") return toleration.operator === "Exists";
  if (toleration.key !== taint.key) return false;
  return toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "");
}
