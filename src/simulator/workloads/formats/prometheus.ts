/**
 * The answer to a Prometheus range query (`/api/v1/query_range`), or what `promtool query range --format=json` prints: by container or by
 * pod, with the labels namespace, pod and, if known, node. Series of kube-state-metrics with requests and limits may be among them, in the
 * same or in another file.
 */
import { broken, type InputDocument } from "../../input/documents.ts";
import { isBytes, notBytes } from "../../input/fields.ts";
import type { Named } from "../../input/names.ts";
import type { ContainerPlace, ContainerRecording, Measure } from "../container-recording.ts";

interface Problem {
  path: string;
  message: string;
}

const QUERY = "sum by (namespace, pod, node, container) (container_memory_working_set_bytes)";

export function isPrometheusAnswer(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((item) => memberOf(item, "metric") !== undefined);
  return (
    ["resultType", "result"].some((name) => hasMember(value, name) || hasMember(memberOf(value, "data"), name)) ||
    isFailure(value)
  );
}

const isFailure = (value: unknown) => memberOf(value, "status") === "error" && hasMember(value, "errorType");

/** Returns which pods have samples in it. */
export function readPrometheusAnswer(document: InputDocument, recording: ContainerRecording): Iterable<Named> {
  const { list, path } = resultOf(document);
  const problems: Problem[] = [];
  const names = new Map<string, Named>();
  let pods = 0;
  for (const [index, series] of list.entries()) {
    const before = problems.length;
    const samples = readSeries(series, `${path}[${index}]`, problems);
    if (problems.length === before && samples !== undefined) {
      pods++;
      const { namespace, pod } = samples.place;
      const name = `${namespace}/${pod}`;
      const isSampled = take(samples, recording);
      if (isSampled && !names.has(name)) names.set(name, { name, field: `${path}[${index}].metric.pod` });
    }
  }
  if (problems.length === 0 && pods === 0) {
    problems.push({ path, message: `expected series with the labels namespace and pod, of a query such as ${QUERY}` });
  }
  if (problems.length > 0) throw broken(document, problems);
  return names.values();
}

function resultOf(document: InputDocument): { list: readonly unknown[]; path: string } {
  const { value } = document;
  if (Array.isArray(value)) return { list: value, path: "" };
  if (isFailure(value))
    throw broken(document, [{ path: "error", message: `Prometheus answered: ${String(memberOf(value, "error"))}` }]);
  const [data, prefix] = hasMember(value, "data") ? [memberOf(value, "data"), "data."] : [value, ""];
  const type = memberOf(data, "resultType");
  if (type !== "matrix") {
    const message = `expected "matrix", the answer to /api/v1/query_range; not ${JSON.stringify(type)}`;
    throw broken(document, [{ path: `${prefix}resultType`, message }]);
  }
  const list = memberOf(data, "result");
  if (Array.isArray(list)) return { list, path: `${prefix}result` };
  throw broken(document, [{ path: `${prefix}result`, message: "expected a list of series" }]);
}

type Figure = Measure | "Request" | "Limit";

interface ReadSeries {
  figure: Figure;
  place: ContainerPlace;
  /** Seconds since 1970 and bytes. */
  samples: [number, number][];
}

/** Undefined: a series of no pod (a node's cgroups), or of another resource. */
function readSeries(series: unknown, path: string, problems: Problem[]): ReadSeries | undefined {
  const labels = memberOf(series, "metric");
  const values = memberOf(series, "values");
  if (typeof labels !== "object" || labels === null) {
    problems.push({ path: `${path}.metric`, message: "expected the series' labels" });
    return undefined;
  }
  const figure = figureOf(labels);
  if (figure === undefined) {
    const message = `expected memory in bytes, as of ${QUERY}; not ${JSON.stringify(label(labels, "__name__"))}`;
    problems.push({ path: `${path}.metric.__name__`, message });
    return undefined;
  }
  if (!Array.isArray(values)) {
    problems.push({ path: `${path}.values`, message: "expected a list of [time, value], of a range query" });
    return undefined;
  }
  const place = placeOf(labels);
  if (place === undefined || figure === "Other") return undefined;
  return { figure, place, samples: readValues(values, path, problems) };
}

/** `Other`: kube-state-metrics tells of CPU in the same metric. */
function figureOf(labels: object): Figure | "Other" | undefined {
  const name = label(labels, "__name__") ?? "";
  const requested = /^kube_pod_container_resource_(requests|limits)(_memory_bytes)?$/.exec(name);
  if (requested !== null) {
    if (requested[2] === undefined && label(labels, "resource") !== "memory") return "Other";
    return requested[1] === "requests" ? "Request" : "Limit";
  }
  if (name === "" || /working_set/.test(name)) return "WorkingSet";
  return /memory|mem_/.test(name) && !/_total$/.test(name) ? "Usage" : undefined;
}

function placeOf(labels: object): ContainerPlace | undefined {
  const pod = label(labels, "pod") ?? label(labels, "pod_name");
  if (pod === undefined) return undefined;
  const container = label(labels, "container") ?? label(labels, "container_name") ?? "";
  return { namespace: label(labels, "namespace") ?? "default", pod, container, node: label(labels, "node") };
}

function readValues(values: readonly unknown[], path: string, problems: Problem[]): [number, number][] {
  const samples: [number, number][] = [];
  let before = -Infinity;
  for (const [index, pair] of values.entries()) {
    const [time, text]: unknown[] = Array.isArray(pair) ? pair : [];
    const bytes = typeof text === "string" && text.trim() !== "" ? Number(text.replace("+Inf", "Infinity")) : text;
    const flaw = valueFlaw(time, bytes, text, before);
    if (flaw !== undefined) problems.push({ path: `${path}.values[${index}]`, message: flaw });
    // NaN: no sample.
    else if (!Number.isNaN(bytes)) samples.push([Number(time), Number(bytes)]);
    before = typeof time === "number" ? time : before;
  }
  return samples;
}

function valueFlaw(time: unknown, bytes: unknown, text: unknown, before: number): string | undefined {
  if (typeof time !== "number" || !Number.isFinite(time * 1000)) return 'expected [seconds since 1970, "bytes"]';
  if (time <= before) return `expected ascending times, above ${before}; not ${time}`;
  if (text === "NaN") return undefined;
  return isBytes(bytes) ? undefined : `expected bytes from 0 on; ${notBytes(text, bytes)}`;
}

/** True: samples of memory. */
function take({ figure, place, samples }: ReadSeries, recording: ContainerRecording): boolean {
  const last = samples.at(-1)?.[1];
  if (figure === "Request" || figure === "Limit") {
    if (last === undefined) return false;
    if (figure === "Request") recording.setRequest(place, last);
    else recording.setLimit(place, last);
    return false;
  }
  const into = recording.samplesOf(place, figure);
  for (const [seconds, bytes] of samples) into.add(seconds * 1000, bytes);
  return last !== undefined;
}

function hasMember(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name);
}

function memberOf(value: unknown, name: string): unknown {
  return hasMember(value, name) ? (value as Record<string, unknown>)[name] : undefined; // an object, just seen
}

function label(labels: object, name: string): string | undefined {
  const value = memberOf(labels, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}
