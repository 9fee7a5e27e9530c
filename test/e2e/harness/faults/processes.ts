/**
 * Faults of single processes: killed, stopped, killed by the kernel for want of memory. Finding a process takes some milliseconds, striking at it
 * less than one: find it first. Process ids are the host's unless it says otherwise.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { hierarchyOf, members } from "../../cluster/cgroups.ts";
import { attempt } from "../../cluster/command.ts";
import type { Machine } from "../../cluster/machine.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Undo } from "./undo.ts";

interface ProcessStatus {
  pid: number;
  name: string;
  parent: number;
  /** Its ids, from the host's process namespace to its own. */
  ids: number[];
  /** Clock ticks after the machine's start. */
  started: number;
}

/** undefined when it has ended. */
function statusOf(pid: number): ProcessStatus | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
    const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    const ids = field("NSpid").split(/\s+/).map(Number);
    return { pid, name: field("Name"), parent: Number(field("PPid")), ids, started };
  } catch {
    return undefined;
  }
}

function statusesIn(pids: readonly number[]): ProcessStatus[] {
  return pids.flatMap((pid) => statusOf(pid) ?? []).sort((one, other) => one.started - other.started);
}

const QOS_CLASSES = ["", "burstable", "besteffort"];

/**
 * The program of a pod's only container, of the youngest one that runs: its first process, but not a shell that keeps the program running. It needs no API
 * server, and finds a copy as soon as its processes are there. Rejects when there is none.
 */
export async function findContainerProcess(machine: Machine, pod: V1Pod): Promise<number> {
  const root = join(hierarchyOf("memory"), machine.cgroup, "kubepods");
  const folder = QOS_CLASSES.map((name) => join(root, name, `pod${pod.metadata?.uid}`)).find((path) =>
    existsSync(path),
  );
  const containers = folder ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  const firsts = containers.flatMap(({ name }) => programIn(join(folder ?? "", name)) ?? []);
  const found = firsts.filter(({ name }) => name !== "pause").sort((one, other) => other.started - one.started)[0];
  if (!found) throw new Error(`pod ${pod.metadata?.name} has no process on ${machine.node.name}`);
  return found.pid;
}

/** What `exec` and probes start in a container has its parent outside of it, too, but comes later. */
function programIn(cgroupFolder: string): ProcessStatus | undefined {
  const statuses = statusesIn(
    readFileSync(join(cgroupFolder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number),
  );
  const inside = new Set(statuses.map(({ pid }) => pid));
  const first = statuses.find(({ parent }) => !inside.has(parent));
  return (first?.name === "sh" && statuses.find(({ parent }) => parent === first.pid)) || first;
}

/** Kills a process at once. Answers whether it was there. */
export function killHostProcess(pid: number): boolean {
  return signal(pid, "SIGKILL");
}

/** Stops a process where it is, without its children, until it is taken back. */
export function stopProcess(pid: number): Undo {
  const started = statusOf(pid)?.started;
  signal(pid, "SIGSTOP");
  return async () => {
    // The id may belong to another process by now.
    if (started !== undefined && statusOf(pid)?.started === started) signal(pid, "SIGCONT");
  };
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // it has ended
  }
}

const OOM_SLACK_BYTES = 4 * 2 ** 20;
const OOM_EATER_BYTES = 256 * 2 ** 20;
const OOM_LIMIT_SECONDS = 20;

/**
 * Lets the kernel kill a container's first process for want of memory: the limit of its memory cgroup comes down to what it holds, and a short-lived
 * program eats the rest. Resolves with whether it was killed within 20 s (a frozen one is when it is thawed).
 */
export async function killForMemory(pid: number): Promise<boolean> {
  const before = statusOf(pid);
  const path = /^\d+:(?:\S*,)?memory(?:,\S*)?:(\S+)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  if (!before || !path) return false;
  const folder = join(hierarchyOf("memory"), path);
  const limitFile = join(folder, "memory.limit_in_bytes");
  const limit = readFileSync(limitFile, "utf8");
  writeFileSync(`/proc/${pid}/oom_score_adj`, "1000"); // the one that the kernel chooses
  lowerLimit(folder, limitFile);
  try {
    await eat(folder);
    return await waitFor(`process ${pid} to be killed`, 2, () => statusOf(pid)?.started !== before.started).catch(
      () => false,
    );
  } finally {
    if (existsSync(limitFile)) writeFileSync(limitFile, limit);
  }
}

function lowerLimit(folder: string, limitFile: string): void {
  const held = Number(readFileSync(join(folder, "memory.usage_in_bytes"), "utf8"));
  writeFileSync(limitFile, String(held + OOM_SLACK_BYTES));
}

/** `tail` keeps a line without an end in its memory. */
async function eat(folder: string): Promise<void> {
  const script = `echo $$ > "$1/cgroup.procs" && head -c ${OOM_EATER_BYTES} /dev/zero | tail -n 1 > /dev/null`;
  await attempt("sh", ["-c", script, "sh", folder], { timeoutSeconds: OOM_LIMIT_SECONDS });
}

export type ServiceName = "containerd" | "kubelet" | "kube-proxy" | "telegraf";

/** The process of one of the node's services; its supervisor starts another one half a second after it has ended. */
export async function findService(machine: Machine, name: ServiceName): Promise<number> {
  const inNode = Number(await machine.read(`/run/service/${name}.pid`));
  const found = statusesIn(members(machine.cgroup)).find(({ ids }) => ids[1] === inNode && ids.length === 2);
  if (!found) throw new Error(`${name} does not run on ${machine.node.name}`);
  return found.pid;
}

/** Kills a service, found before, and keeps it down until that is taken back. */
export function keepServiceDown(machine: Machine, name: ServiceName, pid: number): Undo {
  const mark = `/run/service/${name}.down`;
  writeFileSync(machine.path(mark), "");
  killHostProcess(pid);
  return async () => rmSync(machine.path(mark), { force: true });
}
