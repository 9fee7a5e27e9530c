/**
 * The predecessor's recorded jobs: `[{"Name": "o10n-worker-l-a-b", "Memory": [bytes, …], "Time": [epoch ms, …]}]`; null is no sample, and
 * so is 0 before the first and after the last, as the predecessor had it. A job comes at its first sample and has finished at its last. The
 * third `-` field of its name is its class: s, m, l and xl request 30, 80, 130 and 420 GiB, of which a request factor is a part.
 */
import { broken, type InputDocument } from "../../input/documents.ts";
import type { RecordedPod } from "../recorded-pod.ts";
import { Samples } from "../samples.ts";

const GiB = 1024 ** 3;
const CLASS_BYTES: Readonly<Record<string, number>> = { s: 30 * GiB, m: 80 * GiB, l: 130 * GiB, xl: 420 * GiB };

interface Problem {
  path: string;
  message: string;
}

export function arePredecessorJobs(value: unknown): boolean {
  const isJob = (item: unknown) => typeof item === "object" && item !== null && ("Memory" in item || "Name" in item);
  return Array.isArray(value) ? value.some(isJob) : isJob(value);
}

/** Throws with what is wrong in any of the jobs. */
export function readPredecessorJobs(document: InputDocument): RecordedPod[] {
  const { value } = document;
  const problems: Problem[] = [];
  const jobs = Array.isArray(value)
    ? value.map((job, index) => readJob(job, `[${index}]`, problems))
    : [readJob(value, "", problems)];
  if (problems.length > 0) throw broken(document, problems);
  return jobs.flatMap((job) => job ?? []);
}

function readJob(job: unknown, path: string, problems: Problem[]): RecordedPod | undefined {
  const before = problems.length;
  const field = (name: string) => (path === "" ? name : `${path}.${name}`);
  const { Name: name, Memory: memory, Time: times } = membersOf(job);
  if (typeof name !== "string" || name === "")
    problems.push({ path: field("Name"), message: "expected the job's name" });
  if (!Array.isArray(memory))
    problems.push({ path: field("Memory"), message: "expected a list of bytes, null for no sample" });
  if (!Array.isArray(times))
    problems.push({ path: field("Time"), message: "expected a list of milliseconds since 1970" });
  if (typeof name !== "string" || !Array.isArray(memory) || !Array.isArray(times)) return undefined;
  if (memory.length !== times.length) {
    const message = `expected as many times as samples; there are ${times.length} for ${memory.length}`;
    problems.push({ path: field("Time"), message });
    return undefined;
  }
  const samples = readSamples(memory, times, field, problems);
  return problems.length > before ? undefined : recorded(name, samples);
}

function membersOf(job: unknown): { Name?: unknown; Memory?: unknown; Time?: unknown } {
  return typeof job === "object" && job !== null ? job : {};
}

function readSamples(
  memory: readonly unknown[],
  times: readonly unknown[],
  field: (name: string) => string,
  problems: Problem[],
): Samples {
  const samples = new Samples();
  const [first, last] = [memory.findIndex(isMemory), memory.findLastIndex(isMemory)];
  let before = -Infinity;
  for (const [index, time] of times.entries()) {
    const bytes = memory[index];
    const wrong = timeFlaw(time, before) ?? bytesFlaw(bytes);
    if (wrong !== undefined) {
      problems.push({ path: `${field(wrong.field)}[${index}]`, message: wrong.message });
      if (wrong.field === "Time") break; // What follows is out of order as well.
    } else if (typeof bytes === "number" && index >= first && index <= last) samples.add(Number(time), bytes);
    before = Number(time);
  }
  if (first < 0) problems.push({ path: field("Memory"), message: "expected at least one sample; leave the job out" });
  return samples;
}

const isMemory = (value: unknown) => typeof value === "number" && value > 0;

function timeFlaw(time: unknown, before: number): { field: "Time"; message: string } | undefined {
  const is = `not ${JSON.stringify(time)}`;
  if (typeof time !== "number" || !Number.isFinite(time)) {
    return { field: "Time", message: `expected milliseconds since 1970; ${is}` };
  }
  return time < before ? { field: "Time", message: `expected ascending times, from ${before} on; ${is}` } : undefined;
}

function bytesFlaw(bytes: unknown): { field: "Memory"; message: string } | undefined {
  if (bytes === null || (typeof bytes === "number" && bytes >= 0 && Number.isFinite(bytes))) return undefined;
  return { field: "Memory", message: `expected bytes from 0 on, or null for no sample; not ${JSON.stringify(bytes)}` };
}

function recorded(name: string, samples: Samples): RecordedPod {
  const classBytes = CLASS_BYTES[name.split("-")[2] ?? ""];
  return {
    namespace: "default",
    name,
    ...samples.series(),
    finishes: "AtLastSample",
    labels: {},
    annotations: {},
    ...(classBytes !== undefined && { requestBytes: classBytes, requestBaseBytes: classBytes }),
  };
}
