/** Scheduling rules as Kubernetes writes them in a pod's spec, and as planning reads them. Pure. */
import type { LabelSelector } from "../api/v1alpha1/fields.ts";
import type { NodeRequirement, NodeTerm, PodTerm, SchedulingRules, SpreadConstraint } from "./scheduling-rules.ts";

interface WrittenSelector {
  matchLabels?: Record<string, string> | undefined;
  matchExpressions?: { key: string; operator: string; values?: string[] | undefined }[] | undefined;
}

interface WrittenNodeTerm {
  matchExpressions?: { key: string; operator: string; values?: string[] | undefined }[] | undefined;
  matchFields?: { key: string; operator: string; values?: string[] | undefined }[] | undefined;
}

interface WrittenPodTerm {
  topologyKey: string;
  labelSelector?: WrittenSelector | undefined;
  namespaces?: string[] | undefined;
  namespaceSelector?: WrittenSelector | undefined;
}

interface RequiredPodTerms {
  requiredDuringSchedulingIgnoredDuringExecution?: WrittenPodTerm[] | undefined;
}

export interface WrittenAffinity {
  nodeAffinity?:
    | { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: WrittenNodeTerm[] } | undefined }
    | undefined;
  podAffinity?: RequiredPodTerms | undefined;
  podAntiAffinity?: RequiredPodTerms | undefined;
}

export interface WrittenSpread {
  maxSkew: number;
  topologyKey: string;
  whenUnsatisfiable: string;
  labelSelector?: WrittenSelector | undefined;
  matchLabelKeys?: string[] | undefined;
  minDomains?: number | undefined;
  nodeAffinityPolicy?: string | undefined;
  nodeTaintsPolicy?: string | undefined;
}

export interface WrittenRules {
  affinity?: WrittenAffinity | undefined;
  topologySpreadConstraints?: WrittenSpread[] | undefined;
}

/** `labels`: the pod's own, for constraints that refer to them. What is merely preferred is left out. */
export function readRules(written: WrittenRules, labels: Readonly<Record<string, string>>): SchedulingRules {
  const affinity = readAffinity(written.affinity);
  const spread = (written.topologySpreadConstraints ?? []).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule",
  );
  return {
    ...(Object.keys(affinity).length > 0 && { affinity }),
    ...(spread.length > 0 && { topologySpread: spread.map((constraint) => readSpread(constraint, labels)) }),
  };
}

function readAffinity(written: WrittenAffinity | undefined): NonNullable<SchedulingRules["affinity"]> {
  const nodes = written?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const near = written?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const away = written?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    ...(nodes !== undefined && { nodeTerms: nodes.nodeSelectorTerms.map(readNodeTerm) }),
    ...(near.length > 0 && { podAffinity: near.map(readPodTerm) }),
    ...(away.length > 0 && { podAntiAffinity: away.map(readPodTerm) }),
  };
}

function readNodeTerm({ matchExpressions, matchFields }: WrittenNodeTerm): NodeTerm {
  return defined({
    matchExpressions: matchExpressions?.map(readRequirement),
    matchFields: matchFields?.map(readRequirement),
  });
}

function readRequirement({ key, operator, values }: { key: string; operator: string; values?: string[] | undefined }) {
  // The API server and the snapshot's schema admit no other operators.
  return { key, operator: operator as NodeRequirement["operator"], ...defined({ values }) };
}

function readPodTerm({ topologyKey, labelSelector, namespaces, namespaceSelector }: WrittenPodTerm): PodTerm {
  const listed = namespaces !== undefined && namespaces.length > 0 ? namespaces : undefined;
  return {
    topologyKey,
    ...defined({
      labelSelector: labelSelector && readSelector(labelSelector),
      namespaces: listed,
      namespaceSelector: namespaceSelector && readSelector(namespaceSelector),
    }),
  };
}

function readSelector({ matchLabels, matchExpressions }: WrittenSelector): LabelSelector {
  // The API server and the snapshot's schema admit no other operators.
  return defined({ matchLabels, matchExpressions }) as LabelSelector;
}

function readSpread(written: WrittenSpread, labels: Readonly<Record<string, string>>): SpreadConstraint {
  const { maxSkew, topologyKey, minDomains, nodeAffinityPolicy, nodeTaintsPolicy } = written;
  return {
    maxSkew,
    topologyKey,
    ...defined({
      labelSelector: written.labelSelector && withOwnLabels(readSelector(written.labelSelector), written, labels),
      minDomains,
      nodeAffinityPolicy: policy(nodeAffinityPolicy),
      nodeTaintsPolicy: policy(nodeTaintsPolicy),
    }),
  };
}

const policy = (text: string | undefined) => (text === "Honor" || text === "Ignore" ? text : undefined);

/** `matchLabelKeys`: only pods that have the same values as this one under these keys, as far as it has them. */
function withOwnLabels(
  selector: LabelSelector,
  { matchLabelKeys = [] }: WrittenSpread,
  labels: Readonly<Record<string, string>>,
): LabelSelector {
  const own = matchLabelKeys.flatMap((key) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value === undefined ? [] : [{ key, operator: "In" as const, values: [value] }];
  });
  return own.length === 0
    ? selector
    : { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...own] };
}

/** As {@link readRules} reads them again. */
export function writeRules({ affinity, topologySpread }: SchedulingRules): WrittenRules {
  return defined({
    affinity: affinity && writeAffinity(affinity),
    topologySpreadConstraints: topologySpread?.map((one) => ({ ...one, whenUnsatisfiable: "DoNotSchedule" })),
  });
}

function writeAffinity({ nodeTerms, podAffinity, podAntiAffinity }: NonNullable<SchedulingRules["affinity"]>) {
  return defined({
    nodeAffinity: nodeTerms && { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: nodeTerms } },
    podAffinity: podAffinity && { requiredDuringSchedulingIgnoredDuringExecution: podAffinity },
    podAntiAffinity: podAntiAffinity && { requiredDuringSchedulingIgnoredDuringExecution: podAntiAffinity },
  });
}

/** Without the members that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only undefined members are dropped, which is what the type says.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
