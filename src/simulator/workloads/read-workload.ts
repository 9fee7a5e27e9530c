/** Pods out of the text of a file, whatever its format; formats are told apart by what is in the file, not by its name. */
import { basename, extname } from "node:path";
import { BrokenInputError, collectFlaws } from "../input/broken-input.ts";
import { admit, broken, documentsOf, type InputDocument, type NamedText } from "../input/documents.ts";
import { type LineSource, linesOfText } from "../input/lines.ts";
import type { SimulatedPod } from "../scenario.ts";
import { isBitbrains, readBitbrains } from "./formats/bitbrains.ts";
import { isInfluxExport, readInfluxExport } from "./formats/influxdb.ts";
import { arePredecessorJobs, readPredecessorJobs } from "./formats/predecessor-jobs.ts";
import { isPrometheusAnswer, readPrometheusAnswer } from "./formats/prometheus.ts";
import { arePhases, arePods, readPhases, readSimSpecPods } from "./formats/sim-spec.ts";
import { readSnapshotWorkload } from "./formats/snapshot-workload.ts";
import { readWorkloadDocument } from "./formats/workload-document.ts";
import { generatedWorkloadSchema } from "./generator/generated-workload.ts";
import { Intake, type WorkloadOptions } from "./intake.ts";

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
  if (isBitbrains(head)) intake.recorded.push(readBitbrains(source));
  else if (isInfluxExport(head)) readInfluxExport(source, intake.containers);
  else return false;
  return true;
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
  if (kind === "Workload") append(intake.described, readWorkloadDocument(document));
  else if (kind === "GeneratedWorkload") intake.generated.push(admit(generatedWorkloadSchema, document));
  else if (kind === "ClusterSnapshot") takeSnapshot(document, intake);
  else if (arePods(value)) append(intake.described, readSimSpecPods(document));
  else if (arePhases(value)) intake.described.push(readPhases(document, stem));
  else if (isPrometheusAnswer(value)) readPrometheusAnswer(document, intake.containers);
  else if (arePredecessorJobs(value)) append(intake.recorded, readPredecessorJobs(document));
  else throw broken(document, [{ path: "", message: `expected a workload in a format that is known; ${EXPECTED}` }]);
}

function takeSnapshot(document: InputDocument, intake: Intake): void {
  const { recorded, described } = readSnapshotWorkload(document);
  append(intake.recorded, recorded);
  append(intake.described, described);
}

/** One by one: they may be more than a call takes arguments. */
function append<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item);
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}
