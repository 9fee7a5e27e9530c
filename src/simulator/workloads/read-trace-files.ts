/** One workload out of files and directories. The only I/O of this folder. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { BrokenInputError, collectFlaws } from "../input/broken-input.ts";
import { headOfFile, linesOfFile } from "../input/lines.ts";
import { Intake, type Workload, type WorkloadOptions } from "./intake.ts";
import { takeDocuments, takeLines } from "./read-workload.ts";

/**
 * `paths`: files, and directories whose .csv, .json, .yaml and .yml files are taken, at any depth. All together are one workload on one
 * clock. Line formats (CSV) are read a piece at a time, the others a file at a time. Throws a BrokenInputError that tells what is wrong
 * in any of them.
 */
export function readTraceFiles(paths: readonly string[], options: WorkloadOptions = {}): Workload {
  const intake = new Intake();
  const files: TraceFile[] = [];
  collectFlaws(paths, (path) => {
    for (const file of traceFilesOf(path)) files.push(file);
  });
  if (files.length === 0) throw new BrokenInputError([{ file: "traces", message: "expected at least one file" }]);
  collectFlaws(files, (file) => takeFile(file, intake));
  return intake.workload(paths.join(" "), options);
}

export interface TraceFile {
  path: string;
  /** Names pods that the file does not name. */
  stem: string;
}

function takeFile({ path, stem }: TraceFile, intake: Intake): void {
  const head = reading(path, () => headOfFile(path));
  if (takeLines({ name: path, stem, lines: () => linesOfFile(path) }, head, intake)) return;
  takeDocuments({ name: path, text: reading(path, () => readFileSync(path, "utf8")) }, stem, intake);
}

/** The files that are read of a path. Throws a BrokenInputError. */
export function traceFilesOf(path: string): TraceFile[] {
  const isDirectory = reading(path, () => statSync(path).isDirectory());
  if (!isDirectory) return [{ path, stem: basename(path, extname(path)) }];
  const found = reading(path, () => readdirSync(path, { recursive: true, encoding: "utf8" }));
  // What cannot be looked at is told of when it is read, with all other files.
  const isFile = (name: string) => statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory() !== true;
  const names = found.filter((name) => /\.(csv|json|ya?ml)$/i.test(name) && isFile(name)).sort(byNumber);
  // With its folders: the same machine's months have files of one name.
  if (names.length > 0)
    return names.map((name) => ({ path: join(path, name), stem: name.slice(0, -extname(name).length) }));
  throw new BrokenInputError([{ file: path, message: "expected .csv, .json, .yaml or .yml files in this directory" }]);
}

/** 2.csv before 10.csv. */
const byNumber = new Intl.Collator("en", { numeric: true }).compare;

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new BrokenInputError([{ file: path, message }]);
  }
}
