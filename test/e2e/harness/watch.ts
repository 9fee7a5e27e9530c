/** What happens to objects of the API, with the times at which the tests heard of it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";

export interface Seen<T> {
  atMs: number;
  object: T;
}

export interface Watch<T> {
  /** In the order in which they came: every version of every object of the kind in the namespace. */
  seen: Seen<T>[];
  stop(): void;
}

/** By `kubectl get --watch`, from now on. */
export function watch<T>(cluster: Cluster, namespace: string, kind: string): Watch<T> {
  const args = ["--kubeconfig", cluster.kubeconfig, "-n", namespace, "get", kind, "--watch", "-o", "json"];
  const child = spawn(join(cluster.programs.tools, "kubectl"), args, { stdio: ["ignore", "pipe", "inherit"] });
  const seen: Seen<T>[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const atMs = performance.timeOrigin + performance.now();
    // Each object is printed with an indentation of four: only its last brace begins a line.
    const parts = (rest + text).split(/(?<=\n\})\n/);
    rest = parts.pop() ?? "";
    for (const part of parts) seen.push({ atMs, object: JSON.parse(part) as T }); // the API server is trusted
  });
  return { seen, stop: () => child.kill() };
}
