/** What the API server adds to and demands of its own kinds, as far as Headroom can see a difference. */
import { established } from "./custom-resources.ts";
import { type FieldError, forbidden } from "./errors.ts";
import {
  type ApiObject,
  arrayAt,
  isObject,
  type Json,
  type JsonObject,
  jsonEquals,
  objectAt,
  stringAt,
  valueAt,
} from "./json.ts";
import { apiVersionOf, type ResourceType, storeName } from "./resource-types.ts";

export interface Admission {
  /** Five random characters, as in generated names. */
  suffix(): string;
  /** RFC 3339, seconds. */
  time(): string;
  /** An object that the new one refers to. */
  find(store: string, namespace: string | undefined, name: string): ApiObject | undefined;
}

const TOLERATED_SECONDS = 300;
const DNS_LABELS = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** The object as it is stored first. */
export function prepareForCreate(type: ResourceType, object: ApiObject, admission: Admission): ApiObject {
  switch (storeName(type)) {
    case "pods":
      return newPod(type, object, admission);
    case "namespaces":
      return {
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name },
        },
        spec: { finalizers: ["kubernetes"] },
        status: { phase: "Active" },
      };
    case "jobs.batch":
      return newJob(object);
    case "deployments.apps":
    case "replicasets.apps":
    case "statefulsets.apps":
      return { ...object, spec: { replicas: 1, ...objectAt(object, "spec") }, status: { replicas: 0 } };
    case "nodes":
      return { ...object, spec: objectAt(object, "spec"), status: objectAt(object, "status") };
    case "secrets":
      return encodeSecret(object);
    case "customresourcedefinitions.apiextensions.k8s.io":
      // What was established keeps apiVersion, kind and metadata.
      return established(object, admission.time()) as ApiObject;
    default:
      if (!type.statusSubresource) return object;
      return { ...object, ...(object.status === undefined ? {} : { status: {} }) };
  }
}

/** `stringData` goes into `data`, in base64. */
export function encodeSecret(object: ApiObject): ApiObject {
  const { stringData, ...secret } = object;
  const encoded = Object.entries(isObject(stringData) ? stringData : {}).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString("base64"),
  ]);
  return { type: "Opaque", ...secret, data: { ...objectAt(object, "data"), ...Object.fromEntries(encoded) } };
}

function newJob(object: ApiObject): ApiObject {
  const spec = objectAt(object, "spec");
  const template = objectAt(spec, "template");
  const labels = {
    ...objectAt(template, "metadata", "labels"),
    "batch.kubernetes.io/controller-uid": object.metadata.uid,
    "batch.kubernetes.io/job-name": object.metadata.name,
    "controller-uid": object.metadata.uid,
    "job-name": object.metadata.name,
  };
  return {
    ...object,
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      suspend: false,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": object.metadata.uid } },
      ...spec,
      template: { ...template, metadata: { ...objectAt(template, "metadata"), labels } },
    },
    status: {},
  };
}

function newPod(type: ResourceType, object: ApiObject, admission: Admission): ApiObject {
  const namespace = object.metadata.namespace;
  const given = objectAt(object, "spec");
  const serviceAccount = stringAt(given, "serviceAccountName") ?? "default";
  const runtimeClass = stringAt(given, "runtimeClassName");
  if (runtimeClass && !admission.find("runtimeclasses.node.k8s.io", undefined, runtimeClass)) {
    throw forbidden(type, object.metadata.name, `pod rejected: RuntimeClass "${runtimeClass}" not found`);
  }
  if (!admission.find("serviceaccounts", namespace, serviceAccount)) {
    const why = `error looking up service account ${namespace}/${serviceAccount}: serviceaccount "${serviceAccount}" not found`;
    throw forbidden(type, object.metadata.name, why);
  }
  const spec: JsonObject = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
    securityContext: {},
    enableServiceLinks: true,
    preemptionPolicy: "PreemptLowerPriority",
    priority: 0,
    ...given,
    serviceAccountName: serviceAccount,
    serviceAccount,
    tolerations: withDefaultTolerations(arrayAt(given, "tolerations")),
    containers: arrayAt(given, "containers").map(newContainer),
  };
  mountToken(spec, admission);
  return { ...object, spec, status: { phase: "Pending", qosClass: qosClass(spec) } };
}

/** Always when the image has no tag, or the tag latest. */
function pullPolicy(image: string): string {
  const pinned = image.includes("@") || /:[^/]+$/.test(image);
  return pinned && !image.endsWith(":latest") ? "IfNotPresent" : "Always";
}

const newContainer = (container: Json): Json => ({
  imagePullPolicy: pullPolicy(stringAt(container, "image") ?? ""),
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  resources: {},
  ...objectAt(container),
});

function withDefaultTolerations(tolerations: Json[]): Json[] {
  const keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
  const missing = keys.filter(
    (key) =>
      !tolerations.some((t) => [key, undefined].includes(stringAt(t, "key")) && stringAt(t, "effect") !== "NoSchedule"),
  );
  const added = missing.map((key) => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: TOLERATED_SECONDS,
  }));
  return [...tolerations, ...added];
}

/** The projected service-account volume that admission gives every pod that does not already mount one. */
function mountToken(spec: JsonObject, admission: Admission): void {
  if (spec.automountServiceAccountToken === false) return;
  const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
  const name = `kube-api-access-${admission.suffix()}`;
  let used = false;
  spec.containers = arrayAt(spec, "containers").map((container) => {
    const mounts = arrayAt(container, "volumeMounts");
    if (mounts.some((mount) => stringAt(mount, "mountPath") === mountPath)) return container;
    used = true;
    return { ...objectAt(container), volumeMounts: [...mounts, { name, mountPath, readOnly: true }] };
  });
  if (!used) return;
  const sources: Json[] = [
    { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
  ];
  spec.volumes = [...arrayAt(spec, "volumes"), { name, projected: { defaultMode: 420, sources } }];
}

/** Guaranteed when every container's limits equal its requests, BestEffort when none has any. */
export function qosClass(spec: JsonObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const resources = [...arrayAt(spec, "containers"), ...arrayAt(spec, "initContainers")].map((c) =>
    objectAt(c, "resources"),
  );
  if (resources.every((r) => Object.keys({ ...objectAt(r, "requests"), ...objectAt(r, "limits") }).length === 0)) {
    return "BestEffort";
  }
  const guaranteed = resources.every((r) => {
    const limits = objectAt(r, "limits");
    return ["cpu", "memory"].every(
      (name) => limits[name] !== undefined && jsonEquals(valueAt(r, "requests", name) ?? limits[name], limits[name]),
    );
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** What is wrong with a new or changed object of a built-in kind. */
export function builtInErrors(type: ResourceType, object: ApiObject, old: ApiObject | undefined): FieldError[] {
  const errors = old ? [] : nameErrors(object);
  if (storeName(type) === "pods") errors.push(...(old ? podUpdateErrors(object, old) : podErrors(object)));
  if (
    storeName(type) === "jobs.batch" &&
    old &&
    !jsonEquals(valueAt(object, "spec", "template"), valueAt(old, "spec", "template"))
  ) {
    errors.push({ reason: "FieldValueInvalid", field: "spec.template", message: "Invalid value: field is immutable" });
  }
  if (object.apiVersion !== apiVersionOf(type) || object.kind !== type.kind) {
    errors.push({ reason: "FieldValueInvalid", field: "kind", message: `Invalid value: must be ${type.kind}` });
  }
  return errors;
}

export function nameErrors(object: ApiObject): FieldError[] {
  const { name } = object.metadata;
  if (DNS_LABELS.test(name) && name.length <= 253) return [];
  const message =
    `Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric ` +
    "characters, '-' or '.', and must start and end with an alphanumeric character";
  return [{ reason: "FieldValueInvalid", field: "metadata.name", message }];
}

function podErrors(pod: ApiObject): FieldError[] {
  const containers = arrayAt(pod, "spec", "containers");
  const missing: string[] = containers.length === 0 ? ["spec.containers"] : [];
  containers.forEach((container, i) => {
    for (const field of ["name", "image"]) {
      if (!stringAt(container, field)) missing.push(`spec.containers[${i}].${field}`);
    }
  });
  return missing.map((field) => ({ reason: "FieldValueRequired", field, message: "Required value" }));
}

const podForbidden = (field: string, message: string): FieldError[] => [
  { reason: "FieldValueForbidden", field, message: `Forbidden: ${message}` },
];

function podUpdateErrors(pod: ApiObject, old: ApiObject): FieldError[] {
  const gatesBefore = arrayAt(old, "spec", "schedulingGates");
  const added = arrayAt(pod, "spec", "schedulingGates").filter((gate) => !gatesBefore.some((g) => jsonEquals(g, gate)));
  if (added.length > 0)
    return podForbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gate");
  if (jsonEquals(frozenSpec(pod, gatesBefore.length > 0), frozenSpec(old, gatesBefore.length > 0))) return [];
  const mutable =
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
  return podForbidden("spec", mutable);
}

/** The part of a pod's spec that may not change; while the pod is gated its placement still may. */
function frozenSpec(pod: ApiObject, gated: boolean): JsonObject {
  const spec = { ...objectAt(pod, "spec") };
  for (const mutable of ["activeDeadlineSeconds", "tolerations", "schedulingGates"]) delete spec[mutable];
  if (gated) for (const placement of ["nodeSelector", "affinity"]) delete spec[placement];
  spec.containers = arrayAt(spec, "containers").map((container) => ({ ...objectAt(container), image: "" }));
  spec.initContainers = arrayAt(spec, "initContainers").map((container) => ({ ...objectAt(container), image: "" }));
  return spec;
}
