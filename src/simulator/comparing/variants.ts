/** What is compared: no policy at all, a planner that knows the future, and the policies asked for, swept or not. */
import type { MigrationPolicySpec } from "../../api/v1alpha1/migration-policy.ts";
import { clairvoyantObject } from "./clairvoyant.ts";
import type { Sweep, VariantResult, VariantRole } from "./comparison.ts";
import { combinations, type SweepRequest, withOption } from "./sweep.ts";

/** Plain data, so that it can be handed to another thread. */
export interface NamedSpec {
  name: string;
  spec: MigrationPolicySpec;
}

export interface Variant extends Pick<VariantResult, "name" | "policy" | "parameters"> {
  role: VariantRole;
  /** Evaluated together, as in one cluster. */
  policies: NamedSpec[];
}

/** A policy as it was written, and where. */
export interface PolicyObject {
  label: string;
  object: unknown;
  /** Of a field, in the file: from 1. Absent: it is not written there as it is here. */
  lineOf?: (path: string) => number | undefined;
}

/** The policies of one file, which act together. At least one. */
export interface PolicySet {
  name: string;
  objects: PolicyObject[];
}

export type Read<T> = { ok: true; value: T } | { ok: false; lines: string[] };
export type ReadPolicy = (policy: PolicyObject) => Read<NamedSpec>;

export const NONE = "none";
export const CLAIRVOYANT = "clairvoyant";
const MAX_VARIANTS = 1000;

/** `none` first, `clairvoyant` second, then the sets as given. All that is wrong is told at once. */
export function readVariants(
  sets: readonly PolicySet[],
  sweeps: readonly SweepRequest[],
  read: ReadPolicy,
): Read<{ variants: Variant[]; sweeps: Sweep[] }> {
  const misnamed = [...names(sets), ...unknownPolicies(sets, sweeps)];
  const plain = all(sets.map((set) => readSet(set, [], read)));
  const lines = [...misnamed, ...(plain.ok ? plain.value.flatMap(twice) : plain.lines)];
  if (lines.length > 0) return { ok: false, lines };
  const points = sets.map((set) => ({ set, points: pointsOf(set, sweeps) }));
  const count = points.reduce((sum, { points }) => sum + points.length, 0);
  if (count > MAX_VARIANTS)
    return { ok: false, lines: [`--sweep: ${count} variants: expected at most ${MAX_VARIANTS}`] };
  const swept = all(points.flatMap(({ set, points }) => points.map((point) => readSet(set, point, read))));
  if (!swept.ok) return swept;
  const reference = sets[0] === undefined ? [] : [readSet(clairvoyantSet(sets[0]), [], read)];
  const references = all(reference);
  if (!references.ok) return references;
  const variants = [
    { name: NONE, role: "None" as const, policy: NONE, parameters: [], policies: [] },
    ...references.value.map((variant) => ({ ...variant, role: "Clairvoyant" as const })),
    ...swept.value,
  ];
  return { ok: true, value: { variants, sweeps: sweeps.map(({ path, values }) => ({ path, values })) } };
}

function clairvoyantSet({ objects }: PolicySet): PolicySet {
  return {
    name: CLAIRVOYANT,
    objects: objects.map(({ label, object }) => ({ label, object: clairvoyantObject(object) })),
  };
}

interface Setting {
  sweep: SweepRequest;
  value: string;
}

/** The points of all sweeps that are about this set; without any, the set as it is. */
function pointsOf(set: PolicySet, sweeps: readonly SweepRequest[]): Setting[][] {
  const own = sweeps.filter((sweep) => sweep.policy === undefined || sweep.policy === set.name);
  return combinations(own.map((sweep) => sweep.values.map((value) => ({ sweep, value }))));
}

/** A dry run is simulated as if it were enforced: that is the question. */
function readSet(set: PolicySet, settings: readonly Setting[], read: ReadPolicy): Read<Variant> {
  const policies = all(set.objects.map((policy) => read(withSettings(policy, settings))));
  if (!policies.ok) return policies;
  const parameters = settings.map(({ sweep, value }) => ({ path: sweep.path, value }));
  const point = parameters.map(({ path, value }) => `${path}=${value}`).join(" ");
  return {
    ok: true,
    value: {
      name: point === "" ? set.name : `${set.name} ${point}`,
      role: "Policy",
      policy: set.name,
      parameters,
      policies: policies.value.map(({ name, spec }) => ({ name, spec: { ...spec, mode: "Enforce" } })),
    },
  };
}

function withSettings(written: PolicyObject, settings: readonly Setting[]): PolicyObject {
  return settings.reduce<PolicyObject>(
    (policy, { sweep, value }) => ({
      label: `${policy.label} with --sweep ${sweep.path}=${value}`,
      object: withOption(policy.object, sweep.path, value),
    }),
    written,
  );
}

function names(sets: readonly PolicySet[]): string[] {
  const taken = [NONE, CLAIRVOYANT];
  return sets.flatMap(({ name, objects }) => {
    const clash = taken.includes(name);
    taken.push(name);
    if (!clash) return [];
    const why = name === NONE || name === CLAIRVOYANT ? "a reference is called so" : "another variant is called so";
    return [`${objects[0]?.label ?? name}: ${name}: ${why}: rename the policy or its file`];
  });
}

/** In a cluster there can be but one. */
function twice({ name: variant, policies }: Variant): string[] {
  const seen = policies.map(({ name }) => name);
  const again = new Set(seen.filter((name, index) => seen.indexOf(name) < index));
  return [...again].map((name) => `${variant}: there are two policies ${name} in one file: rename one of them`);
}

function unknownPolicies(sets: readonly PolicySet[], sweeps: readonly SweepRequest[]): string[] {
  const known = sets.map(({ name }) => name);
  return sweeps.flatMap(({ text, policy }) =>
    policy === undefined || known.includes(policy)
      ? []
      : [`--sweep ${text}: no policy ${policy}: expected one of ${known.join(", ")}`],
  );
}

function all<T>(read: readonly Read<T>[]): Read<T[]> {
  const lines = read.flatMap((one) => (one.ok ? [] : one.lines));
  if (lines.length > 0) return { ok: false, lines: [...new Set(lines)] };
  return { ok: true, value: read.flatMap((one) => (one.ok ? [one.value] : [])) };
}
