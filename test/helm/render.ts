/** Renders the chart with Helm, where there is one: HELM, else `helm` in PATH. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../src/kube/client.ts";

export const CHART = fileURLToPath(new URL("../../helm/headroom", import.meta.url));
const HELM = process.env.HELM ?? "helm";

export const helmIsThere = ((): boolean => {
  try {
    execFileSync(HELM, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** All objects of a release in namespace `hr`; `values` as for --set. Throws what Helm says when it refuses. */
export function render(...values: string[]): KubeObject[] {
  const set = values.flatMap((value) => ["--set", value]);
  const text = execFileSync(HELM, ["template", "test", CHART, "--namespace", "hr", ...set], {
    encoding: "utf8",
    stdio: "pipe",
  });
  // Helm prints objects only.
  return (loadAll(text) as (KubeObject | null)[]).filter((object) => object !== null);
}

/** The one object of this kind and name; `T` is what the test knows of it. */
export function find<T>(objects: KubeObject[], kind: string, name: string): KubeObject & T {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name}`);
  return found[0] as KubeObject & T;
}
