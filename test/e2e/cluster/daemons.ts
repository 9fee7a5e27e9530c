/** Long-running programs on the host, each in a cgroup of this instance, with its output in a file. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hierarchies } from "./cgroups.ts";

export interface DaemonOptions {
  /** An existing cgroup. */
  cgroup: string;
  logFile: string;
  env?: NodeJS.ProcessEnv;
}

/** Joins the cgroups named before "--", then becomes the program named after it. */
const JOIN_AND_EXEC = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';

/** What to run so that `command` is in the cgroup from its first instruction on. */
export function inCgroup(cgroup: string, command: readonly string[]): [program: string, args: string[]] {
  const folders = hierarchies().map((root) => join(root, cgroup));
  return ["/bin/sh", ["-c", JOIN_AND_EXEC, "sh", ...folders, "--", ...command]];
}

/** Starts a program that goes on when this process ends. The answer is its process id. */
export async function startDaemon(command: readonly string[], options: DaemonOptions): Promise<number> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, "a");
  const [program, args] = inCgroup(options.cgroup, command);
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    ...(options.env ? { env: options.env } : {}),
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      child.unref();
      resolve(child.pid ?? -1);
    });
  });
}
