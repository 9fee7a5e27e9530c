/** What is known of a node, as it stands in ConfigMap `headroom-nodes`: JSON by node name. */
import { z } from "zod";
import { featuresSchema } from "../../agent/protocol.ts";

export const NODE_REPORTS = "headroom-nodes";

/** A message may quote a log. */
const MESSAGE_LENGTH = 300;

export const nodeReportSchema = z.object({
  /** RFC 3339. */
  time: z.string(),
  /** Why the agent did not answer. */
  silent: z.string().optional(),
  /** Without the CPU's flags, which are many. */
  features: featuresSchema.omit({ cpuFlags: true }).optional(),
});
export type NodeReport = z.infer<typeof nodeReportSchema>;

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
