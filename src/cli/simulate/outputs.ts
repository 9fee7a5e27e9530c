/** Where the results go: files, or standard output for one of them. Everything that can be told beforehand is told before hours of work. */
import { accessSync, closeSync, constants, openSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { BrokenInputError } from "../../simulator/input/broken-input.ts";
import { traceFilesOf } from "../../simulator/workloads/read-trace-files.ts";
import { CommandFailure, EXIT } from "../failure.ts";
import { type FlaggedFile, overwriting, placeOf } from "../overwriting.ts";
import type { SimulateFlags } from "./flags.ts";

export type OutputFlags = Pick<SimulateFlags, "json" | "csv" | "html" | "saveTrace">;
type InputFlags = Pick<SimulateFlags, "trace" | "cluster" | "policy">;

/** For standard output. */
const STANDARD = "-";

function outputsOf({ json, csv, html, saveTrace }: OutputFlags): FlaggedFile[] {
  const flags = { "--json": json, "--csv": csv, "--html": html, "--save-trace": saveTrace };
  return Object.entries(flags).flatMap(([flag, file]) => (file === undefined ? [] : [{ flag, file }]));
}

function inputsOf({ trace = [], cluster, policy = [] }: InputFlags): FlaggedFile[] {
  const named = {
    "--trace": trace.flatMap(filesIn),
    "--cluster": cluster === undefined ? [] : [cluster],
    "--policy": policy,
  };
  return Object.entries(named).flatMap(([flag, files]) => files.map((file) => ({ flag, file })));
}

/** None of what cannot be looked at: who reads it tells why. */
function filesIn(path: string): string[] {
  try {
    return traceFilesOf(path).map((file) => file.path);
  } catch (error) {
    if (error instanceof BrokenInputError) return [];
    throw error;
  }
}

/** The table is shown unless something else is. */
export const showsTable = (flags: OutputFlags) => outputsOf(flags).every(({ file }) => file !== STANDARD);

/** A line for each thing that is wrong with where results are to go. */
export function misusedOutputs(flags: OutputFlags & InputFlags): string[] {
  const outputs = outputsOf(flags);
  const inputs = inputsOf(flags);
  return outputs.flatMap((output, index) => misuse(output, outputs.slice(0, index), inputs) ?? []);
}

/** Throws a CommandFailure with a line for each file that cannot be written. */
export function checkWritable(flags: OutputFlags): void {
  const unwritable = outputsOf(flags).flatMap(({ file }) => failureOf(file, () => mustBeWritable(file)) ?? []);
  if (unwritable.length > 0) throw new CommandFailure(unwritable.join("\n"), EXIT.failed);
}

function misuse(
  output: FlaggedFile,
  before: readonly FlaggedFile[],
  inputs: readonly FlaggedFile[],
): string | undefined {
  const { flag, file } = output;
  if (file === "") return `${flag}: expected a file, or - for standard output`;
  const same = before.find((other) => placeOfOutput(other.file) === placeOfOutput(file));
  const where = file === STANDARD ? "standard output" : file;
  if (same) return `${same.flag} and ${flag}: both to ${where}: give each a file of its own`;
  return file === STANDARD ? undefined : overwriting(output, inputs);
}

const placeOfOutput = (file: string) => (file === STANDARD ? file : placeOf(file));

function mustBeWritable(file: string): void {
  if (file === STANDARD) return;
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new Error("is a directory: give a file");
  // What is there is opened as it will be, and left as it is.
  if (there) closeSync(openSync(file, "a"));
  else accessSync(dirname(file), constants.W_OK);
}

/** Collects what could not be written: one file that cannot be is no reason to lose the others. */
export class Outputs {
  readonly #failures: string[] = [];

  write(file: string | undefined, text: () => string): void {
    if (file === undefined) return;
    if (file === STANDARD) process.stdout.write(text());
    else this.#failures.push(...(failureOf(file, () => writeFileSync(file, text())) ?? []));
  }

  /** Throws a CommandFailure that names them. */
  end(): void {
    if (this.#failures.length > 0) throw new CommandFailure(this.#failures.join("\n"), EXIT.failed);
  }
}

function failureOf(file: string, act: () => void): [string] | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return [`${file}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
