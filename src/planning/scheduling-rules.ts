/**
 * What a pod requires of the node it runs on, as far as the scheduler holds to it when the pod is placed. What it merely prefers
 * is left out: it never keeps a pod off a node.
 */
import type { LabelSelector } from "../api/v1alpha1/fields.ts";

export interface NodeRequirement {
  key: string;
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  values?: string[];
}

/** All of its requirements must be met; one without any is met by no node. */
export interface NodeTerm {
  /** Of the node's labels. */
  matchExpressions?: NodeRequirement[];
  /** Of the node's name: key `metadata.name`. */
  matchFields?: NodeRequirement[];
}

/** Pods that another one wants near it, or not near it: in one domain, which is what a node's label of this key says. */
export interface PodTerm {
  topologyKey: string;
  /** Absent: no pod. Empty: every pod. */
  labelSelector?: LabelSelector;
  /** Neither these nor a selector: the pod's own namespace. Both: either will do. */
  namespaces?: string[];
  /** Empty: every namespace. */
  namespaceSelector?: LabelSelector;
}

export interface SpreadConstraint {
  /** By how many of the selected pods a domain may be ahead of the one that has the fewest. */
  maxSkew: number;
  topologyKey: string;
  /** Absent: no pod. Of the pod's own namespace in any case. */
  labelSelector?: LabelSelector;
  /** With fewer domains than this the fewest counts as 0. Absent: 1. */
  minDomains?: number;
  /** Honor: only nodes that the pod's node selector and affinity admit are counted. Absent: Honor. */
  nodeAffinityPolicy?: "Honor" | "Ignore";
  /** Honor: only nodes whose taints the pod tolerates are counted. Absent: Ignore. */
  nodeTaintsPolicy?: "Honor" | "Ignore";
}

/** Required ones only (`requiredDuringSchedulingIgnoredDuringExecution`). */
export interface Affinity {
  /** One of these must be met; absent: any node will do. */
  nodeTerms?: NodeTerm[];
  podAffinity?: PodTerm[];
  podAntiAffinity?: PodTerm[];
}

export interface SchedulingRules {
  affinity?: Affinity;
  /** Those that are not to be violated (`whenUnsatisfiable: DoNotSchedule`). */
  topologySpread?: SpreadConstraint[];
}
