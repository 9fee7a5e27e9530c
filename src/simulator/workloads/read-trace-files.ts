/** One workload out of files and directories. The only I/O of this folder. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BrokenInputError, collectFlaws } from "../input/broken-input.ts";
import { Intake, type Workload, type WorkloadOptions } from "./intake.ts";
import { takeText } from "./read-workload.ts";

/**
 * `paths`: files, and directories whose .csv, .json, .yaml and .yml files are taken, at any depth. All together are one workload on one
 * clock. Throws a BrokenInputError that tells what is wrong in any of them.
 */
export function readTraceFiles(paths: readonly string[], options: WorkloadOptions = {}): Workload {
  const intake = new Intake();
  const files: string[] = [];
  collectFlaws(paths, (path) => files.push(...filesOf(path)));
  collectFlaws(files, (file) => takeText({ name: file, text: readFileSync(file, "utf8") }, intake));
  return intake.workload(paths.join(" "), options);
}

function filesOf(path: string): string[] {
  const isDirectory = reading(path, () => statSync(path).isDirectory());
  if (!isDirectory) return [path];
  const found = reading(path, () => readdirSync(path, { recursive: true, encoding: "utf8" }));
  const files = found.filter((name) => /\.(csv|json|ya?ml)$/i.test(name)).sort(byNumber);
  if (files.length > 0) return files.map((name) => join(path, name));
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
