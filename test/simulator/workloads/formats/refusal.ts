import { BrokenInputError } from "../../../../src/simulator/input/broken-input.ts";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";

/** What reading is refused with, a line for each flaw; "read" if it isn't. */
export function refusal(text: string, fileName: string): string {
  try {
    readWorkload(text, { fileName });
  } catch (error) {
    if (error instanceof BrokenInputError) return error.lines.join("\n");
    throw error;
  }
  return "read";
}
