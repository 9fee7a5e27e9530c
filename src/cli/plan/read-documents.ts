/** Snapshot and policies out of the text of files. Pure. What is wrong is told by file, path and what was expected. */
import { loadAll } from "js-yaml";
import { z } from "zod";
import { lineOf } from "../../api/line-of.ts";
import { type Problem, problemsOf, unknownFields } from "../../api/problems.ts";
import { clusterSnapshotSchema } from "../../api/v1alpha1/cluster-snapshot.ts";
import { nameSchema } from "../../api/v1alpha1/fields.ts";
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import { type MigrationPolicySpec, migrationPolicySpecSchema } from "../../api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../planning/policy.ts";
import type { ClusterSnapshot } from "../../planning/snapshot.ts";
import { readSnapshot } from "../../planning/written-snapshot/read-snapshot.ts";

export interface NamedText {
  /** The file, for messages. */
  name: string;
  text: string;
}

/** Each line names the file and the field. */
export type Read<T> = { ok: true; value: T } | { ok: false; lines: string[] };

type LineOf = (path: string) => number | undefined;

/** `file, line 3: spec.mode: expected …`; without the line where nobody knows it. */
const refused = <T>(name: string, problems: readonly Problem[], lineOf?: LineOf): Read<T> => ({
  ok: false,
  lines: problems.map(({ path, message }) => {
    const line = lineOf?.(path);
    const place = line === undefined ? name : `${name}, line ${line}`;
    return [place, path, message].filter(Boolean).join(": ");
  }),
});

interface Document {
  /** Among all of its text, the empty ones too. */
  index: number;
  value: unknown;
}

/** JSON is YAML too, but is read in a tenth of the time by its own parser. */
function documentsOf({ name, text }: NamedText): Read<Document[]> {
  const json = asJson(text);
  if (json !== undefined) return { ok: true, value: [{ index: 0, value: json }] };
  try {
    const all = loadAll(text).map((value, index) => ({ index, value }));
    return { ok: true, value: all.filter(({ value }) => value !== null && value !== undefined) };
  } catch (error) {
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    return refused(name, [{ path: "", message: `expected YAML or JSON; ${message}` }]);
  }
}

/** Undefined: it is no JSON object. */
function asJson(text: string): object | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    // What begins with a brace and is JSON is an object.
    return JSON.parse(text) as object;
  } catch {
    return undefined; // YAML begins with a brace too; its parser says what is wrong with it.
  }
}

export function readSnapshotText(source: NamedText): Read<ClusterSnapshot> {
  const documents = documentsOf(source);
  if (!documents.ok) return documents;
  if (documents.value.length !== 1) {
    const message = `expected one ClusterSnapshot, not ${documents.value.length} documents`;
    return refused(source.name, [{ path: "", message }]);
  }
  const parsed = clusterSnapshotSchema.safeParse(documents.value[0]?.value);
  return parsed.success
    ? { ok: true, value: readSnapshot(parsed.data) }
    : refused(source.name, problemsOf(parsed.error));
}

const policySchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("MigrationPolicy"),
  metadata: z.looseObject({ name: nameSchema.max(63) }),
  spec: migrationPolicySpecSchema,
  status: z.unknown().optional(),
});

/** All policies of all files; their names must differ, as in a cluster. */
export function readPolicyTexts(sources: readonly NamedText[]): Read<Policy[]> {
  const lines: string[] = [];
  const policies: Policy[] = [];
  for (const source of sources) {
    const read = readPolicyText(source);
    if (read.ok) policies.push(...read.value);
    else lines.push(...read.lines);
  }
  const names = policies.map(({ name }) => name);
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  lines.push(...twice.map((name) => `metadata.name: expected different names; ${name} is given more than once`));
  return lines.length === 0 ? { ok: true, value: policies } : { ok: false, lines };
}

function readPolicyText(source: NamedText): Read<Policy[]> {
  const written = readPolicyObjects(source);
  if (!written.ok) return written;
  const read = written.value.map(readPolicyObject);
  const lines = read.flatMap((one) => (one.ok ? [] : one.lines));
  return lines.length > 0
    ? { ok: false, lines }
    : { ok: true, value: read.flatMap((one) => (one.ok ? [toPolicy(one.value.name, one.value.spec)] : [])) };
}

/** A policy as it was written, not read yet. */
export interface PolicyObject {
  /** The file, and which document of several: for messages. */
  label: string;
  object: unknown;
  /** Of a field, in the file: from 1. Absent: it is not written there as it is here. */
  lineOf?: LineOf;
}

/** The objects of one file, at least one; what they are is not looked at. */
export function readPolicyObjects(source: NamedText): Read<PolicyObject[]> {
  const documents = documentsOf(source);
  if (!documents.ok) return documents;
  const objects = documents.value.flatMap((document) => itemsOf(document, source.text));
  if (objects.length === 0)
    return refused(source.name, [{ path: "", message: "expected at least one MigrationPolicy" }]);
  const label = (index: number) => (objects.length === 1 ? source.name : `${source.name}, document ${index + 1}`);
  return { ok: true, value: objects.map((object, index) => ({ label: label(index), ...object })) };
}

/** A list, as kubectl prints several objects, is its items. */
function itemsOf({ index, value }: Document, text: string): Omit<PolicyObject, "label">[] {
  const isList = typeof value === "object" && value !== null && "kind" in value && "items" in value;
  if (!isList || !String(value.kind).endsWith("List") || !Array.isArray(value.items))
    return [{ object: value, lineOf: (path) => lineOf(text, index, path) }];
  return value.items.map((object, item) => ({
    object,
    lineOf: (path) => lineOf(text, index, path === "" ? `items[${item}]` : `items[${item}].${path}`),
  }));
}

export interface NamedSpec {
  name: string;
  spec: MigrationPolicySpec;
}

/** Everything that is wrong with it, or its name and its spec with all defaults. */
export function readPolicyObject({ label, object, lineOf }: PolicyObject): Read<NamedSpec> {
  const parsed = policySchema.safeParse(object);
  const spec = typeof object === "object" && object !== null && "spec" in object ? object.spec : undefined;
  const unknown = unknownFields(migrationPolicySpecSchema, spec, ["spec"]);
  const problems = [...(parsed.success ? [] : problemsOf(parsed.error)), ...unknown];
  if (!parsed.success || problems.length > 0) return refused(label, problems, lineOf);
  return { ok: true, value: { name: parsed.data.metadata.name, spec: parsed.data.spec } };
}
