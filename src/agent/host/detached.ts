/**
 * Programs that outlive the agent: they run in their move's control group and leave their exit code in a file, so that an
 * agent that comes back picks the outcome up.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { readIfThere } from "./files.ts";
import type { Host } from "./host.ts";

/** Host paths without their endings: `<name>.pid` and `<name>.exit` are written. */
export interface DetachedProgram {
  name: string;
  argv: readonly string[];
  /** cgroup.procs files to join, host paths. */
  groups: readonly string[];
  env?: Record<string, string>;
  /** Becomes file descriptor 9 of the program, in blocking mode. */
  socket?: Socket;
  /** A shell command to run when the program fails. */
  onFailure?: string;
}

/** Among the arguments of the shell that runs a program. */
export const RUNNER_NAME = "headroom-run";

// $1: name, $2: command on failure, then cgroup.procs files up to "--", then the program.
const RUNNER = `name=$1 onfailure=$2; shift 2
while [ "$1" != -- ]; do echo $$ > "$1" || true; shift; done; shift
echo $$ > "$name.pid"
"$@" 9<&0 </dev/null >"$name.out" 2>&1
code=$?
[ $code = 0 ] || [ -z "$onfailure" ] || eval "$onfailure"
echo $code > "$name.exit.new" && mv "$name.exit.new" "$name.exit"`;

/** Starts it, and resolves once it has a process. */
export async function startDetached(host: Host, program: DetachedProgram): Promise<void> {
  rmSync(host.path(`${program.name}.exit`), { force: true });
  rmSync(host.path(`${program.name}.pid`), { force: true });
  const shell = ["/bin/sh", "-c", RUNNER, RUNNER_NAME, program.name, program.onFailure ?? ""];
  const { file, args } = host.command([...shell, ...program.groups, "--", ...program.argv]);
  const child: ChildProcess = spawn(file, args, {
    cwd: "/",
    detached: true,
    env: host.environment(program.env),
    stdio: [program.socket ?? "ignore", "ignore", "ignore"],
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.unref();
}

/** The exit code; undefined while it runs. A program that died without one (killed with its shell) counts as 137. */
export function exitCodeOf(host: Host, name: string): number | undefined {
  const code = readIfThere(host.path(`${name}.exit`));
  if (code !== undefined) return Number(code);
  const pid = readIfThere(host.path(`${name}.pid`));
  if (pid === undefined || pid.trim() === "") return undefined;
  if (isAlive(Number(pid))) return undefined;
  // It may have ended between the two looks.
  return Number(readIfThere(host.path(`${name}.exit`)) ?? 137);
}

export function wasStarted(host: Host, name: string): boolean {
  return readIfThere(host.path(`${name}.pid`)) !== undefined;
}

/** Resolves when the program has joined its groups, and whoever ends those ends it, too; after `ms` at the latest. */
export async function joinedGroups(host: Host, name: string, ms: number): Promise<void> {
  const deadline = Date.now() + ms;
  while (!wasStarted(host, name) && Date.now() <= deadline) await sleep(2);
}

export async function waitForExit(
  host: Host,
  name: string,
  limit: { signal?: AbortSignal; ms: number },
): Promise<number> {
  const deadline = Date.now() + limit.ms;
  for (;;) {
    const code = exitCodeOf(host, name);
    if (code !== undefined) return code;
    limit.signal?.throwIfAborted();
    if (Date.now() > deadline) throw new Error(`${name} has not ended after ${limit.ms} ms`);
    await sleep(2);
  }
}

/** What the program printed, its last lines. */
export function outputOf(host: Host, name: string): string {
  return (readIfThere(host.path(`${name}.out`)) ?? "").trim().split("\n").slice(-5).join("; ");
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
