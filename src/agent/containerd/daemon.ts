/** The node's containerd: its process, its configuration file, and how to start it again. Running pods survive that. */

import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../host/detached.ts";
import { isMissing, readIfThere } from "../host/files.ts";
import { type Host, mustRun } from "../host/host.ts";
import { isOlder } from "../versions.ts";
import { type DaemonFiles, type DaemonProcess, filesOfDaemon } from "./layout.ts";

/** A supervisor has so long to bring containerd back before it is started from here. */
const SUPERVISOR_MS = 4_000;
const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 20_000;

export interface Daemon extends DaemonProcess, DaemonFiles {
  pid: number;
  startedAtMs: number;
}

/** The containerd of the host's own file system; undefined when none runs. Where Docker has one beside k3s', RKE2's or MicroK8s', theirs. */
export function findDaemon(): Daemon | undefined {
  const daemons = hostProcesses("containerd").map((pid): Daemon => {
    const process = { argv: argvOf(pid), executable: executableOf(pid), unit: unitOf(pid) };
    return { pid, ...process, ...filesOfDaemon(process), startedAtMs: startOf(pid) };
  });
  return daemons.find(({ kind }) => kind !== "containerd") ?? daemons[0];
}

/** Why no containerd was found. */
export function noDaemon(): string {
  return hostProcesses("crio").length > 0
    ? "this node runs CRI-O, and Headroom needs containerd"
    : "no containerd runs on this node";
}

/** Processes of that name in the host's own file system, in the order of their numbers. */
function hostProcesses(name: string): number[] {
  const mounts = readlinkSync("/proc/1/ns/mnt");
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => {
    const argv = argvOf(pid);
    return basename(argv[0] ?? "") === name && isDaemon(argv) && namespaceOf(pid) === mounts;
  });
}

/**
 * Is it the daemon, and not the same program asked for something else (`containerd config dump`, which agents run, or `containerd publish`, which
 * older shims do)? All of its other flags take a value.
 */
export function isDaemon(argv: readonly string[]): boolean {
  const [, ...args] = argv;
  if (args.some((argument) => /^--?(version|v|help|h)$/.test(argument))) return false;
  const isFlag = (argument = ""): boolean => argument.startsWith("-");
  const isValue = (at: number): boolean => isFlag(args[at - 1]) && !args[at - 1]?.includes("=");
  return args.every((argument, at) => isFlag(argument) || isValue(at));
}

function argvOf(pid: number): string[] {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? "").split("\0").slice(0, -1);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Milliseconds since the epoch. /proc counts in hundredths of a second from boot (USER_HZ is 100 on all of Linux). */
function startOf(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? "";
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0);
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? 0);
  return boot * 1000 + ticks * 10;
}

function unitOf(pid: number): string | undefined {
  if (readIfThere("/proc/1/comm")?.trim() !== "systemd") return undefined;
  return serviceOf(readIfThere(`/proc/${pid}/cgroup`) ?? "");
}

/** The service whose group, in whichever slice, a process is in or below. */
export function serviceOf(groups: string): string | undefined {
  return /\/([^/\n]+\.service)(?:\/|$)/m.exec(groups)?.[1];
}

/** What containerd makes of a configuration file as it is now. Rejects, in its words, when it can't read it. */
export async function dumpConfig(host: Host, { program }: Daemon, config: string): Promise<string> {
  return await mustRun(host, [program, "--config", config, "config", "dump"]);
}

/** The oldest that names a container's pod in its bundle, which the runtime wrapper goes by. */
const OLDEST = "1.6.11";

/** Why containerd is too old, or undefined; `text` is what `containerd --version` says. */
export function tooOld(text: string): string | undefined {
  if (!isOlder(text, OLDEST)) return undefined;
  const version = /\d+\.\d+\.\d+/.exec(text)?.[0];
  return `containerd ${version} is too old: moves to this node need ${OLDEST}`;
}

/** What containerd says of its version. */
export async function versionText(host: Host, daemon: Daemon): Promise<string> {
  return await mustRun(host, [daemon.program, "--version"]);
}

/** The program as the host sees it: the link of a program that was replaced meanwhile says so. */
function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "");
  } catch {
    return "containerd";
  }
}

/** Resolves when the new containerd answers on its socket (host path). */
export async function restartDaemon(host: Host, daemon: Daemon, socket: string): Promise<void> {
  if (daemon.unit) await mustRun(host, ["systemctl", "restart", daemon.unit]);
  else await restartByPid(host, daemon);
  const deadline = Date.now() + READY_LIMIT_MS;
  while (!(await answers(host, socket)) || findDaemon() === undefined) {
    if (Date.now() > deadline) throw new Error(`containerd does not answer ${READY_LIMIT_MS} ms after its restart`);
    await sleep(100);
  }
}

/** SIGTERM; whoever looks after containerd starts it again, or else this does, as it was. */
async function restartByPid(host: Host, daemon: Daemon): Promise<void> {
  const again = captureStart(daemon);
  process.kill(daemon.pid, "SIGTERM");
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (isAlive(daemon.pid) && Date.now() < deadline) await sleep(20);
  if (isAlive(daemon.pid)) process.kill(daemon.pid, "SIGKILL");
  const patience = Date.now() + SUPERVISOR_MS;
  while (Date.now() < patience) {
    if (findDaemon() !== undefined) return;
    await sleep(50);
  }
  startAgain(host, again);
}

interface Start {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  /** Where it printed to, host path; undefined: nowhere that can be opened again. */
  output: string | undefined;
  /** cgroup.procs files of its groups, host paths. */
  groups: string[];
}

function captureStart(daemon: Daemon): Start {
  const { pid } = daemon;
  const environment = (readIfThere(`/proc/${pid}/environ`) ?? "").split("\0").filter((entry) => entry.includes("="));
  const output = readlinkSync(`/proc/${pid}/fd/2`);
  return {
    argv: [daemon.executable, ...daemon.argv.slice(1)],
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    env: Object.fromEntries(
      environment.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    ),
    output: /^\/(?!dev\/pts)/.test(output) && !output.endsWith("(deleted)") ? output : undefined,
    groups: groupsOf(readIfThere(`/proc/${pid}/cgroup`) ?? ""),
  };
}

/** cgroup.procs files of the groups that /proc/<pid>/cgroup names. Named hierarchies are mounted under their name. */
export function groupsOf(text: string): string[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [, controllers = "", ...path] = line.split(":");
      const mount = controllers.replace(/^name=/, "");
      return join("/sys/fs/cgroup", mount, path.join(":"), "cgroup.procs");
    });
}

function startAgain(host: Host, start: Start): void {
  const joinGroups =
    'while [ "$1" != -- ]; do echo $$ > "$1" 2>/dev/null || true; shift; done; shift; cd "$1"; shift; exec "$@"';
  const { file, args } = host.command([
    "/bin/sh",
    "-c",
    joinGroups,
    "sh",
    ...start.groups,
    "--",
    start.cwd,
    ...start.argv,
  ]);
  const output = start.output === undefined ? "ignore" : openSync(host.path(start.output), "a");
  const child = spawn(file, args, { cwd: "/", detached: true, env: start.env, stdio: ["ignore", output, output] });
  child.unref();
  if (typeof output === "number") closeSync(output);
}

function answers(host: Host, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(host.path(path));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
