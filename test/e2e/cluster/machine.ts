/**
 * A node's machine, made of namespaces and cgroups: its own network, file system on a disk of its own, processes, and a real
 * memory limit, so that it can really run out of memory.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createCgroup, destroyCgroup } from "./cgroups.ts";
import { attempt, type Outcome, type RunOptions, run } from "./command.ts";
import { inCgroup, startDaemon } from "./daemons.ts";
import { clearNodeNetwork, connectNode } from "./network.ts";
import type { Programs } from "./programs.ts";
import type { NodeSettings, Settings } from "./settings.ts";
import { waitFor } from "./wait.ts";

const MACHINE_SCRIPT = new URL("./node/machine.sh", import.meta.url).pathname;
const DISK_SIZE = "12G"; // sparse
/** Where a node's distribution has its programs. */
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** With Kubernetes' and Telegraf's, which are in this folder. */
export const pathWith = (programs: string): string => `${SYSTEM_PATH}:${programs}/kubernetes:${programs}/telegraf`;
const NODE_PATH = pathWith("/opt");

export class Machine {
  readonly node: NodeSettings;
  /** The node's init process, as the host numbers it; 0 while the machine is off. */
  pid: number;
  readonly cgroup: string;
  /** The file system that all nodes share, but for the newer ones' programs. */
  readonly #base: string;
  /** Where this machine keeps what is the node's. */
  protected readonly folder: string;

  constructor(settings: Settings, node: NodeSettings, programs: Programs, pid: number) {
    this.node = node;
    this.pid = pid;
    this.#base = baseOf(programs);
    this.folder = folderOf(settings, node);
    this.cgroup = nodeCgroup(settings, node);
  }

  get isOn(): boolean {
    return this.pid !== 0;
  }

  /** The host's path of a file in the node. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  async write(inside: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.path(inside)), { recursive: true });
    await writeFile(this.path(inside), content, { mode });
  }

  read(inside: string): Promise<string> {
    return readFile(this.path(inside), "utf8");
  }

  /** Program and arguments that run `command` in the node: in its namespaces and its cgroups. */
  entering(command: readonly string[]): [program: string, args: string[]] {
    const namespaces = ["-m", "-u", "-i", "-n", "-p", "-C"];
    const environment = ["env", "-i", `PATH=${NODE_PATH}`, "HOME=/root", "LANG=C.UTF-8"];
    return inCgroup(this.cgroup, ["nsenter", "-t", String(this.pid), ...namespaces, "--", ...environment, ...command]);
  }

  run(command: readonly string[], options?: RunOptions): Promise<string> {
    return run(...this.entering(command), options);
  }

  attempt(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return attempt(...this.entering(command), options);
  }

  /** Runs one of the node's programs in its network only: sooner than `run`, and also while the machine is off. */
  runInNetwork(command: readonly string[], input = ""): Promise<string> {
    const places = [`--net=/run/netns/${this.node.networkNamespace}`, `--root=${this.#base}`];
    return run("nsenter", [...places, "--", ...command], { input });
  }

  /** Brings its logs into a folder. */
  async collectLogs(folder: string): Promise<void> {
    await cp(join(this.folder, "log"), folder, { recursive: true }).catch(() => undefined);
    await cp(this.path("/var/log/pods"), join(folder, "pods"), { recursive: true }).catch(
      () => undefined, // no pod has run
    );
  }

  /** Starts a program under the node's supervisor: it comes back whenever it ends. */
  async startService(name: string, command: readonly string[]): Promise<void> {
    const [program, args] = this.entering(["/opt/node/service.sh", name, ...command]);
    await startDaemon([program, ...args], { cgroup: this.cgroup, logFile: "/dev/null" });
  }
}

export function nodeCgroup(settings: Settings, node: NodeSettings): string {
  return `${settings.cgroup}/${node.name}`;
}

const baseOf = (programs: Programs): string => join(programs.nodeRoot, "root");

/** What lies below the node's writable layer, the uppermost first, as overlay takes it. */
function layersOf(node: NodeSettings, programs: Programs): string {
  const newer = node.newerRuntime ? [join(programs.newerRuntime, "root")] : [];
  return [...newer, baseOf(programs)].join(":");
}

export function folderOf(settings: Settings, node: NodeSettings): string {
  return join(settings.folder, "nodes", node.name);
}

/** `diskInodes`: how many files its disk can hold; absent: as many as mkfs.ext4 thinks right, some 800,000. */
export async function startMachine(
  settings: Settings,
  node: NodeSettings,
  programs: Programs,
  diskInodes?: number,
): Promise<Machine> {
  await makeDisk(folderOf(settings, node), diskInodes);
  await connectNode(settings, node);
  return new Machine(settings, node, programs, await boot(settings, node, programs));
}

/** The answer is the process id of its init. */
async function boot(settings: Settings, node: NodeSettings, programs: Programs): Promise<number> {
  const folder = folderOf(settings, node);
  await createCgroup(nodeCgroup(settings, node), node.memoryMiB * 1024 * 1024);
  await startDaemon(machineCommand(node, folder, programs), {
    cgroup: nodeCgroup(settings, node),
    logFile: join(folder, "log", "machine.log"),
  });
  return waitFor(`the machine of node ${node.name}`, 20, () => readyPid(folder), 50);
}

/**
 * Ends the machine as a power cut would: every process at once, frozen ones too, without a step of theirs in between; what is in memory is gone, the
 * disk stays. Its network is still there, as a cable is, but nobody answers. Resolves when all have ended. Safe to call twice.
 */
export async function killMachine(machine: Machine): Promise<void> {
  const { pid } = machine;
  machine.pid = 0; // nothing enters it any more
  if (pid !== 0) process.kill(pid, "SIGKILL"); // the kernel ends a process namespace with its init
  await destroyCgroup(machine.cgroup);
}

/** Boots a machine that was killed, with the disk that it had. Its services have still to be started. */
export async function bootAgain(settings: Settings, machine: Machine, programs: Programs): Promise<void> {
  const { node } = machine;
  const folder = folderOf(settings, node);
  await waitFor(`the disk of ${node.name} to be let go`, 30, () => isLetGo(join(folder, "disk.img")), 50);
  await rm(join(folder, "pid"), { force: true });
  await clearNodeNetwork(machine);
  machine.pid = await boot(settings, node, programs);
}

/** While a loop device still writes to it, it must not be mounted a second time. */
async function isLetGo(image: string): Promise<boolean> {
  return (await run("losetup", ["--associated", image])).trim() === "";
}

function machineCommand(node: NodeSettings, folder: string, programs: Programs): string[] {
  const network = ["nsenter", `--net=/run/netns/${node.networkNamespace}`];
  const others = ["unshare", "--cgroup", "--mount", "--pid", "--uts", "--ipc", "--fork"];
  const args = [
    node.name,
    folder,
    layersOf(node, programs),
    programs.kubernetes,
    programs.telegraf,
    String(node.memoryMiB),
  ];
  return [...network, ...others, "bash", MACHINE_SCRIPT, ...args];
}

async function makeDisk(folder: string, inodes?: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const image = join(folder, "disk.img");
  await run("truncate", ["-s", DISK_SIZE, image]);
  const limit = inodes ? ["-N", String(inodes)] : [];
  await run("mkfs.ext4", ["-q", "-O", "^has_journal", "-E", "lazy_itable_init=1", ...limit, image]);
}

async function readyPid(folder: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(folder, "pid"), "utf8"));
  return existsSync(`/proc/${pid}/root/run/node-ready`) ? pid : undefined;
}
