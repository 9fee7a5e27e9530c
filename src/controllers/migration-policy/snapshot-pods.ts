/** Pods of the API as planning sees them. Pure. */
import { parseDuration, parseResourceQuantity } from "../../api/quantity.ts";
import {
  EXPECTED_RUNTIME_ANNOTATION,
  LINEAGE_LABEL,
  MOVE_LABEL,
  STARTED_AT_ANNOTATION,
} from "../../api/v1alpha1/group.ts";
import type { Pod } from "../../kube/resources.ts";
import { podObstacle } from "../../planning/eligibility/pod-obstacles.ts";
import { readRules } from "../../planning/kubernetes-rules.ts";
import type { PodSnapshot, Toleration } from "../../planning/snapshot.ts";

export interface PodContext {
  ownNamespace: string;
  namespaceLabels: Readonly<Record<string, string>>;
  /** How often this lineage was moved. */
  migrations: number;
}

type Container = Pod["spec"]["containers"][number];

const UNCONFINED = "Unconfined";
/** Before Kubernetes 1.30 profiles were asked for in annotations, by container; they are still read. */
const APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io";

const PHASES = ["Pending", "Running", "Succeeded", "Failed"] as const;

export const lineageOf = (pod: Pod): string => pod.metadata.labels?.[LINEAGE_LABEL] ?? pod.metadata.uid ?? "";

/** Undefined: it runs on no node yet, or the API server has not given it a UID. */
export function podSnapshot(pod: Pod, context: PodContext): PodSnapshot | undefined {
  const { namespace, uid, name, annotations = {} } = pod.metadata;
  const labels = countedLabels(pod);
  const node = pod.spec.nodeName;
  if (node === undefined || uid === undefined || namespace === undefined) return undefined;
  const obstacle = podObstacle(pod, { ownNamespace: context.ownNamespace });
  const kinds = kindsOf(pod);
  return {
    namespace,
    name,
    uid,
    node,
    usedBytes: undefined,
    sampledAtMs: undefined,
    requestBytes: memoryRequest(pod),
    labels,
    namespaceLabels: context.namespaceLabels,
    annotations,
    tolerations: tolerationsOf(pod),
    nodeSelector: pod.spec.nodeSelector ?? {},
    ...readRules({ ...pod.spec, affinity: ownAffinity(pod) }, labels),
    ...(pod.metadata.deletionTimestamp !== undefined && { terminating: true }),
    migrations: context.migrations,
    lineage: lineageOf(pod),
    phase: PHASES.find((phase) => phase === pod.status?.phase) ?? "Unknown",
    ...(obstacle && { obstacle }),
    ...(kinds.length > 0 && { kinds }),
    ...optional("startedAtMs", lineageStartMs(pod)),
    ...optional("expectedRuntimeSeconds", expectedRuntimeSeconds(pod)),
    ...optional("ownerKind", pod.metadata.ownerReferences?.find((owner) => owner.controller === true)?.kind),
  };
}

/**
 * The kinds of containers (those of the agents' verdicts) that its spec is certain to ask for. As whom an image runs, the spec doesn't
 * say: preflight sees it at the process. Nodes without AppArmor have no verdict on it.
 */
function kindsOf({ metadata, spec }: Pod): string[] {
  const kinds = new Set<string>();
  for (const { name, securityContext: own } of spec.containers) {
    const runAsUser = own?.runAsUser ?? spec.securityContext?.runAsUser;
    const runAsNonRoot = own?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot;
    if (runAsUser === 0) kinds.add("root");
    else if (runAsUser !== undefined || runAsNonRoot === true) kinds.add("user");
    const seccomp = own?.seccompProfile ?? spec.securityContext?.seccompProfile;
    if ((seccomp?.type ?? UNCONFINED) !== UNCONFINED) kinds.add("seccomp");
    const apparmor = own?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const profile = apparmor?.type ?? metadata.annotations?.[`${APPARMOR_ANNOTATION}/${name}`];
    if (own?.privileged !== true && profile?.toLowerCase() !== "unconfined") kinds.add("apparmor");
  }
  return [...kinds];
}

/** A copy has its source's labels before it takes its place: the move counts it already, so nothing selects it by them. */
function countedLabels({ metadata: { labels = {} } }: Pod): Record<string, string> {
  const { [MOVE_LABEL]: move, [LINEAGE_LABEL]: lineage = "" } = labels;
  return move === undefined ? labels : { [MOVE_LABEL]: move, [LINEAGE_LABEL]: lineage };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V }); // the only key is K
}

function timeMs(text: string | undefined): number | undefined {
  const milliseconds = Date.parse(text ?? "");
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

/** A pod that was moved has run since the first of its lineage started; its own start is when it was restored. */
function lineageStartMs(pod: Pod): number | undefined {
  const own = timeMs(pod.status?.startTime);
  const first = timeMs(pod.metadata.annotations?.[STARTED_AT_ANNOTATION]);
  return own === undefined || first === undefined ? own : Math.min(own, first);
}

/** The annotation, where it can be read; else activeDeadlineSeconds, which counts from the pod's own start. */
function expectedRuntimeSeconds(pod: Pod): number | undefined {
  const annotated = parseDuration(pod.metadata.annotations?.[EXPECTED_RUNTIME_ANNOTATION] ?? "");
  const { activeDeadlineSeconds } = pod.spec;
  if (annotated !== undefined || activeDeadlineSeconds === undefined) return annotated;
  const ownMs = timeMs(pod.status?.startTime);
  return activeDeadlineSeconds + (ownMs === undefined ? 0 : (ownMs - (lineageStartMs(pod) ?? ownMs)) / 1000);
}

/** A toleration whose operator is not known here, or not on in every cluster, tolerates nothing. */
function tolerationsOf(pod: Pod): Toleration[] {
  return (pod.spec.tolerations ?? []).flatMap(({ key, operator = "Equal", value, effect }) =>
    operator === "Exists" || operator === "Equal"
      ? [{ ...optional("key", key), ...optional("value", value), ...optional("effect", effect), operator }]
      : [],
  );
}

/** Without the node that a move pinned its copy to: that one is no wish of the pod's. */
function ownAffinity({ metadata, spec }: Pod): Pod["spec"]["affinity"] {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined || metadata.labels?.[LINEAGE_LABEL] === undefined) return spec.affinity;
  const nodeSelectorTerms = required.nodeSelectorTerms
    .map(({ matchFields: _pin, ...term }) => term)
    .filter((term) => (term.matchExpressions ?? []).length > 0);
  const { nodeAffinity: _, ...others } = spec.affinity ?? {};
  if (nodeSelectorTerms.length === 0) return others;
  return { ...others, nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
}

const requestOf = (container: Container) =>
  parseResourceQuantity(container.resources?.requests?.memory ?? container.resources?.limits?.memory ?? "0") ?? 0;

/** As the scheduler reckons: containers and sidecars together, or the biggest init container, and the overhead. */
function memoryRequest(pod: Pod): number {
  const init = pod.spec.initContainers ?? [];
  const sidecars = init.filter((container) => container.restartPolicy === "Always");
  const together = [...pod.spec.containers, ...sidecars].reduce((sum, container) => sum + requestOf(container), 0);
  const overhead = parseResourceQuantity(pod.spec.overhead?.memory ?? "0") ?? 0;
  return Math.max(together, ...init.map(requestOf)) + overhead;
}
