/**
 * ClusterSnapshot as it is written down (JSON or YAML): a decision can be asked for, recorded, replayed and tested without a
 * cluster. It is a document, not a resource of the API server. Parsing turns quantities into bytes and times into
 * milliseconds; src/planning/written-snapshot makes a planning snapshot of the result.
 */
import { z } from "zod";
import { calibrationSchema } from "../../planning/forecast/calibration.ts";
import { parseDuration, parseResourceQuantity } from "../quantity.ts";
import { API_VERSION } from "./group.ts";
import { PHASES } from "./pod-migration.ts";
import { affinitySchema, topologySpreadSchema } from "./scheduling.ts";

/** A field whose text `parse` understands; what it answers with undefined is refused, naming what was expected. */
export function field<T>(parse: (value: unknown) => T | undefined, expected: string) {
  return z.unknown().transform((value, context): T => {
    const result = parse(value);
    if (result !== undefined) return result;
    const given = value === undefined ? "is missing" : `not ${JSON.stringify(value)}`;
    context.addIssue({ code: "custom", message: `expected ${expected}; ${given}` });
    return z.NEVER;
  });
}

function parseBytes(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? value : undefined;
  return typeof value === "string" ? parseResourceQuantity(value) : undefined;
}

function parseSignedBytes(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  const bytes = parseResourceQuantity(value.replace(/^[+-]/, ""));
  return bytes !== undefined && value.startsWith("-") ? -bytes : bytes;
}

/** Any number at all: whether a measured one can be believed is judged later, and marked. `null`: no sample. */
function parseSample(value: unknown): number | null | undefined {
  if (value === null || typeof value === "number") return value;
  return parseSignedBytes(value);
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function parseTime(value: unknown): number | undefined {
  if (typeof value !== "string" || !RFC_3339.test(value)) return undefined;
  const milliseconds = Date.parse(value);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

function parseStep(value: unknown): number | undefined {
  const seconds = typeof value === "string" ? parseDuration(value) : undefined;
  return seconds !== undefined && seconds > 0 ? seconds : undefined;
}

const bytes = field(parseBytes, "a quantity such as 40Gi, or a number of bytes from 0 on");
const signedBytes = field(parseSignedBytes, "a quantity such as 1.5Gi, negative ones with -, or a number of bytes");
const sample = field(parseSample, "a number of bytes, or null for no sample");
const time = field(parseTime, "a time such as 2026-01-01T00:00:00Z");
const seconds = field((value) => parseDuration(typeof value === "string" ? value : ""), "a duration such as 8h or 90s");
const step = field(parseStep, "a duration of at least 1s, such as 15s");
const name = z.string().min(1);
const count = z.int().min(0);
const labels = z.record(z.string(), z.string());

const regularSeries = z.strictObject({
  start: time.describe("Time of the first sample."),
  step: step.describe("From one sample to the next."),
  bytes: z.array(sample).describe("null: no sample."),
});
const timedSeries = z.array(z.strictObject({ time, bytes: sample }));
/** Each form's own problems are told, as far as the value shows which form is meant. */
const series = z.unknown().transform((value, context) => {
  const schema = Array.isArray(value) ? timedSeries : regularSeries;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue, code: "custom" });
  return z.NEVER;
});

/** `used`, or `series`; neither: a node uses what its pods use, and a pod has no figure. */
const figure = {
  used: bytes.optional(),
  sampledAt: time.optional().describe("When used was measured. Absent: at the snapshot's time."),
  series: series.optional().describe("In place of used: {start, step, bytes: [...]} or [{time, bytes}, ...]."),
  suspect: z.boolean().optional().describe("Newer samples were rejected: the figure is not the whole truth."),
};

interface Written {
  used?: unknown;
  growthPerMinute?: unknown;
  sampledAt?: unknown;
  series?: unknown;
}

/** Also told when other fields are wrong. */
function oneFigure<S extends z.ZodType<Written>>(schema: S): S {
  let result = schema;
  for (const member of ["used", "growthPerMinute", "sampledAt"] as const) {
    const message = "must not be given together with series: expected one or the other";
    const check = (value: Written) => value?.series === undefined || value[member] === undefined;
    result = result.refine(check, { path: [member], message, when: () => true });
  }
  return result;
}

const taint = z.strictObject({
  key: name,
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});
export const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(["Exists", "Equal"]).optional(),
  value: z.string().optional(),
  effect: z.string().optional(),
});

export const obstacle = z.strictObject({ reason: name, message: z.string() });

const node = oneFigure(
  z.strictObject({
    name,
    capacity: bytes.describe("0: not known; the node is neither relieved nor a target."),
    ...figure,
    allocatable: bytes.optional().describe("Absent: the capacity."),
    labels: labels.optional(),
    taints: z.array(taint).optional(),
    unschedulable: z.boolean().optional(),
    maxPods: count.optional().describe("Absent: 110."),
    ready: z.boolean().optional().describe("Absent: true."),
    agentReady: z.boolean().optional().describe("Absent: true."),
    handlerMissing: z.string().optional().describe("Why no pod can be moved to it although its agent is ready."),
    failedKinds: z.array(name).optional().describe("Kinds of containers that its self-test failed for."),
    stagingFree: bytes.optional().describe("What all moves together may stage. Absent: not asked for."),
  }),
);

function parseRequests(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null) return parseBytes(value);
  return "memory" in value ? parseBytes(value.memory) : 0;
}
function parseOwner(value: unknown): string | undefined {
  if (typeof value === "string" && value !== "") return value.split("/")[0];
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  return typeof kind === "string" && kind !== "" ? kind : undefined;
}
function parseContainers(value: unknown): number | undefined {
  const found = Array.isArray(value) ? value.length : value;
  return typeof found === "number" && Number.isSafeInteger(found) && found >= 1 ? found : undefined;
}

export const owner = field(parseOwner, "a kind such as Job or ReplicaSet, or {kind, name}");

const pod = oneFigure(
  z.strictObject({
    namespace: name,
    name,
    uid: name.optional().describe("Absent: namespace/name."),
    node: name,
    ...figure,
    growthPerMinute: signedBytes.optional().describe("Beside used; a series tells it by itself."),
    containers: field(parseContainers, "a list of containers, or their number")
      .optional()
      .describe("A pod of several containers is not moved. Absent: one."),
    labels: labels.optional(),
    namespaceLabels: labels.optional(),
    annotations: labels.optional(),
    requests: field(parseRequests, "a quantity of memory such as 4Gi, or {memory: 4Gi}").optional(),
    startedAt: time.optional().describe("When the first of its lineage started."),
    expectedRuntime: seconds.optional(),
    migrations: count.optional().describe("Times moved before. Absent: counted in moves."),
    lineage: name.optional().describe("Absent: the uid."),
    owner: owner.optional(),
    tolerations: z.array(toleration).optional(),
    nodeSelector: labels.optional(),
    affinity: affinitySchema.optional().describe("As in a pod's spec; what is required counts."),
    topologySpreadConstraints: topologySpreadSchema.optional(),
    terminating: z.boolean().optional().describe("It is being deleted. Absent: false."),
    phase: z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]).optional().describe("Absent: Running."),
    obstacle: obstacle.optional().describe("Why a PodMigration's preflight would refuse this pod."),
    kinds: z.array(name).optional().describe("Kinds of containers that it has, such as user. Absent: not known."),
  }),
);

const move = z.strictObject({
  namespace: name,
  name: name.optional(),
  pod: name,
  podUID: name.optional(),
  lineage: name.optional(),
  policy: name.optional(),
  from: name,
  to: name.optional(),
  memory: bytes,
  files: bytes.optional().describe("Its writable layer and emptyDirs. Absent: not known."),
  memoryFiles: bytes.optional().describe("The part of `files` in memory-backed emptyDirs. Absent: not known."),
  phase: z.enum(PHASES),
  startedAt: time.optional(),
  finishedAt: time.optional(),
  freezeMilliseconds: z.number().min(0).optional(),
  transferredBytes: z.number().min(0).optional(),
  notCarried: z
    .boolean()
    .optional()
    .describe("It was frozen in vain, because of something that cannot be moved. Absent: false."),
  programFailed: z
    .boolean()
    .optional()
    .describe("It succeeded, and its program failed within a minute of its release. Absent: false."),
});

// What is damaged is as good as lost: bounds then start as their widest.
const calibrations = z.record(z.string(), calibrationSchema.optional().catch(undefined)).catch({});
const seriesCalibrations = z.object({ nodes: calibrations, pods: calibrations });

const memory = z.looseObject({
  version: z.literal(1).optional(),
  gates: labels.optional().describe("Closed scheduling gates: the policy by node."),
  confirmations: z
    .record(z.string(), z.string().regex(/^[01]{1,100}$/, "expected a 1 or 0 for each of the last evaluations"))
    .optional(),
  relieving: z.array(z.string()).optional(),
  forecasts: z.record(z.string(), seriesCalibrations.optional().catch(undefined)).optional().catch(undefined),
});

export const clusterSnapshotSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("ClusterSnapshot"),
  metadata: z.looseObject({}).optional(),
  time,
  nodes: z.array(node),
  pods: z.array(pod).default([]),
  moves: z.array(move).default([]).describe("In flight or past."),
  memory: memory.optional().describe("What evaluate handed back the last time."),
});

/** Bytes, milliseconds since the epoch, seconds. */
export type WrittenSnapshot = z.output<typeof clusterSnapshotSchema>;
export type WrittenNode = z.output<typeof node>;
export type WrittenPod = z.output<typeof pod>;
export type WrittenMove = z.output<typeof move>;
export type WrittenSeries = z.output<typeof regularSeries> | z.output<typeof timedSeries>;
