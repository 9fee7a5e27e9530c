/**
 * Programs of the agent's image that work for a move: in a control group outside of the agent's own, so that the memory which the kernel
 * takes for their files (page cache, and an inode and a name for each file) is not the agent's.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Host } from "./host.ts";

export interface Group {
  host: Host;
  /** Its cgroup.procs files, host paths, in the order in which they are joined. */
  procs: readonly string[];
}

// The cgroup.procs files up to "--", then the program.
const JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1" || true; shift; done; shift; exec "$@"';

export interface Grouped {
  child: ChildProcess;
  stdin: Writable;
  stdout: Readable;
  /** Resolves when the program has ended well; rejects with what it complained of. */
  done: Promise<void>;
  /** Resolves when it has ended, well or not: from then on it writes nothing. */
  closed: Promise<void>;
}

/** @param more the program's file descriptors from 3 on. */
export function startGrouped(group: Group, argv: readonly string[], more: readonly "pipe"[] = []): Grouped {
  const procs = group.procs.map((file) => group.host.path(file));
  const { file, args } = group.host.command(["/bin/sh", "-c", JOIN, "headroom-join", ...procs, "--", ...argv], "own");
  const stdio: StdioOptions = ["pipe", "pipe", "pipe", ...more];
  const child = spawn(file, args, { stdio, env: group.host.environment({ LC_ALL: "C" }) });
  child.once("error", () => undefined); // `done` tells of it, unless there are no pipes
  const [stdin, stdout, stderr] = [child.stdin, child.stdout, child.stderr];
  if (!stdin || !stdout || !stderr) throw new Error(`${argv[0]} has no pipes`);
  stdin.on("error", () => undefined); // the exit code tells that it died
  const complaints = text(stderr).catch(() => "");
  const done = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else void complaints.then((said) => reject(failure(argv[0], said, code)));
    });
  });
  done.catch(() => undefined); // the caller that awaits it sees the failure
  return { child, stdin, stdout, done, closed: done.catch(() => undefined) };
}

function failure(program: string | undefined, said: string, code: number | null): Error {
  return new Error(`${program}: ${said.trim().slice(0, 500) || `exit code ${code}`}`);
}

/** Runs a program to its end and resolves with what it printed. `signal` kills it; the promise settles once it is dead. */
export async function runGrouped(group: Group, argv: readonly string[], signal?: AbortSignal): Promise<string> {
  signal?.throwIfAborted();
  const program = startGrouped(group, argv);
  const kill = () => program.child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  program.stdin.end();
  try {
    const [printed] = await Promise.all([text(program.stdout), program.done]);
    return printed;
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}
