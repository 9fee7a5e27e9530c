/**
 * Pods whose annotation `simSpec` tells their memory: a YAML list of phases `{seconds, resourceUsage: {memory}}`. In the scheduler simulator
 * that the predecessor grew out of, a phase lasts its seconds, all of it at its level. The predecessor wrote its recorded samples into the same
 * annotation, with the seconds since the pod's start: so phases that begin with 0 and ascend are samples, with straight lines in between. The pod
 * has finished at the end of the last phase, or at the last sample. What would keep the pod from being moved in a cluster does so here.
 */
import { load } from "js-yaml";
import { z } from "zod";
import { type Problem, pathText, problemsOf } from "../../../api/problems.ts";
import { parseDuration } from "../../../api/quantity.ts";
import { EXPECTED_RUNTIME_ANNOTATION } from "../../../api/v1alpha1/group.ts";
import { admit, broken, type InputDocument } from "../../input/documents.ts";
import { bytesField, labelsField, secondsField } from "../../input/fields.ts";
import type { Trace } from "../../scenario.ts";
import type { DescribedPod } from "../described-pod.ts";
import { CONTAINER, factsOfPod, METADATA, SPEC } from "./pod-facts.ts";

const phases = z
  .array(z.looseObject({ seconds: secondsField, resourceUsage: z.looseObject({ memory: bytesField }) }))
  .min(1, "expected at least one phase")
  .refine((list) => list.some(({ seconds }) => seconds > 0), "expected a phase that lasts longer than 0 seconds");
type Phases = z.output<typeof phases>;

const quantities = z.looseObject({ memory: bytesField.optional() }).optional();
const pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string().min(1),
    namespace: z.string().min(1).default("default"),
    labels: labelsField.default({}),
    annotations: labelsField.default({}),
    ...METADATA,
  }),
  spec: z
    .looseObject({
      nodeName: z.string().optional(),
      nodeSelector: labelsField.optional(),
      tolerations: z
        .array(
          z.looseObject({
            key: z.string().optional(),
            operator: z.enum(["Exists", "Equal"]).optional(),
            value: z.string().optional(),
            effect: z.string().optional(),
          }),
        )
        .optional(),
      containers: z
        .array(
          z.looseObject({
            resources: z.looseObject({ requests: quantities, limits: quantities }).optional(),
            ...CONTAINER,
          }),
        )
        .default([]),
      ...SPEC,
    })
    .default({ containers: [] }),
});
type Pod = z.output<typeof pod>;

const ANNOTATION = "simSpec";

export function arePods(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return (
    "kind" in value && (value.kind === "Pod" || value.kind === "PodList" || (value.kind === "List" && "items" in value))
  );
}

/** A list of phases alone: one pod. */
export function arePhases(value: unknown): boolean {
  const isPhase = (item: unknown) => typeof item === "object" && item !== null && "resourceUsage" in item;
  return Array.isArray(value) && value.some(isPhase);
}

export function readPhases(document: InputDocument, name: string): DescribedPod {
  return {
    ...course(admit(phases, document)),
    namespace: "default",
    name,
    arrivalSeconds: 0,
    labels: {},
    annotations: {},
  };
}

/** Throws with what is wrong in any of the pods. */
export function readSimSpecPods(document: InputDocument): DescribedPod[] {
  const { value } = document;
  const problems: Problem[] = [];
  const pods =
    typeof value === "object" && value !== null && "items" in value
      ? admit(z.array(pod), document, { value: value.items, under: ["items"] }).map((item, index) =>
          described(item, ["items", index], problems),
        )
      : [described(admit(pod, document), [], problems)];
  if (problems.length > 0) throw broken(document, problems);
  return pods.flatMap((one) => one ?? []);
}

/** Where the name of the pod of an index stands. */
export function podNameField(value: unknown): (index: number) => string {
  const isList = typeof value === "object" && value !== null && "items" in value;
  return (index) => (isList ? `items[${index}].metadata.name` : "metadata.name");
}

/** Undefined: something is wrong with it, and is among the problems. */
function described(
  { metadata, spec }: Pod,
  under: readonly PropertyKey[],
  problems: Problem[],
): DescribedPod | undefined {
  const { [ANNOTATION]: written, ...annotations } = metadata.annotations;
  const { namespace, name, labels } = metadata;
  const { nodeName, nodeSelector, tolerations, containers } = spec;
  const read = readAnnotation(written, [...under, "metadata", "annotations", ANNOTATION]);
  if (!read.ok) {
    for (const problem of read.problems) problems.push(problem);
    return undefined;
  }
  const expectedRuntimeSeconds = parseDuration(annotations[EXPECTED_RUNTIME_ANNOTATION] ?? "");
  const limits = containers.map(({ resources }) => resources?.limits?.memory);
  const requests = containers.flatMap(
    ({ resources }) => resources?.requests?.memory ?? resources?.limits?.memory ?? [],
  );
  return {
    ...course(read.phases),
    ...{ namespace, name, labels, annotations, arrivalSeconds: 0 },
    ...(requests.length > 0 && { requestBytes: sum(requests) }),
    ...(limits.length > 0 && limits.every((limit) => limit !== undefined) && { limitBytes: sum(limits) }),
    ...(tolerations && { tolerations: tolerations.map(onlyTold) }),
    ...(nodeSelector && { nodeSelector }),
    ...(nodeName !== undefined && nodeName !== "" && { node: nodeName }),
    ...(expectedRuntimeSeconds !== undefined && { expectedRuntimeSeconds }),
    ...factsOfPod({ metadata, spec }),
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

type WrittenToleration = NonNullable<Pod["spec"]["tolerations"]>[number];

function onlyTold({
  key,
  operator,
  value,
  effect,
}: WrittenToleration): NonNullable<DescribedPod["tolerations"]>[number] {
  return {
    ...(key !== undefined && { key }),
    ...(operator !== undefined && { operator }),
    ...(value !== undefined && { value }),
    ...(effect !== undefined && { effect }),
  };
}

type ReadAnnotation = { ok: true; phases: Phases } | { ok: false; problems: Problem[] };

function readAnnotation(written: string | undefined, under: readonly PropertyKey[]): ReadAnnotation {
  const flaw = (message: string): ReadAnnotation => ({ ok: false, problems: [{ path: pathText(under), message }] });
  if (written === undefined) return flaw("is missing: expected a list of phases, as text");
  let value: unknown;
  try {
    value = load(written);
  } catch (error) {
    return flaw(`expected YAML; ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`);
  }
  const parsed = phases.safeParse(value);
  return parsed.success ? { ok: true, phases: parsed.data } : { ok: false, problems: problemsOf(parsed.error, under) };
}

function course(written: Phases): Pick<DescribedPod, "trace" | "durationSeconds"> {
  const seconds = written.map((phase) => phase.seconds);
  const areSamples =
    seconds.length > 1 &&
    seconds[0] === 0 &&
    seconds.every((at, index) => index === 0 || at > (seconds[index - 1] ?? 0));
  if (!areSamples) return levels(written);
  const bytes = Float64Array.from(written, ({ resourceUsage }) => resourceUsage.memory);
  return { trace: { seconds: Float64Array.from(seconds), bytes }, durationSeconds: seconds.at(-1) };
}

/** From one level to the next within a millisecond: a trace has one value at a time. */
const JUMP_SECONDS = 0.001;

function levels(written: Phases): { trace: Trace; durationSeconds: number } {
  const [seconds, bytes]: [number[], number[]] = [[], []];
  let begin = 0;
  for (const { seconds: lasts, resourceUsage } of written) {
    if (lasts === 0) continue;
    seconds.push(begin, begin + Math.max(lasts - JUMP_SECONDS, lasts / 2));
    bytes.push(resourceUsage.memory, resourceUsage.memory);
    begin += lasts;
  }
  return { trace: { seconds: Float64Array.from(seconds), bytes: Float64Array.from(bytes) }, durationSeconds: begin };
}
