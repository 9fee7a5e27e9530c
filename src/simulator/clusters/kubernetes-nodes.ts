/**
 * Nodes as Kubernetes describes them: the predecessor's configuration, whose `cluster` lists them with what is allocatable; Node
 * objects and lists of them. Memory, pods, labels, taints and cordons are read; the rest (CPU, ticks, logs) is not simulated.
 */
import { z } from "zod";
import { admit, type InputDocument } from "../input/documents.ts";
import { parseBytes, sizeField } from "../input/fields.ts";
import type { SimulatedNode } from "../scenario.ts";
import type { PlacedNode } from "./placed-node.ts";
import { CORDONED } from "./unavailable.ts";

const taint = z.looseObject({
  key: z.string().min(1),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});

const pods = z.unknown().transform((value, context) => {
  const count = parseBytes(value);
  if (count !== undefined && Number.isSafeInteger(count)) return count;
  context.addIssue({ code: "custom", message: `expected a whole number of pods; not ${JSON.stringify(value)}` });
  return z.NEVER;
});

const resources = z.looseObject({ memory: sizeField, pods: pods.optional() });

const nodeSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string().min(1), labels: z.record(z.string(), z.string()).nullish() }),
  spec: z.looseObject({ unschedulable: z.boolean().nullish(), taints: z.array(taint).nullish() }).nullish(),
  status: z
    .looseObject({ capacity: resources.optional(), allocatable: resources.optional() })
    .refine(({ capacity, allocatable }) => (capacity ?? allocatable) !== undefined, {
      message: "expected capacity or allocatable, with memory",
    }),
});

/** Undefined: the document holds none. */
export function kubernetesNodes(document: InputDocument): PlacedNode[] | undefined {
  const { value } = document;
  if (typeof value !== "object" || value === null) return undefined;
  if ("cluster" in value) return readAll(document, value.cluster, "cluster");
  if ("items" in value) return readAll(document, value.items, "items");
  const isNode = "kind" in value && value.kind === "Node";
  return isNode ? [placed(admit(nodeSchema, document), "")] : undefined;
}

function readAll(document: InputDocument, value: unknown, under: string): PlacedNode[] {
  const nodes = admit(z.array(nodeSchema), document, { value, under: [under] });
  return nodes.map((node, index) => placed(node, `${under}[${index}].`));
}

const placed = (node: z.output<typeof nodeSchema>, before: string): PlacedNode => ({
  node: simulated(node),
  nameField: `${before}metadata.name`,
  allocatableField: `${before}status.allocatable`,
});

function simulated({ metadata, spec, status }: z.output<typeof nodeSchema>): SimulatedNode {
  const { capacity = status.allocatable, allocatable } = status;
  const taints = (spec?.taints ?? []).map(({ key, effect, value }) => ({
    key,
    effect,
    ...(value !== undefined && { value }),
  }));
  const unschedulable = spec?.unschedulable === true;
  const all = unschedulable && !taints.some(({ key }) => key === CORDONED.key) ? [...taints, CORDONED] : taints;
  const maxPods = allocatable?.pods ?? capacity?.pods;
  return {
    name: metadata.name,
    capacityBytes: capacity?.memory ?? 0,
    ...(allocatable !== undefined && { allocatableBytes: allocatable.memory }),
    ...(metadata.labels && { labels: metadata.labels }),
    ...(all.length > 0 && { taints: all }),
    ...(maxPods !== undefined && { maxPods }),
    ...(unschedulable && { unschedulable }),
  };
}
