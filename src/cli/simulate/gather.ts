/** Everything that a comparison needs, out of files and flags. All that is wrong with any of them is told at once. */
import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { readClusterFile } from "../../simulator/clusters/read-cluster-file.ts";
import type { Sweep } from "../../simulator/comparing/comparison.ts";
import type { SimulationInput } from "../../simulator/comparing/run-task.ts";
import { type PolicySet, type Read, readVariants, type Variant } from "../../simulator/comparing/variants.ts";
import {
  openWorkload,
  readWorkloadSource,
  type WorkloadSource,
  workloadInput,
} from "../../simulator/comparing/workload-input.ts";
import { BrokenInputError } from "../../simulator/input/broken-input.ts";
import type { SimulatedNode } from "../../simulator/scenario.ts";
import type { Workload } from "../../simulator/workloads/intake.ts";
import { type PolicyObject, readPolicyObject, readPolicyObjects } from "../plan/read-documents.ts";
import { readFlags, type Settings, type SimulateFlags } from "./flags.ts";
import { stale } from "./stale.ts";
import { unmatched } from "./unmatched.ts";
import { unplaceable } from "./unplaceable.ts";

export interface Gathered {
  input: SimulationInput;
  sweeps: Sweep[];
  settings: Settings;
  /** What may not be meant so. */
  warnings: string[];
}

/** Without traces and cluster: what a GeneratedWorkload without any field fits on. */
const DEFAULT_CLUSTER = "10x64Gi";

export function gather(flags: SimulateFlags): Read<Gathered> {
  const settings = readFlags(flags);
  const variants = variantsOf(flags, settings.ok ? settings.value : undefined);
  const nodes = nodesOf(flags);
  const source = sourceOf(flags, settings.ok ? settings.value : undefined);
  const workload = reading(() => readWorkloadSource(source));
  if (settings.ok && variants.ok && nodes.ok && workload.ok) {
    const found = { source, workload: workload.value };
    // Generated pods have names once there is a seed: only then it shows that one is taken.
    return reading(() => together(flags, settings.value, variants.value, nodes.value, found));
  }
  return { ok: false, lines: [settings, variants, nodes, workload].flatMap((one) => (one.ok ? [] : one.lines)) };
}

function together(
  flags: SimulateFlags,
  settings: Settings,
  { variants, sweeps }: { variants: Variant[]; sweeps: Sweep[] },
  nodes: SimulatedNode[],
  { source, workload }: { source: WorkloadSource; workload: Workload },
): Gathered {
  const input: SimulationInput = {
    name: flags.trace === undefined ? "generated workload" : flags.trace.map((file) => basename(file)).join(" "),
    workload: workloadInput(source, workload, settings.labels),
    nodes,
    endSeconds: settings.untilSeconds ?? Math.ceil(workload.endSeconds),
    conditions: settings.conditions,
    reserveFraction: settings.reserveFraction,
    variants,
  };
  return { input, sweeps, settings, warnings: warningsOf(input, settings.seeds[0] ?? 0) };
}

/** Of the first seed's pods. */
function warningsOf({ workload, variants, nodes, conditions }: SimulationInput, seed: number): string[] {
  const pods = openWorkload(workload)(seed);
  if (pods.length === 0) return ["the workload has no pods"];
  return [...unmatched(variants, pods, nodes), ...unplaceable(pods, nodes), ...stale(variants, conditions.metrics)];
}

function variantsOf(
  flags: SimulateFlags,
  settings: Settings | undefined,
): Read<{ variants: Variant[]; sweeps: Sweep[] }> {
  const files = flags.policy ?? [];
  if (files.length === 0) return { ok: false, lines: ["--policy: at least one file with a MigrationPolicy is needed"] };
  const { sets, broken } = policySets(files);
  // Which policies a broken file holds is not known: sweeps may be of those.
  const sweeps = broken.length > 0 ? [] : (settings?.sweeps ?? []);
  const variants = readVariants(sets, sweeps, readPolicyObject);
  if (broken.length === 0) return variants;
  return { ok: false, lines: [...broken, ...(variants.ok ? [] : variants.lines)] };
}

/**
 * What a file holds acts together; it goes by its policy's name, or by its own if there are several or that is taken. `broken`: what is
 * wrong with the other files.
 */
function policySets(files: readonly string[]): { sets: PolicySet[]; broken: string[] } {
  const read = files.map((file) => {
    const text = textOf(file);
    const objects = text.ok ? readPolicyObjects({ name: file, text: text.value }) : text;
    return objects.ok ? { file, objects: objects.value } : { file, lines: objects.lines };
  });
  const sets = read.flatMap(({ file, objects }) => (objects === undefined ? [] : [{ file, objects }]));
  const own = sets.map(({ objects }) => (objects.length === 1 ? policyName(objects[0]) : undefined));
  return {
    sets: sets.map(({ file, objects }, index) => {
      const name = own[index];
      const single = name !== undefined && own.filter((other) => other === name).length === 1;
      return { name: single ? name : basename(file, extname(file)), objects };
    }),
    broken: read.flatMap((one) => one.lines ?? []),
  };
}

/** If it has one: the schema is asked later. */
function policyName(policy: PolicyObject | undefined): string | undefined {
  const metadata = memberOf(policy?.object, "metadata");
  const name = memberOf(metadata, "name");
  return typeof name === "string" ? name : undefined;
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

function nodesOf({ cluster, trace }: SimulateFlags): Read<SimulatedNode[]> {
  if (cluster === undefined && trace !== undefined) {
    return {
      ok: false,
      lines: [`--cluster: is needed beside --trace: a file, or a shorthand such as ${DEFAULT_CLUSTER}`],
    };
  }
  return reading(() => readClusterFile(cluster ?? DEFAULT_CLUSTER));
}

function sourceOf({ trace }: SimulateFlags, settings: Settings | undefined): WorkloadSource {
  const options = settings?.workload ?? {};
  return trace === undefined ? { kind: "Generated", workload: {}, options } : { kind: "Files", paths: trace, options };
}

function textOf(file: string): Read<string> {
  try {
    return { ok: true, value: readFileSync(file, "utf8") };
  } catch (error) {
    return { ok: false, lines: [`${file}: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

function reading<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof BrokenInputError) return { ok: false, lines: error.lines };
    throw error;
  }
}
