/**
 * May a copy be confined on the target as the source is? CRIU gives every process back the label that it had. Pure.
 * The decisions are explained in docs/compatibility.md.
 */
import type { NodeFeatures, SourceFacts } from "../../../agent/protocol.ts";
import type { Pod } from "../../../kube/resources.ts";
import type { Refusal } from "../dependencies.ts";

export interface Confinement {
  node: string;
  pod: Pod;
  target: Pick<NodeFeatures, "lsm">;
  /** What the source's first process is confined by. */
  confinedBy: SourceFacts["confinedBy"];
}

const NAMES = { apparmor: "AppArmor", selinux: "SELinux" } as const;

export function confinementRefusal({ node, pod, target, confinedBy }: Confinement): Refusal | undefined {
  const { lsm } = target;
  if (lsm === undefined) return undefined; // an agent of before
  if (confinedBy !== undefined && confinedBy !== lsm) {
    const message = `the pod is confined by ${NAMES[confinedBy]}, which node ${node} does not confine containers by`;
    return { reason: "Confinement", message };
  }
  if (confinedBy === "selinux" && securityOf(pod, "seLinuxOptions")?.level === undefined) {
    const message = `containerd would give the copy another SELinux level than the pod's, and its processes could not read its files: set seLinuxOptions.level in its security context`;
    return { reason: "SELinuxLevel", message };
  }
  if (confinedBy !== undefined || lsm === "none" || asksToBeUnconfined(pod, lsm)) return undefined;
  const message = `node ${node} confines containers by ${NAMES[lsm]}, and the pod, which is not confined where it runs, would not be confined there either`;
  return { reason: "Confinement", message };
}

/** Then it isn't confined on any node. */
function asksToBeUnconfined(pod: Pod, lsm: "apparmor" | "selinux"): boolean {
  if (lsm === "selinux") return securityOf(pod, "seLinuxOptions")?.type === "spc_t";
  const name = pod.spec.containers[0]?.name;
  const annotation = pod.metadata.annotations?.[`container.apparmor.security.beta.kubernetes.io/${name}`];
  return (securityOf(pod, "appArmorProfile")?.type ?? annotation)?.toLowerCase() === "unconfined";
}

/** The container's own setting wins over its pod's. */
function securityOf<K extends "seLinuxOptions" | "appArmorProfile">(pod: Pod, key: K) {
  return pod.spec.containers[0]?.securityContext?.[key] ?? pod.spec.securityContext?.[key];
}
