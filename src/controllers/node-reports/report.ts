/** What is known of a node, as it stands in ConfigMap `headroom-nodes`: JSON by node name. */
import { z } from "zod";
import { featuresSchema, type NodeFeatures, turnSchema } from "../../agent/protocol.ts";
import type { Attempt } from "../pod-migration/driver-failure.ts";

export const NODE_REPORTS = "headroom-nodes";

/** A message may quote a log. */
const MESSAGE_LENGTH = 300;

export const nodeReportSchema = z.object({
  /** RFC 3339. */
  time: z.string(),
  /** Why the agent did not answer. */
  silent: z.string().optional(),
  /** What it said of its turn when it last answered, and when that was; only while it is silent. */
  last: z.object({ time: z.string(), turn: turnSchema }).optional(),
  /** Why the node has to wait for its turn. */
  waits: z.string().optional(),
  /** Without the CPU's flags, which are many. */
  features: featuresSchema.omit({ cpuFlags: true }).optional(),
});
export type NodeReport = z.infer<typeof nodeReportSchema>;

/** @param before the node's report until now. */
export function newReport(time: string, answer: Attempt<NodeFeatures>, before: NodeReport | undefined): NodeReport {
  if (answer.ok) return { time, features: answer.value };
  const last = before?.features ? { time: before.time, turn: before.features.turn } : before?.last;
  return { time, silent: answer.failure.message, ...(last === undefined ? {} : { last }) };
}

/** Undefined: nothing is known, or it is of another version. */
export function parseReport(text: string | undefined): NodeReport | undefined {
  if (text === undefined) return undefined;
  try {
    return nodeReportSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function reportText(report: NodeReport): string {
  return JSON.stringify(nodeReportSchema.parse(report), (_key, value: unknown) =>
    typeof value === "string" ? value.slice(0, MESSAGE_LENGTH) : value,
  );
}
