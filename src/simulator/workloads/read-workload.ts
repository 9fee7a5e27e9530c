/** Pods out of the text of a file, whatever its format. */

import { BrokenInputError } from "../input/broken-input.ts";
import { admit, broken, documentsOf, type InputDocument, type NamedText } from "../input/documents.ts";
import type { SimulatedPod } from "../scenario.ts";
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

const EXPECTED = "write a Workload or GeneratedWorkload, or give what docs/simulator-workloads.md lists";

/** One file's text into the intake. */
export function takeText(source: NamedText, intake: Intake): void {
  const documents = documentsOf(source);
  if (documents.length === 0)
    throw new BrokenInputError([{ file: source.name, message: `expected pods, it is empty; ${EXPECTED}` }]);
  for (const document of documents) takeDocument(document, intake);
}

function takeDocument(document: InputDocument, intake: Intake): void {
  const kind = kindOf(document.value);
  if (kind === "Workload") intake.described.push(...readWorkloadDocument(document));
  else if (kind === "GeneratedWorkload") intake.generated.push(admit(generatedWorkloadSchema, document));
  else throw broken(document, [{ path: "", message: `expected a workload in a format that is known; ${EXPECTED}` }]);
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}
