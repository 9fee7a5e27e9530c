/** Pods out of the text of a file, whatever its format; formats are told apart by what is in the file, not by its name. */
import { basename, extname } from "node:path";
import { BrokenInputError, collectFlaws } from "../input/broken-input.ts";
import { admit, broken, documentsOf, type InputDocument, type NamedText } from "../input/documents.ts";
import { type LineSource, linesOfText } from "../input/lines.ts";
import type { SimulatedPod } from "../scenario.ts";
import type { DescribedPod } from "./described-pod.ts";
import { isBitbrains, readBitbrains } from "./formats/bitbrains.ts";
import { isInfluxExport, readInfluxExport } from "./formats/influxdb.ts";
import { arePredecessorJobs, readPredecessorJobs } from "./formats/predecessor-jobs.ts";
import { isPrometheusAnswer, readPrometheusAnswer } from "./formats/prometheus.ts";
import { arePhases, arePods, podNameField, readPhases, readSimSpecPods } from "./formats/sim-spec.ts";
import { readSnapshotWorkload } from "./formats/snapshot-workload.ts";
import { readWorkloadDocument } from "./formats/workload-document.ts";
import { generatedWorkloadSchema } from "./generator/generated-workload.ts";
import { fullName, Intake, type PodName, type WorkloadOptions } from "./intake.ts";

export interface ReadOptions extends WorkloadOptions {
  /** For messages, and for the names of pods whose file does not name them. */
  fileName: string;
  /** Of generated workloads. Default: 0. */
  seed?: number;
}

/** In order of arrival. Throws a BrokenInputError: nothing is read of a file that is broken somewhere. */
export function readWorkload(text: string, { fileName, seed = 0, ...options }: ReadOptions): SimulatedPod[] {
  const intake = new Intake();
  takeText({ name: fileName, text }, intake);
  return [...intake.workload(fileName, options).podsOf(seed)];
}

/** `stem` names pods that their file does not name; default: the file's name without folders and extension. */
export function takeText(source: NamedText & { stem?: string }, intake: Intake): void {
  const { name, text, stem = basename(name, extname(name)) } = source;
  const taken = takeLines({ name, stem, lines: () => linesOfText(text) }, text.slice(0, 4096), intake);
  if (!taken) takeDocuments({ name, text }, stem, intake);
}

/** Formats that are read line by line, by the beginning of the file; false: it is none of them. */
export function takeLines(source: LineSource, head: string, intake: Intake): boolean {
  if (isBitbrains(head)) takeMachine(source, intake);
  else if (isInfluxExport(head))
    intake.names.take({ file: source.name, inParts: true }, readInfluxExport(source, intake.containers));
  else return false;
  return true;
}

function takeMachine(source: LineSource, intake: Intake): void {
  const machine = readBitbrains(source);
  intake.names.take({ file: source.name }, [{ name: fullName(machine) }]);
  intake.recorded.push(machine);
}

const EXPECTED = "what can be read is listed in docs/simulator-workloads.md";

export function takeDocuments(source: NamedText, stem: string, intake: Intake): void {
  const documents = documentsOf(source);
  if (documents.length === 0) {
    throw new BrokenInputError([{ file: source.name, message: `expected pods, the file is empty; ${EXPECTED}` }]);
  }
  collectFlaws(documents, (document) => takeDocument(document, stem, intake));
}

function takeDocument(document: InputDocument, stem: string, intake: Intake): void {
  const { value } = document;
  const kind = kindOf(value);
  if (kind === "Workload")
    takeDescribed(document, readWorkloadDocument(document), (index) => `pods[${index}].name`, intake);
  else if (kind === "GeneratedWorkload") intake.generated.push(admit(generatedWorkloadSchema, document));
  else if (kind === "ClusterSnapshot") takeSnapshot(document, intake);
  else if (arePods(value)) takeDescribed(document, readSimSpecPods(document), podNameField(value), intake);
  else if (arePhases(value)) takeDescribed(document, [readPhases(document, stem)], () => undefined, intake);
  else if (isPrometheusAnswer(value)) takeAnswer(document, intake);
  else if (arePredecessorJobs(value)) takeJobs(document, intake);
  else throw broken(document, [{ path: "", message: `expected a workload in a format that is known; ${EXPECTED}` }]);
}

/** Of the pod of this index. */
type NameField = (index: number) => string | undefined;

function takeDescribed(
  document: InputDocument,
  pods: readonly DescribedPod[],
  nameField: NameField,
  intake: Intake,
): void {
  takeNames(document, pods, nameField, intake);
  append(intake.described, pods);
}

function takeJobs(document: InputDocument, intake: Intake): void {
  const jobs = readPredecessorJobs(document);
  takeNames(document, jobs, (index) => (Array.isArray(document.value) ? `[${index}].Name` : "Name"), intake);
  append(intake.recorded, jobs);
}

function takeSnapshot(document: InputDocument, intake: Intake): void {
  const { recorded, described, names } = readSnapshotWorkload(document);
  intake.names.take({ file: document.source.name, document }, names);
  append(intake.recorded, recorded);
  append(intake.described, described);
}

function takeAnswer(document: InputDocument, intake: Intake): void {
  const names = readPrometheusAnswer(document, intake.containers);
  intake.names.take({ file: document.source.name, document, inParts: true }, names);
}

function takeNames(document: InputDocument, pods: readonly PodName[], nameField: NameField, intake: Intake): void {
  const names = pods.map((pod, index) => ({ name: fullName(pod), field: nameField(index) }));
  intake.names.take({ file: document.source.name, document }, names);
}

/** One by one: they may be more than a call takes arguments. */
function append<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item);
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}
