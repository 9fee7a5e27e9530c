/** The kinds that the sandbox's API knows from the start. CRDs add theirs (./custom-resources.ts). */
import type { CustomSchema } from "./custom-schema.ts";

export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Writes of the object leave the status alone, writes of `/status` everything else. */
  readonly statusSubresource: boolean;
  /** metadata.generation counts the changes of what is not metadata nor status. */
  readonly countsGenerations: boolean;
  /** Not stored: a question that is answered on creation. */
  readonly virtual: boolean;
  /** Other subresources that can be asked for. */
  readonly subresources: readonly string[];
  /** Of custom resources: schema, rules and printer columns. */
  readonly custom?: CustomSchema;
}

interface Options extends Partial<ResourceType> {
  group?: string;
  version?: string;
}

const builtIn = (kind: string, plural: string, options: Options = {}): ResourceType => ({
  group: "",
  version: "v1",
  plural,
  kind,
  singular: kind.toLowerCase(),
  namespaced: true,
  shortNames: [],
  categories: [],
  statusSubresource: false,
  countsGenerations: false,
  virtual: false,
  subresources: [],
  ...options,
});

const workload = { group: "apps", statusSubresource: true, countsGenerations: true, categories: ["all"] };

export const BUILT_IN_TYPES: readonly ResourceType[] = [
  builtIn("Namespace", "namespaces", { namespaced: false, shortNames: ["ns"], statusSubresource: true }),
  builtIn("Node", "nodes", { namespaced: false, shortNames: ["no"], statusSubresource: true }),
  builtIn("Pod", "pods", {
    shortNames: ["po"],
    categories: ["all"],
    statusSubresource: true,
    countsGenerations: true,
    subresources: ["eviction", "binding", "log"],
  }),
  builtIn("Event", "events", { shortNames: ["ev"] }),
  builtIn("Secret", "secrets"),
  builtIn("ConfigMap", "configmaps", { shortNames: ["cm"] }),
  builtIn("ServiceAccount", "serviceaccounts", { shortNames: ["sa"], subresources: ["token"] }),
  builtIn("PersistentVolumeClaim", "persistentvolumeclaims", { shortNames: ["pvc"], statusSubresource: true }),
  builtIn("Event", "events", { group: "events.k8s.io", shortNames: ["ev"] }),
  builtIn("Lease", "leases", { group: "coordination.k8s.io" }),
  builtIn("NetworkPolicy", "networkpolicies", { group: "networking.k8s.io", shortNames: ["netpol"] }),
  builtIn("RuntimeClass", "runtimeclasses", { group: "node.k8s.io", namespaced: false }),
  builtIn("Deployment", "deployments", { ...workload, shortNames: ["deploy"], subresources: ["scale"] }),
  builtIn("ReplicaSet", "replicasets", { ...workload, shortNames: ["rs"], subresources: ["scale"] }),
  builtIn("DaemonSet", "daemonsets", { ...workload, shortNames: ["ds"] }),
  builtIn("StatefulSet", "statefulsets", { ...workload, shortNames: ["sts"], subresources: ["scale"] }),
  builtIn("Job", "jobs", { ...workload, group: "batch" }),
  builtIn("PodDisruptionBudget", "poddisruptionbudgets", {
    group: "policy",
    shortNames: ["pdb"],
    statusSubresource: true,
    countsGenerations: true,
  }),
  builtIn("PriorityClass", "priorityclasses", {
    group: "scheduling.k8s.io",
    namespaced: false,
    shortNames: ["pc"],
  }),
  builtIn("TokenReview", "tokenreviews", { group: "authentication.k8s.io", namespaced: false, virtual: true }),
  builtIn("SelfSubjectAccessReview", "selfsubjectaccessreviews", {
    group: "authorization.k8s.io",
    namespaced: false,
    virtual: true,
  }),
  builtIn("CustomResourceDefinition", "customresourcedefinitions", {
    group: "apiextensions.k8s.io",
    namespaced: false,
    shortNames: ["crd", "crds"],
    statusSubresource: true,
    countsGenerations: true,
  }),
];

/** `pods`, `jobs.batch`: one name per resource; the two Event kinds share one store, as in Kubernetes. */
export const storeName = (type: ResourceType): string =>
  type.group && type.group !== "events.k8s.io" ? `${type.plural}.${type.group}` : type.plural;

export const apiVersionOf = (type: ResourceType): string =>
  type.group ? `${type.group}/${type.version}` : type.version;

/** All resource types, built in and custom. */
export class ResourceTypes {
  readonly #types = new Map<string, ResourceType>();

  constructor(types: readonly ResourceType[] = BUILT_IN_TYPES) {
    for (const type of types) this.add(type);
  }

  add(type: ResourceType): void {
    this.#types.set(`${type.group}/${type.version}/${type.plural}`, type);
  }

  /** Forgets every version of a custom resource. */
  remove(group: string, plural: string): void {
    for (const [key, type] of this.#types) {
      if (type.group === group && type.plural === plural) this.#types.delete(key);
    }
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#types.get(`${group}/${version}/${plural}`);
  }

  ofKind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.all().find((type) => type.kind === kind && apiVersionOf(type) === apiVersion);
  }

  all(): ResourceType[] {
    return [...this.#types.values()];
  }
}
