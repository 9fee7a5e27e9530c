/**
 * What admission has made of a target pod: the copy must be the pod that was frozen, and mutating webhooks see it as a new one. All that the
 * restored process depends on is compared. Pure.
 */
import { HANDED_OVER_GATE, REGISTERING_GATE } from "../../api/v1alpha1/group.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Refusal } from "./dependencies.ts";

type Fields = Record<string, unknown>;

/**
 * Fields of the spec that must be as they were sent. They come from a stored pod, so the API server's defaults are in them already. The
 * others (priority, tolerations, node selector, pull secrets) admission may fill in: the running process doesn't see them.
 */
const COMPARED = [
  "containers",
  "initContainers",
  "ephemeralContainers",
  "volumes",
  "affinity",
  "runtimeClassName",
  "restartPolicy",
  "securityContext",
  "serviceAccountName",
  "automountServiceAccountToken",
  "hostNetwork",
  "hostPID",
  "hostIPC",
  "hostUsers",
  "shareProcessNamespace",
  "hostname",
  "subdomain",
  "setHostnameAsFQDN",
  "dnsPolicy",
  "dnsConfig",
  "hostAliases",
  "enableServiceLinks",
] as const;
/** AlwaysPullImages sets it: the image is named by its digest, so the content stays the same. */
const NOT_COMPARED = new Set(["imagePullPolicy"]);

/** Undefined when the API server took the pod as it was sent. */
export function targetChange(sent: Pod, taken: Pod): Refusal | undefined {
  const path = specDifference(sent, taken) ?? lostMark(sent, taken);
  if (path === undefined) return undefined;
  return {
    reason: "TargetPodChanged",
    message:
      `admission changed ${path} of the target pod: a mutating webhook treats the copy as a new pod. ` +
      "Exclude pods with the label headroom.dev/move-uid from that webhook",
  };
}

function specDifference({ spec: sent }: Pod, { spec: taken }: Pod): string | undefined {
  for (const field of COMPARED) {
    const path = firstDifference(sent[field], taken[field], `spec.${field}`);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** What keeps kubelet, owners and Services away from the copy until it is their turn. */
function lostMark(sent: Pod, taken: Pod): string | undefined {
  const { ownerReferences = [] } = taken.metadata;
  if (!taken.spec.schedulingGates?.some(({ name }) => name === REGISTERING_GATE)) return "spec.schedulingGates";
  if (!taken.spec.readinessGates?.some(({ conditionType }) => conditionType === HANDED_OVER_GATE))
    return "spec.readinessGates";
  const owned = sent.metadata.ownerReferences?.every(({ uid }) => ownerReferences.some((owner) => owner.uid === uid));
  return owned ? undefined : "metadata.ownerReferences";
}

/** The path of the first member that differs, in the order of `sent`. Absent and empty are the same to the API server. */
function firstDifference(sent: unknown, taken: unknown, path: string): string | undefined {
  if (isEmpty(sent) && isEmpty(taken)) return undefined;
  if (isFields(sent) && isFields(taken)) return membersDifference(sent, taken, (key) => `${path}.${key}`);
  if (!Array.isArray(sent ?? []) || !Array.isArray(taken ?? [])) return sent === taken ? undefined : path;
  return membersDifference(byKey(sent), byKey(taken), (key) => `${path}[${key}]`);
}

function membersDifference(sent: Fields, taken: Fields, pathOf: (key: string) => string): string | undefined {
  const keys = new Set([...Object.keys(sent), ...Object.keys(taken)].filter((key) => !NOT_COMPARED.has(key)));
  for (const key of keys) {
    const path = firstDifference(sent[key], taken[key], pathOf(key));
    if (path !== undefined) return path;
  }
  return undefined;
}

/** A list by its members' names (containers, variables, volumes) or mount paths; by position without those. */
function byKey(list: unknown): Fields {
  const entries = Array.isArray(list) ? list : [];
  return Object.fromEntries(entries.map((entry: unknown, index) => [keyOf(entry) ?? String(index), entry]));
}

function keyOf(entry: unknown): string | undefined {
  if (!isFields(entry)) return undefined;
  const key = entry.mountPath ?? entry.name;
  return typeof key === "string" ? key : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
