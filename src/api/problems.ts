/** What is wrong with a document that people wrote: every wrong field by its path, and what was expected there. */
import { z } from "zod";

export interface Problem {
  /** `nodes[0].capacity`; empty: the document itself. */
  path: string;
  message: string;
}

export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

/** All of them; `under`: where the value stands in its document. */
export function problemsOf(error: z.ZodError, under: readonly PropertyKey[] = []): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = [...under, ...issue.path];
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField([...path, key]));
    return [{ path: pathText(path), message: expectation(issue) }];
  });
}

/** zod's own words, but in one form: "expected …". */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return `expected ${issue.expected}; ${lower(issue.message)}`;
  if (issue.code === "invalid_value")
    return `expected ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
  return issue.message;
}

const lower = (text: string) => text.replace(/^Invalid input: expected \w+, received /, "received ");
const unknownField = (path: readonly PropertyKey[]): Problem => ({
  path: pathText(path),
  message: "is not a field here: expected one of those that are documented",
});

interface Members {
  properties?: Record<string, Members>;
  items?: Members;
}

/** Fields of `value` that the schema does not have: what an API server would drop in silence. */
export function unknownFields(schema: z.ZodType, value: unknown, under: readonly PropertyKey[] = []): Problem[] {
  // JSON schema, as far as it is read here.
  return unknownMembers(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Members, value, under);
}

function unknownMembers(schema: Members, value: unknown, path: readonly PropertyKey[]): Problem[] {
  const { properties, items } = schema;
  if (Array.isArray(value)) {
    return items === undefined ? [] : value.flatMap((item, index) => unknownMembers(items, item, [...path, index]));
  }
  if (typeof value !== "object" || value === null || properties === undefined) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    return known === undefined ? [unknownField([...path, key])] : unknownMembers(known, member, [...path, key]);
  });
}
