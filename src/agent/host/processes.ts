/** Processes by /proc. */
import { readdirSync } from "node:fs";
import { readIfThere } from "./files.ts";

/** State letter and parent of a process; undefined when it is gone. The name in between may hold anything. */
function statOf(pid: number): { state: string; parent: number } | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  if (!text) return undefined;
  const [state = "", parent = "0"] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state, parent: Number(parent) };
}

/** Is it a running process with this word among its arguments? A number alone may be another process's by now. */
export function runsWith(pid: number, argument: string): boolean {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? "").split("\0").includes(argument);
}

/** It was stopped by a signal, and not continued since. */
export function isStoppedBySignal(pid: number): boolean {
  return statOf(pid)?.state === "T";
}

/** Its first thread has ended, and another goes on. */
export function isLeaderGone(pid: number): boolean {
  return statOf(pid)?.state === "Z" && threadsOf(pid).length > 1;
}

const SIGKILL_BIT = 1n << 8n;

/** A SIGKILL waits for it: it dies as soon as it is thawed. */
export function isBeingKilled(pid: number): boolean {
  const status = readIfThere(`/proc/${pid}/status`) ?? "";
  const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].map(([, mask]) => BigInt(`0x${mask}`));
  return pending.some((mask) => (mask & SIGKILL_BIT) !== 0n);
}

/** Every thread of it is stopped (T, or t under a tracer). A process that is gone counts as stopped. */
export function isStopped(pid: number): boolean {
  return areStopped(statesOf(pid));
}

/** It is stopped and can continue: the process exists, is not a zombie, and has no pending SIGKILL. */
export function isHeld(pid: number): boolean {
  const states = statesOf(pid);
  return areStopped(states) && states.some((state) => "Tt".includes(state)) && !isBeingKilled(pid);
}

const areStopped = (states: readonly string[]): boolean => states.every((state) => "TtZX".includes(state));

/** State letters of its threads. */
function statesOf(pid: number): string[] {
  const texts = threadsOf(pid).map((thread) => readIfThere(`/proc/${pid}/task/${thread}/stat`));
  return texts.flatMap((text) => (text ? [text.charAt(text.lastIndexOf(")") + 2)] : []));
}

/** Their numbers; none when it is gone. */
export function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Numbers of clone, vfork and clone3. */
const CLONES: Readonly<Record<string, readonly string[]>> = { x64: ["56", "58", "435"], arm64: ["220", "435"] };

/**
 * A thread of it waits in the kernel for a child that it has begun by vfork (as posix_spawn and most shells do) until that has become a program of its own. A
 * tracer cannot stop it then, so CRIU cannot dump it.
 */
export function waitsForChild(pid: number): boolean {
  const clones = CLONES[process.arch] ?? [];
  return threadsOf(pid).some((thread) =>
    clones.includes(readIfThere(`/proc/${pid}/task/${thread}/syscall`)?.split(" ")[0] ?? ""),
  );
}

/** All processes below one, children after their parents. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = statOf(Number(name))?.parent;
    if (parent !== undefined) parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const below = (parent: number): number[] => (parents.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Running processes with all of these words among their arguments. */
export function processesWith(...words: string[]): number[] {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => words.every((word) => runsWith(pid, word)));
}

/**
 * Kills a process and all its descendants. All are stopped first, parents before children, until no running one is left that could start
 * another: a process started between the listing and the kill would survive.
 */
export function killTree(pid: number): void {
  kill([pid], pid);
}

/** As killTree, but the process itself goes on. */
export function killDescendants(pid: number): void {
  kill(descendantsOf(pid), pid);
}

function kill(first: readonly number[], ancestor: number): void {
  const stopped = new Set<number>();
  for (let found = first; found.length > 0; found = descendantsOf(ancestor).filter((one) => !stopped.has(one))) {
    for (const one of found) {
      signal(one, "SIGSTOP");
      stopped.add(one);
    }
  }
  for (const one of stopped) signal(one, "SIGKILL");
}

function signal(pid: number, name: "SIGSTOP" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has ended
  }
}
