/** Containers as containerd's CRI would start them, by `ctr`: the workload, with what Headroom's wrapper reads in a bundle. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export const IMAGE = "headroom.test/workload:1";
export const CONTAINER_NAME = "workload";
const WRAPPER = "/run/headroom-runc";
const MEMORY_MIB = 24;

export interface Ended {
  code: number;
  output: string;
}

export async function attempt(program: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 137));
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, output: `${stdout}${stderr}`.trim() };
}

export async function run(program: string, args: readonly string[]): Promise<string> {
  const { code, output } = await attempt(program, args);
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 4).join(" ")}: ${output || `exit code ${code}`}`);
  return output;
}

export const ctr = (...args: string[]): Promise<string> => run("ctr", ["--namespace", "k8s.io", ...args]);

/** Resolves or rejects as containerd's `create` and `start` do. A network namespace of its own is there before, as a sandbox's. */
export async function startContainer(id: string, podUID: string): Promise<void> {
  await run("ip", ["netns", "add", id]);
  mkdirSync("/tmp/logs", { recursive: true });
  const annotations = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.container-name": CONTAINER_NAME,
    "io.kubernetes.cri.sandbox-uid": podUID,
  };
  const annotated = Object.entries(annotations).flatMap(([key, value]) => ["--annotation", `${key}=${value}`]);
  const network = ["--with-ns", `network:/run/netns/${id}`];
  const runtime = ["--runc-binary", WRAPPER, "--log-uri", `file:///tmp/logs/${id}`];
  const program = ["/bin/workload", `--start=${MEMORY_MIB}`, "--interval=50", "--file=/data/n"];
  await ctr("run", "--detach", ...runtime, ...annotated, ...network, IMAGE, id, ...program);
}

/** As a kubelet ends a container whose pod has been deleted: SIGTERM, then SIGKILL to its init. */
export async function stopContainer(id: string): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"]) await ctr("task", "kill", "--signal", signal, id);
}

/** Whatever is left of it. */
export async function removeContainer(id: string): Promise<void> {
  const all = ["--namespace", "k8s.io"];
  await attempt("timeout", ["10", "ctr", ...all, "task", "delete", "--force", id]);
  await attempt("timeout", ["10", "ctr", ...all, "container", "delete", id]);
  await attempt("ip", ["netns", "delete", id]);
}

/** What the workload has appended to its file in the writable layer: 0, 1, 2, … */
export function written(id: string): number[] {
  const file = `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs/data/n`;
  // A process that has just been started has not made it yet.
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text.split("\n").filter(Boolean).map(Number);
}

/** Pages of memory that the workload has found damaged so far, by its log; it looks at all of them in turn. */
export function damagedPages(id: string): number {
  const log = readFileSync(`/tmp/logs/${id}`, "utf8");
  return Number([...log.matchAll(/damaged (\d+)/g)].at(-1)?.[1] ?? Number.NaN);
}

/** Asks until it is so. */
export async function until(
  what: string,
  limitSeconds: number,
  probe: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + limitSeconds * 1000;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitSeconds} s for ${what}`);
    await sleep(50);
  }
}
