/** Label and field selectors, in the syntax of the API's query parameters. */
import { badRequest } from "./errors.ts";
import { type ApiObject, type Json, valueAt } from "./json.ts";

export type Matcher = (object: ApiObject) => boolean;
type Labels = Record<string, string>;
type LabelTest = (labels: Labels) => boolean;

const SET_BASED = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/;
const EQUALITY = /^([^\s!=]+)\s*(==|=|!=)\s*(\S*)$/;

/** Splits at commas that are not within parentheses. */
function requirements(selector: string): string[] {
  return selector
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function labelTest(requirement: string): LabelTest {
  const set = SET_BASED.exec(requirement);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    return operator === "in"
      ? (labels) => key in labels && values.has(labels[key] ?? "")
      : (labels) => !(key in labels) || !values.has(labels[key] ?? "");
  }
  const equality = EQUALITY.exec(requirement);
  if (equality) {
    const [, key = "", operator, value = ""] = equality;
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  if (/^![^\s!=]+$/.test(requirement)) return (labels) => !(requirement.slice(1) in labels);
  if (/^[^\s!=]+$/.test(requirement)) return (labels) => requirement in labels;
  throw badRequest(`unable to parse requirement: found '${requirement}', expected: a label selector`);
}

export function labelSelector(selector: string): Matcher {
  const tests = requirements(selector).map(labelTest);
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

/** A metav1.LabelSelector object, as workloads carry it. */
export function matchesLabelSelector(selector: Json | undefined, labels: Labels): boolean {
  const matchLabels = valueAt(selector, "matchLabels");
  const expressions = valueAt(selector, "matchExpressions");
  const wanted = Object.entries(typeof matchLabels === "object" && matchLabels !== null ? matchLabels : {});
  if (!wanted.every(([key, value]) => labels[key] === value)) return false;
  return (Array.isArray(expressions) ? expressions : []).every((expression) => matchesExpression(expression, labels));
}

/** One requirement of a label selector or of a node selector term. */
export function matchesExpression(expression: Json, labels: Labels): boolean {
  const key = String(valueAt(expression, "key"));
  const listed = valueAt(expression, "values");
  const values = Array.isArray(listed) ? listed.map(String) : [];
  const value = labels[key];
  switch (valueAt(expression, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

export function fieldSelector(selector: string, supported: readonly string[]): Matcher {
  const tests = requirements(selector).map((requirement) => {
    const equality = EQUALITY.exec(requirement);
    if (!equality) throw badRequest(`invalid selector: '${requirement}'; can't understand '${requirement}'`);
    const [, path = "", operator, value = ""] = equality;
    if (!supported.includes(path)) throw badRequest(`field label not supported: ${path}`);
    const wanted = operator !== "!=";
    return (object: ApiObject): boolean => (fieldText(object, path) === value) === wanted;
  });
  return (object) => tests.every((test) => test(object));
}

function fieldText(object: ApiObject, path: string): string {
  const value = valueAt(object, ...path.split("."));
  return value === undefined || value === null ? "" : String(value);
}

const EVERYWHERE = ["metadata.name", "metadata.namespace"];
const BY_STORE: Record<string, readonly string[]> = {
  pods: ["spec.nodeName", "status.phase", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"],
  nodes: ["spec.unschedulable"],
  namespaces: ["status.phase"],
  secrets: ["type"],
  "jobs.batch": ["status.successful"],
  events: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
    "source",
    "reportingComponent",
  ],
};

/** The fields that the API server can select a kind by. */
export const selectableFields = (store: string): readonly string[] => [...EVERYWHERE, ...(BY_STORE[store] ?? [])];
