/** The part of Kubernetes' JSONPath that printer columns use: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. */
import { isObject, type Json } from "./json.ts";

type Step = (value: Json) => Json[];

const TOKEN =
  /\.([\w-]+(?:\\\.[\w-]+)*)|\[\?\(@\.([\w.-]+)\s*==\s*["']([^"']*)["']\)\]|\[["']([^"']+)["']\]|\[(\d+)\]|\[\*\]/gy;

const member =
  (name: string): Step =>
  (value) => {
    const found = isObject(value) ? value[name] : undefined;
    return found === undefined ? [] : [found];
  };

function steps(path: string): Step[] {
  const result: Step[] = [];
  for (const match of path.matchAll(TOKEN)) {
    const [, dotted, filterField, filterValue, quoted, index] = match;
    if (dotted !== undefined) result.push(member(dotted.replaceAll("\\.", ".")));
    else if (quoted !== undefined) result.push(member(quoted));
    else if (index !== undefined) result.push((value) => (Array.isArray(value) ? value.slice(+index, +index + 1) : []));
    else if (filterField !== undefined) result.push(matching(filterField, filterValue ?? ""));
    else result.push((value) => (Array.isArray(value) ? value : []));
  }
  return result;
}

const matching =
  (field: string, wanted: string): Step =>
  (value) =>
    (Array.isArray(value) ? value : []).filter((item) => jsonPath(`.${field}`, item).some((v) => String(v) === wanted));

/** All values that the path leads to. */
export function jsonPath(path: string, value: Json): Json[] {
  return steps(path).reduce<Json[]>((values, step) => values.flatMap(step), [value]);
}
