/** The kubelet's Summary API (/stats/summary), as much of it as is about memory. */
import { z } from "zod";
import type { NodeFigures } from "../plausibility.ts";
import type { MemoryPressure } from "../source.ts";

const stallSchema = z.object({ avg10: z.number() });
const memorySchema = z.object({
  time: z.string(),
  /** From Kubernetes 1.34 on, with cgroup v2. */
  psi: z.object({ some: stallSchema, full: stallSchema }).nullish().catch(undefined),
  availableBytes: z.number().optional(),
  workingSetBytes: z.number().optional(),
});

/** A container or node without memory figures has none yet; null is what some kubelets write for an empty list. */
const summarySchema = z.object({
  node: z.object({ memory: memorySchema.optional() }),
  pods: z
    .array(
      z.object({
        podRef: z.object({ uid: z.string() }),
        containers: z.array(z.object({ name: z.string(), memory: memorySchema.optional() })).nullish(),
      }),
    )
    .nullish(),
});

export interface SummarySample {
  timeMs: number;
  figures: NodeFigures;
  pressure?: MemoryPressure;
}

export interface Summary {
  node: SummarySample | undefined;
  containers: { podUID: string; container: string; timeMs: number; bytes: number }[];
}

export type SummaryResult = { ok: true; summary: Summary } | { ok: false; message: string };

type Memory = z.infer<typeof memorySchema>;

/** Reads an answer; it comes from outside, so nothing is believed of its shape. */
export function readSummary(answer: unknown): SummaryResult {
  const parsed = summarySchema.safeParse(answer);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { ok: false, message: `${issue?.path.join(".") || "the answer"}: ${issue?.message ?? "unreadable"}` };
  }
  const { node, pods } = parsed.data;
  const containers = (pods ?? []).flatMap(({ podRef, containers }) =>
    (containers ?? []).flatMap(({ name, memory }) => containerSample(podRef.uid, name, memory)),
  );
  return { ok: true, summary: { node: nodeSample(node.memory), containers } };
}

function nodeSample(memory: Memory | undefined): SummarySample | undefined {
  if (memory === undefined) return undefined;
  const figures: NodeFigures = {};
  if (memory.availableBytes !== undefined) figures.availableBytes = memory.availableBytes;
  if (memory.workingSetBytes !== undefined) figures.workingSetBytes = memory.workingSetBytes;
  const { time, psi } = memory;
  const pressure = psi && { some: psi.some.avg10, full: psi.full.avg10 };
  return { timeMs: Date.parse(time), figures, ...(pressure && { pressure }) };
}

function containerSample(podUID: string, container: string, memory: Memory | undefined): Summary["containers"] {
  if (memory?.workingSetBytes === undefined) return [];
  return [{ podUID, container, timeMs: Date.parse(memory.time), bytes: memory.workingSetBytes }];
}
