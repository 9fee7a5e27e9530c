/** The virtual machine: Debian's stock kernel under QEMU's emulation, with this checkout's agent on a disk beside its own. */
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../cluster/command.ts";
import { criuStage } from "../cluster/operator-image.ts";
import type { Programs } from "../cluster/programs.ts";
import type { Settings } from "../cluster/settings.ts";
import { qemu, stockMachine } from "./qemu.ts";

const REPOSITORY = new URL("../../../", import.meta.url).pathname;
const MEMORY_MIB = 2048;
const BOOT_AND_CHECKS_SECONDS = 600;
/** What the agent's node side imports. */
const PACKAGES = ["zod", "@bufbuild/protobuf"];

export interface GuestResult {
  name: string;
  error?: string;
  seconds: number;
}

export interface GuestReport {
  results: GuestResult[];
  /** All that the guest's console showed. */
  console: string;
}

export interface ChecksMachine {
  /** Holds kernel, initial file system, disk and QEMU, as ./build/vm.sh made them. */
  folder: string;
  /** Image with the checkout's sources, Node.js and the workload. */
  payload: string;
  /** For the console. */
  work: string;
}

export async function prepareMachine(
  settings: Settings,
  programs: Programs,
  workload: string,
  say: (line: string) => void,
): Promise<ChecksMachine> {
  const folder = await stockMachine(settings, programs, say);
  const work = join(settings.folder, "vm");
  await rm(work, { recursive: true, force: true });
  const tree = join(work, "payload");
  await mkdir(tree, { recursive: true });
  await copyCheckout(tree);
  await cp(join(await criuStage(settings, say), "criu"), join(tree, "criu"), { recursive: true });
  await cp(workload, join(tree, "workload.tar"));
  await cp(join(programs.newerRuntime, "root"), join(tree, "newer-runtime"), { recursive: true });
  const payload = join(work, "payload.img");
  await run("mkfs.ext4", ["-q", "-O", "^has_journal", "-d", tree, payload, "512M"], { timeoutSeconds: 120 });
  await rm(tree, { recursive: true });
  return { folder, payload, work };
}

async function copyCheckout(tree: string): Promise<void> {
  await cp(await realpath(process.execPath), join(tree, "node"));
  await cp(join(REPOSITORY, "test/e2e/vm/guest/init"), join(tree, "guest-init"));
  const parts = ["package.json", "src", "test/e2e/vm/guest", ...PACKAGES.map((name) => `node_modules/${name}`)];
  for (const part of parts) await cp(join(REPOSITORY, part), join(tree, part), { recursive: true });
}

/** Boots it, with the newer containerd and runc or the nodes' ordinary ones, and resolves with what the guest reported, once it is off. Its console ends up in `work`/console.log. */
export async function runMachine(machine: ChecksMachine, newerRuntime: boolean): Promise<GuestReport> {
  const consoleLog = join(machine.work, "console.log");
  const { program, args, environment } = qemu({
    folder: machine.folder,
    memoryMiB: MEMORY_MIB,
    consoleLog,
    append: newerRuntime ? "headroom.newer-runtime" : "",
    disks: [
      [join(machine.folder, "root.img"), "snapshot=on"],
      [machine.payload, "readonly=on"],
    ],
  });
  const child = spawn(program, [...args, "-no-reboot"], {
    stdio: "ignore",
    env: environment,
    timeout: BOOT_AND_CHECKS_SECONDS * 1000,
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  const said = await readFile(consoleLog, "utf8");
  // The guest writes what ./guest/main.ts says.
  const lines = [...said.matchAll(/^@result (\{.*\})\r?$/gm)];
  return { results: lines.map(([, json = "{}"]) => JSON.parse(json) as GuestResult), console: said };
}
