/**
 * The predecessor's recorded jobs: `[{"Name": "o10n-worker-l-a-b", "Memory": [bytes, …], "Time": [epoch ms, …]}]`; null is no sample, and
 * so is 0 before the first and after the last, as the predecessor had it. A job comes at its first sample and has finished at its last. The
 * third `-` field of its name is its class: s, m, l and xl request 30, 80, 130 and 420 GiB, of which a request factor is a part.
 */
import { broken, type InputDocument } from "../../input/documents.ts";
import { isBytes, notBytes } from "../../input/fields.ts";
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
  const field = (name: string) => (path === "" ? name : `${path}.${name}`);
  const { Name: name, Memory: memory, Time: times } = membersOf(job);
  const flaws = [
    ...(isName(name) ? [] : [{ path: field("Name"), message: "expected the job's name" }]),
    ...memoryFlaws(memory, field("Memory")),
    ...timeFlaws(times, field("Time")),
    ...lengthFlaws(memory, times, field("Time")),
  ];
  for (const flaw of flaws) problems.push(flaw); // One by one: they may be more than a call takes arguments.
  if (flaws.length > 0 || !isName(name) || !Array.isArray(memory) || !Array.isArray(times)) return undefined;
  return recorded(name, samplesOf(memory, times));
}

function membersOf(job: unknown): { Name?: unknown; Memory?: unknown; Time?: unknown } {
  return typeof job === "object" && job !== null ? job : {};
}

const isName = (name: unknown): name is string => typeof name === "string" && name !== "";

function memoryFlaws(memory: unknown, path: string): Problem[] {
  if (!Array.isArray(memory)) return [{ path, message: "expected a list of bytes, null for no sample" }];
  const flaws = memory.flatMap((bytes: unknown, index) => {
    if (bytes === null || isBytes(bytes)) return [];
    const message = `expected bytes from 0 on, or null for no sample; ${notBytes(bytes, bytes)}`;
    return [{ path: `${path}[${index}]`, message }];
  });
  if (flaws.length > 0 || memory.some(isMemory)) return flaws;
  return [{ path, message: "expected at least one sample; leave the job out" }];
}

/** One at most: what follows is out of order as well. */
function timeFlaws(times: unknown, path: string): Problem[] {
  if (!Array.isArray(times)) return [{ path, message: "expected a list of milliseconds since 1970" }];
  for (const [index, time] of times.entries()) {
    const message = timeFlaw(time, index === 0 ? -Infinity : Number(times[index - 1]));
    if (message !== undefined) return [{ path: `${path}[${index}]`, message }];
  }
  return [];
}

function timeFlaw(time: unknown, before: number): string | undefined {
  const is = `not ${JSON.stringify(time)}`;
  if (typeof time !== "number" || !Number.isFinite(time)) return `expected milliseconds since 1970; ${is}`;
  return time < before ? `expected ascending times, from ${before} on; ${is}` : undefined;
}

function lengthFlaws(memory: unknown, times: unknown, path: string): Problem[] {
  if (!Array.isArray(memory) || !Array.isArray(times) || memory.length === times.length) return [];
  const message = `expected as many times as samples; there are ${times.length} for ${memory.length}`;
  return [{ path, message }];
}

const isMemory = (value: unknown) => typeof value === "number" && value > 0;

/** Of lists without flaws, from the first memory to the last. */
function samplesOf(memory: readonly unknown[], times: readonly unknown[]): Samples {
  const samples = new Samples();
  const [first, last] = [memory.findIndex(isMemory), memory.findLastIndex(isMemory)];
  for (let index = first; index <= last; index++) {
    const bytes = memory[index];
    if (typeof bytes === "number") samples.add(Number(times[index]), bytes);
  }
  return samples;
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
