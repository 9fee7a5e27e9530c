/**
 * The simulator's own format, read and written:
 * ```yaml
 * apiVersion: headroom.dev/v1alpha1
 * kind: Workload
 * pods:
 * - name: w                  # namespace: default
 *   arrival: 5m              # absent: at the start; also seconds as a number
 *   duration: 2h             # work until it has finished; absent: never
 *   request: 2Gi             # absent: half of its peak
 *   memory: [{at: 0s, bytes: 1Gi}, {at: 1h, bytes: 4Gi}]   # or {seconds: [0, 3600], bytes: [...]}, or 4Gi
 * ```
 */
import { z } from "zod";
import { obstacle, owner, toleration } from "../../../api/v1alpha1/cluster-snapshot.ts";
import { API_VERSION } from "../../../api/v1alpha1/group.ts";
import { affinitySchema, topologySpreadSchema } from "../../../api/v1alpha1/scheduling.ts";
import { readRules, writeRules } from "../../../planning/kubernetes-rules.ts";
import { obstacleOf } from "../../../planning/written-snapshot/read-snapshot.ts";
import { admit, type InputDocument } from "../../input/documents.ts";
import {
  bytesField,
  labelsField,
  parseBytes,
  parseSeconds,
  secondsField,
  sizeField,
  spanField,
} from "../../input/fields.ts";
import type { PlanningFacts } from "../../planning-facts.ts";
import type { SimulatedPod, Trace } from "../../scenario.ts";
import type { DescribedPod } from "../described-pod.ts";

type Report = (path: (string | number)[], message: string) => void;

const memoryField = z.unknown().transform((value, context): Trace => {
  let flawed = false;
  const report: Report = (path, message) => {
    flawed = true;
    context.addIssue({ code: "custom", path, message });
  };
  const trace = readMemory(value, report);
  return flawed ? z.NEVER : trace;
});

function readMemory(value: unknown, report: Report): Trace {
  const flat = parseBytes(value);
  if (flat !== undefined) return { seconds: Float64Array.of(0), bytes: Float64Array.of(flat) };
  if (Array.isArray(value)) return readPoints(value, report);
  if (typeof value === "object" && value !== null) return readColumns(value, report);
  report([], "expected a quantity, a list such as [{at: 0s, bytes: 1Gi}], or {seconds: [0], bytes: [1Gi]}");
  return { seconds: new Float64Array(), bytes: new Float64Array() };
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined; // an object, just seen

function readPoints(points: readonly unknown[], report: Report): Trace {
  const seconds = points.map((point) => memberOf(point, "at"));
  const bytes = points.map((point) => memberOf(point, "bytes"));
  return readTrace(seconds, bytes, (index, name) => [index, name === "seconds" ? "at" : "bytes"], report);
}

function readColumns(value: object, report: Report): Trace {
  const [seconds, bytes] = [memberOf(value, "seconds"), memberOf(value, "bytes")];
  if (Array.isArray(seconds) && Array.isArray(bytes) && seconds.length === bytes.length) {
    return readTrace(seconds, bytes, (index, name) => [name, index], report);
  }
  report([], "expected seconds and bytes, two lists of the same length");
  return { seconds: new Float64Array(), bytes: new Float64Array() };
}

type Place = (index: number, name: "seconds" | "bytes") => (string | number)[];

function readTrace(seconds: readonly unknown[], bytes: readonly unknown[], place: Place, report: Report): Trace {
  const trace = { seconds: new Float64Array(seconds.length), bytes: new Float64Array(seconds.length) };
  if (seconds.length === 0) report([], "expected at least one point");
  let before = -1;
  for (let index = 0; index < seconds.length; index++) {
    const [at, value] = [parseSeconds(seconds[index]), parseBytes(bytes[index])];
    const wrong = timeFlaw(at, before, index);
    if (wrong !== undefined) report(place(index, "seconds"), `${wrong}; not ${JSON.stringify(seconds[index])}`);
    if (value === undefined) {
      report(
        place(index, "bytes"),
        `expected a quantity or a number of bytes from 0 on; not ${JSON.stringify(bytes[index])}`,
      );
    }
    trace.seconds[index] = before = at ?? before;
    trace.bytes[index] = value ?? 0;
  }
  return trace;
}

function timeFlaw(at: number | undefined, before: number, index: number): string | undefined {
  if (at === undefined) return "expected a duration such as 10m, or a number of seconds";
  if (index === 0) return at === 0 ? undefined : "expected the first point at 0, when the pod starts";
  return at > before ? undefined : `expected ascending times, above ${before} s`;
}

const gap = z
  .strictObject({ from: secondsField, to: secondsField })
  .refine(({ from, to }) => to > from, { path: ["to"], message: "expected a time after from" });

const pod = z.strictObject({
  namespace: z.string().min(1).default("default"),
  name: z.string().min(1),
  arrival: secondsField.optional().describe("Absent: at the start."),
  duration: spanField.optional().describe("Work until it has finished. Absent: it never does."),
  memory: memoryField,
  gaps: z.array(gap).optional().describe("Of its work, where the metrics source shows nothing of it."),
  request: bytesField.optional().describe("Absent: half of its peak."),
  limit: sizeField.optional(),
  labels: labelsField.default({}),
  annotations: labelsField.default({}),
  tolerations: z.array(toleration).optional(),
  nodeSelector: labelsField.optional(),
  expectedRuntime: spanField.optional().describe("What its owner says; may be wrong."),
  node: z.string().min(1).optional().describe("Where it is first put, if it fits there."),
  owner: owner.optional().describe("Pods of some owners are not moved. Absent: movable as far as that goes."),
  obstacle: obstacle.optional().describe("Why it is not moved."),
  affinity: affinitySchema.optional().describe("Moves keep to it; the simulated scheduler does not know it."),
  topologySpreadConstraints: topologySpreadSchema.optional().describe("As affinity."),
  namespaceLabels: labelsField.optional(),
  terminating: z.boolean().optional(),
});

export const workloadSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Workload"),
  metadata: z.looseObject({}).optional(),
  pods: z.array(pod),
});

export function readWorkloadDocument(document: InputDocument): DescribedPod[] {
  return admit(workloadSchema, document).pods.map(described);
}

function described(written: z.output<typeof pod>): DescribedPod {
  const {
    arrival = 0,
    duration,
    memory,
    gaps,
    request,
    limit,
    expectedRuntime,
    tolerations,
    nodeSelector,
    node,
  } = written;
  const { namespace, name, labels, annotations } = written;
  return {
    namespace,
    name,
    labels,
    annotations,
    arrivalSeconds: arrival,
    durationSeconds: duration,
    trace: memory,
    requestBytes: request,
    ...(gaps && { gaps: gaps.map(({ from, to }) => ({ fromSeconds: from, toSeconds: to })) }),
    ...(limit !== undefined && { limitBytes: limit }),
    ...(expectedRuntime !== undefined && { expectedRuntimeSeconds: expectedRuntime }),
    ...(tolerations && { tolerations: tolerations.map(defined) }),
    ...(nodeSelector && { nodeSelector }),
    ...(node !== undefined && { node }),
    ...factsOf(written),
  };
}

function factsOf(written: z.output<typeof pod>): PlanningFacts {
  const { owner: ownerKind, namespaceLabels, terminating, labels, obstacle = obstacleOf(written) } = written;
  return { ...defined({ ownerKind, obstacle, namespaceLabels, terminating }), ...readRules(written, labels) };
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only undefined members are dropped, which is what the type says.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** As JSON, one pod a line; reading it gives the same pods. */
export function writeWorkload(pods: readonly SimulatedPod[]): string {
  const head = `"apiVersion": ${JSON.stringify(API_VERSION)}, "kind": "Workload"`;
  return `{${head}, "pods": [\n${pods.map((one) => JSON.stringify(writtenPod(one))).join(",\n")}\n]}\n`;
}

function writtenPod(one: SimulatedPod): Record<string, unknown> {
  const { trace, gaps } = one;
  return {
    namespace: one.namespace,
    name: one.name,
    node: one.node,
    arrival: one.arrivalSeconds,
    duration: one.durationSeconds,
    request: one.requestBytes,
    limit: one.limitBytes,
    expectedRuntime: one.expectedRuntimeSeconds,
    labels: one.labels,
    annotations: one.annotations,
    tolerations: one.tolerations,
    nodeSelector: one.nodeSelector,
    owner: one.ownerKind,
    obstacle: one.obstacle,
    ...writeRules(one),
    namespaceLabels: one.namespaceLabels,
    terminating: one.terminating,
    gaps: gaps?.map(({ fromSeconds, toSeconds }) => ({ from: fromSeconds, to: toSeconds })),
    memory: { seconds: Array.from(trace.seconds), bytes: Array.from(trace.bytes) },
  };
}
