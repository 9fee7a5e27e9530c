/** The pod that a move creates on the target: the source's copy, without its owner, and without its labels until it is bound. Pure. */
import { createHash } from "node:crypto";
import type { V1NodeSelectorTerm, V1PodSpec } from "@kubernetes/client-node";
import {
  HANDED_OVER_GATE,
  LINEAGE_LABEL,
  MOVE_LABEL,
  REGISTERING_GATE,
  RUNTIME_CLASS,
  STARTED_AT_ANNOTATION,
} from "../../api/v1alpha1/group.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Wire } from "../../kube/wire.ts";
import { readRules } from "../../planning/kubernetes-rules.ts";
import { termMatcher } from "../../planning/placement/pod-term.ts";
import { DELETION_COST, LOWEST_COST } from "./hand-over/plan.ts";

type PodSpec = Wire<V1PodSpec>;
type NodeSelectorTerm = Wire<V1NodeSelectorTerm>;

export interface TargetPodOptions {
  name: string;
  moveUID: string;
  lineage: string;
  node: string;
  nowMs: number;
  /** Of the pod's namespace. */
  namespaceUID: string;
}

/** Longest name that is also a host name. */
const NAME_LIMIT = 63;
const HOST_NAME_LABEL = "kubernetes.io/hostname";
const MOVE_SUFFIX = /-m[0-9a-f]{8}$/;

/** `counter` moved becomes `counter-m1a2b3c4d`, and moved again `counter-m5e6f7081`: names don't grow. */
export function targetPodName(source: Pod, moveUID: string): string {
  const moved = source.metadata.labels?.[LINEAGE_LABEL] !== undefined;
  const base = moved ? source.metadata.name.replace(MOVE_SUFFIX, "") : source.metadata.name;
  return `${base.slice(0, NAME_LIMIT - 10).replace(/[-.]+$/, "")}${targetSuffix(moveUID)}`;
}

/** How the names of this move's target pods end. */
export function targetSuffix(moveUID: string): string {
  return `-m${createHash("sha256").update(moveUID).digest("hex").slice(0, 8)}`;
}

export function targetPod(source: Pod, options: TargetPodOptions): Pod {
  const { namespace = "default" } = source.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: options.name,
      namespace,
      labels: { [MOVE_LABEL]: options.moveUID, [LINEAGE_LABEL]: options.lineage },
      ownerReferences: [controllerReference(namespace, options.namespaceUID)],
      annotations: { ...carriedAnnotations(source.metadata.annotations ?? {}), ...firstStart(source) },
    },
    spec: targetSpec(source, options),
  };
}

/**
 * With a controller no ReplicaSet or Job adopts the pod, whatever its labels. It is the namespace, which the pod cannot outlive: the garbage
 * collector deletes a pod whose owners are gone, and a PodMigration can be torn out by force while its copy is the only one (docs/adr/0018).
 */
function controllerReference(name: string, uid: string) {
  return { apiVersion: "v1", kind: "Namespace", name, uid, controller: true, blockOwnerDeletion: false };
}

/**
 * The spec as admission will take it once more: what admission or the scheduler fills in is left out, above all `priority`
 * beside `priorityClassName`, which is refused when the class has changed. The service account's token volume stays,
 * under its name and with its mounts, so that no second one is injected.
 */
function targetSpec(source: Pod, options: TargetPodOptions): PodSpec {
  const {
    nodeName,
    initContainers,
    ephemeralContainers,
    priority,
    preemptionPolicy,
    overhead,
    hostname,
    activeDeadlineSeconds,
    ...kept
  } = structuredClone(source.spec);
  const name = hostname ?? hostNameOf(source.metadata.name);
  const deadline = remainingSeconds(source, activeDeadlineSeconds, options.nowMs);
  return {
    ...kept,
    ...(name === undefined ? {} : { hostname: name }),
    ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
    runtimeClassName: RUNTIME_CLASS,
    schedulingGates: [{ name: REGISTERING_GATE }],
    readinessGates: [...foreignGates(kept.readinessGates), { conditionType: HANDED_OVER_GATE }],
    affinity: pinnedTo(options.node, withoutItself(source, kept.affinity)),
    containers: kept.containers.map((container) => ({ ...container, ...runningImage(source, container.name) })),
  };
}

/** Without the gate of an earlier move. The copy's own condition is not set yet, whatever the source's says. */
const foreignGates = (gates: PodSpec["readinessGates"] = []) =>
  gates.filter(({ conditionType }) => conditionType !== HANDED_OVER_GATE);

/** The very image that runs: a tag may have moved on since. A digest never changes, so it need not be pulled again. */
function runningImage(source: Pod, container: string): { image?: string; imagePullPolicy?: string } {
  const imageID = source.status?.containerStatuses?.find((status) => status.name === container)?.imageID;
  if (imageID === undefined || imageID === "") return {};
  return { image: imageID.replace(/^[a-z-]+:\/\//, ""), imagePullPolicy: "IfNotPresent" };
}

/** What the kubelet makes of a pod's name; undefined for one that can't be a host name in a spec (it has dots). */
function hostNameOf(podName: string): string | undefined {
  const name = podName.slice(0, NAME_LIMIT).replace(/[-.]+$/, "");
  return name.includes(".") ? undefined : name;
}

/** The deadline counts from the pod's start: the copy is given what is left of it. */
function remainingSeconds(source: Pod, deadline: number | undefined, nowMs: number): number | undefined {
  const startTime = source.status?.startTime;
  if (deadline === undefined || startTime === undefined) return deadline;
  return Math.max(1, Math.round(deadline - (nowMs - Date.parse(startTime)) / 1000));
}

/** Required node affinity to one node, beside what the pod itself requires. An earlier move's is taken out. */
function pinnedTo(node: string, affinity: PodSpec["affinity"]): NonNullable<PodSpec["affinity"]> {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const own = (required?.nodeSelectorTerms ?? [])
    .map(withoutNodeName)
    .filter((term) => term.matchExpressions !== undefined);
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node] }];
  const terms = (own.length > 0 ? own : [{}]).map((term) => ({ ...term, matchFields }));
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
    },
  };
}

function withoutNodeName(term: NodeSelectorTerm): NodeSelectorTerm {
  const { matchFields: _pin, ...rest } = term;
  return rest;
}

/**
 * The copy is scheduled while the source still runs, and must not be kept away from it: a required anti-affinity that selects the source
 * itself is left out where it reaches beyond one node. Its siblings still keep away from the copy, by their own. The source's
 * own term is no obstacle: while the copy is being scheduled, it doesn't have the labels yet that the term selects.
 */
function withoutItself({ metadata }: Pod, affinity: PodSpec["affinity"]): PodSpec["affinity"] {
  const required = affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (affinity === undefined || required === undefined) return affinity;
  const { namespace = "", labels = {} } = metadata;
  const terms = readRules({ affinity }, labels).affinity?.podAntiAffinity ?? [];
  const itself = { namespace, labels, namespaceLabels: {} };
  const kept = required.filter((_, index) => {
    const term = terms[index];
    return term === undefined || term.topologyKey === HOST_NAME_LABEL || !termMatcher(term, namespace)(itself);
  });
  const { podAntiAffinity, ...others } = affinity;
  return { ...others, podAntiAffinity: { ...podAntiAffinity, requiredDuringSchedulingIgnoredDuringExecution: kept } };
}

/** When the lineage started, as far as it is known: what a pod has run counts from there. */
function firstStart({ metadata, status }: Pod): Record<string, string> {
  const known = metadata.annotations?.[STARTED_AT_ANNOTATION] ?? status?.startTime;
  if (known === undefined || Number.isNaN(Date.parse(known))) return {};
  return { [STARTED_AT_ANNOTATION]: new Date(known).toISOString() };
}

/** Notes that controllers of a node, a network or a ReplicaSet made about the source pod and that would be wrong on its copy. */
const LEFT_BEHIND =
  /^(kubectl\.kubernetes\.io\/last-applied-configuration|kubernetes\.io\/|cni\.|k8s\.v1\.cni\.cncf\.io\/)/;

function carriedAnnotations(annotations: Record<string, string>): Record<string, string> {
  // An earlier hand-over made its owner prefer to delete this pod: its copy must not be as cheap.
  const isCheap = (key: string, value: string): boolean => key === DELETION_COST && value === LOWEST_COST;
  const carried = Object.entries(annotations).filter(([key, value]) => !LEFT_BEHIND.test(key) && !isCheap(key, value));
  return Object.fromEntries(carried);
}
