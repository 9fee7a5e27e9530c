/** Server-side printing: what `kubectl get` shows, as metav1.Table. */
import type { PrinterColumn } from "./custom-schema.ts";
import { type ApiObject, arrayAt, type Json, type JsonObject, numberAt, objectAt, stringAt, valueAt } from "./json.ts";
import { jsonPath } from "./json-path.ts";
import { type ResourceType, storeName } from "./resource-types.ts";

type Cell = (object: ApiObject, nowMs: number) => Json;
interface Column {
  name: string;
  type?: string;
  priority?: number;
  cell: Cell;
}

/** `5m30s`, `3h`, `2d`: as kubectl shortens ages. */
export function shortDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 ? `${minutes}m${seconds % 60}s` : `${minutes}m`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

const since = (time: string | undefined, nowMs: number): string =>
  time ? shortDuration(nowMs - Date.parse(time)) : "<unknown>";
const text =
  (...path: string[]): Cell =>
  (object) =>
    String(valueAt(object, ...path) ?? "<none>");
const count =
  (...path: string[]): Cell =>
  (object) =>
    numberAt(object, ...path) ?? 0;

const NAME: Column = { name: "Name", cell: (object) => object.metadata.name };
const AGE: Column = { name: "Age", cell: (object, nowMs) => since(object.metadata.creationTimestamp, nowMs) };

function podStatus(pod: ApiObject): string {
  if (pod.metadata.deletionTimestamp) return "Terminating";
  const states = arrayAt(pod, "status", "containerStatuses").map((status) => objectAt(status, "state"));
  const waiting = states.map((state) => stringAt(state, "waiting", "reason")).find(Boolean);
  const terminated = states.map((state) => stringAt(state, "terminated", "reason")).find(Boolean);
  if (waiting ?? terminated) return waiting ?? terminated ?? "";
  const gated = arrayAt(pod, "spec", "schedulingGates").length > 0 && !stringAt(pod, "spec", "nodeName");
  return gated ? "SchedulingGated" : (stringAt(pod, "status", "phase") ?? "Unknown");
}

function podReady(pod: ApiObject): string {
  const ready = arrayAt(pod, "status", "containerStatuses").filter((status) => valueAt(status, "ready") === true);
  return `${ready.length}/${arrayAt(pod, "spec", "containers").length}`;
}

const podRestarts: Cell = (pod) =>
  arrayAt(pod, "status", "containerStatuses").reduce<number>((sum, s) => sum + (numberAt(s, "restartCount") ?? 0), 0);

function nodeStatus(node: ApiObject): string {
  const ready = arrayAt(node, "status", "conditions").find((condition) => stringAt(condition, "type") === "Ready");
  const words = [stringAt(ready, "status") === "True" ? "Ready" : "NotReady"];
  if (valueAt(node, "spec", "unschedulable") === true) words.push("SchedulingDisabled");
  return words.join(",");
}

const replicas: Column[] = [
  { name: "Desired", type: "integer", cell: count("spec", "replicas") },
  { name: "Current", type: "integer", cell: count("status", "replicas") },
  { name: "Ready", type: "integer", cell: count("status", "readyReplicas") },
];

const COLUMNS: Record<string, Column[]> = {
  pods: [
    NAME,
    { name: "Ready", cell: podReady },
    { name: "Status", cell: podStatus },
    { name: "Restarts", cell: podRestarts },
    AGE,
    { name: "IP", priority: 1, cell: text("status", "podIP") },
    { name: "Node", priority: 1, cell: text("spec", "nodeName") },
    { name: "Nominated Node", priority: 1, cell: text("status", "nominatedNodeName") },
    { name: "Readiness Gates", priority: 1, cell: () => "<none>" },
  ],
  nodes: [
    NAME,
    { name: "Status", cell: nodeStatus },
    { name: "Roles", cell: () => "<none>" },
    AGE,
    { name: "Version", cell: text("status", "nodeInfo", "kubeletVersion") },
  ],
  namespaces: [NAME, { name: "Status", cell: text("status", "phase") }, AGE],
  events: [
    { name: "Last Seen", cell: (event, nowMs) => since(lastSeen(event), nowMs) },
    { name: "Type", cell: text("type") },
    { name: "Reason", cell: text("reason") },
    { name: "Object", cell: (event) => `${objectText(event, "kind").toLowerCase()}/${objectText(event, "name")}` },
    { name: "Message", cell: (event) => (stringAt(event, "message") ?? stringAt(event, "note") ?? "").trim() },
  ],
  "leases.coordination.k8s.io": [NAME, { name: "Holder", cell: text("spec", "holderIdentity") }, AGE],
  "replicasets.apps": [NAME, ...replicas, AGE],
  "deployments.apps": [
    NAME,
    {
      name: "Ready",
      cell: (o) => `${numberAt(o, "status", "readyReplicas") ?? 0}/${numberAt(o, "spec", "replicas") ?? 0}`,
    },
    { name: "Up-to-date", type: "integer", cell: count("status", "updatedReplicas") },
    { name: "Available", type: "integer", cell: count("status", "availableReplicas") },
    AGE,
  ],
  "jobs.batch": [
    NAME,
    { name: "Status", cell: jobStatus },
    {
      name: "Completions",
      cell: (o) => `${numberAt(o, "status", "succeeded") ?? 0}/${numberAt(o, "spec", "completions") ?? 1}`,
    },
    AGE,
  ],
  "customresourcedefinitions.apiextensions.k8s.io": [
    NAME,
    { name: "Created At", cell: (crd) => crd.metadata.creationTimestamp },
  ],
};

function jobStatus(job: ApiObject): string {
  const on = arrayAt(job, "status", "conditions").filter((condition) => stringAt(condition, "status") === "True");
  return stringAt(on[0], "type") ?? "Running";
}

const lastSeen = (event: ApiObject): string | undefined =>
  stringAt(event, "lastTimestamp") ?? stringAt(event, "eventTime") ?? event.metadata.creationTimestamp;
const objectText = (event: ApiObject, field: string): string =>
  stringAt(event, "involvedObject", field) ?? stringAt(event, "regarding", field) ?? "";

function customColumns(columns: readonly PrinterColumn[]): Column[] {
  const own = columns.map((column) => ({
    name: column.name,
    type: column.type,
    priority: column.priority,
    cell: (object: ApiObject, nowMs: number) => customCell(column, object, nowMs),
  }));
  return [NAME, ...(own.length > 0 ? own : [AGE])];
}

function customCell(column: PrinterColumn, object: ApiObject, nowMs: number): Json {
  const values = jsonPath(column.jsonPath, object);
  const [first] = values;
  if (first === undefined || first === null) return null;
  if (column.type === "date") return typeof first === "string" ? since(first, nowMs) : "<unknown>";
  if (column.type === "string")
    return values.map((value) => (typeof value === "object" ? JSON.stringify(value) : String(value))).join(",");
  return first;
}

/** `include`: how much of each object rides along (kubectl asks for the metadata). */
export function table(
  type: ResourceType,
  objects: ApiObject[],
  metadata: JsonObject,
  options: { include: string; nowMs: number; withColumns?: boolean },
): JsonObject {
  const columns = type.custom ? customColumns(type.custom.columns) : (COLUMNS[storeName(type)] ?? [NAME, AGE]);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: options.withColumns === false ? null : columns.map(definition),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, options.nowMs)),
      ...rowObject(object, options.include),
    })),
  };
}

const definition = (column: Column): JsonObject => ({
  name: column.name,
  type: column.type ?? "string",
  format: column.name === "Name" ? "name" : "",
  description: "",
  priority: column.priority ?? 0,
});

function rowObject(object: ApiObject, include: string): JsonObject {
  if (include === "None") return {};
  if (include === "Object") return { object };
  return { object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata } };
}
