/** A flood of idle connections from addresses of the host's. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { attempt, run } from "../cluster/command.ts";
import { inCgroup } from "../cluster/daemons.ts";
import type { Settings } from "../cluster/settings.ts";
import { waitFor } from "../cluster/wait.ts";

const WORKER = new URL("./flood-worker.ts", import.meta.url).pathname;
const SOURCE_ADDRESSES = 4;
/** One process may have no more files open on many machines. */
const CONNECTIONS_EACH = 10_000;

export interface FloodTarget {
  address: string;
  port: number;
}

interface Counts {
  open: number;
  opened: number;
  ended: number;
  failed: number;
}

interface Source {
  target: FloodTarget;
  child: ChildProcess;
  counts: Counts;
}

export interface Flood {
  /** Resolves when so many connections as were wanted have been tried at each target. */
  full(limitSeconds: number): Promise<string>;
  state(): string;
  stop(): Promise<void>;
}

/** `count` connections, a multiple of 10,000, to each target. What is started ends with the cluster, too. */
export async function startFlood(settings: Settings, targets: readonly FloodTarget[], count: number): Promise<Flood> {
  const addresses = Array.from({ length: SOURCE_ADDRESSES }, (_, index) => sourceAddress(settings, index));
  for (const address of addresses) {
    await run("ip", ["addr", "replace", `${address}/${settings.prefixLength}`, "dev", settings.bridge]);
  }
  const workers = Math.ceil(count / CONNECTIONS_EACH);
  const sources = targets.flatMap((target) =>
    Array.from({ length: workers }, () => startSource(settings, target, CONNECTIONS_EACH, addresses)),
  );
  const state = (): string => sources.map(shown).join("; ");
  return {
    state,
    full: (limitSeconds) =>
      waitFor(`${count} connections to each of ${targets.length} ports (${state()})`, limitSeconds, () => {
        return sources.every(({ counts }) => counts.opened + counts.failed >= CONNECTIONS_EACH) && state();
      }),
    stop: async () => {
      await Promise.all(sources.map(({ child }) => ended(child)));
      for (const address of addresses) {
        await attempt("ip", ["addr", "delete", `${address}/${settings.prefixLength}`, "dev", settings.bridge]);
      }
    },
  };
}

/** Beside the host's own, and none of a node's. */
function sourceAddress(settings: Settings, index: number): string {
  return settings.hostAddress.replace(/\.0\.1$/, `.7.${index + 1}`);
}

function startSource(settings: Settings, target: FloodTarget, count: number, sourceAddresses: string[]): Source {
  const order = JSON.stringify({ host: target.address, port: target.port, count, sourceAddresses });
  const [program, args] = inCgroup(settings.cgroup, [process.execPath, WORKER, order]);
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const source: Source = { target, child, counts: { open: 0, opened: 0, ended: 0, failed: 0 } };
  createInterface({ input: child.stdout }).on("line", (line) => {
    source.counts = JSON.parse(line) as Counts; // written by the worker
  });
  return source;
}

function shown({ target, counts: { open, opened, ended, failed } }: Source): string {
  return `${target.address}: ${open} open, ${opened} opened, ${ended} ended by it, ${failed} failed`;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.stdin?.end();
  });
}
