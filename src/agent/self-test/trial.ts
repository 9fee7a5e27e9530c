/**
 * One container of the agent's own, run, dumped and restored. Its program, which sleeps, comes from CRIU's tree; all else is in memory, and nothing of
 * it is left, whatever happened.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorsIn } from "../host/criu-log.ts";
import { entriesOf, readIfThere } from "../host/files.ts";
import { type Host, runOnHost } from "../host/host.ts";
import { OwnContainer, ownContainers, removeOwnContainers, runQuietly } from "../host/own-container.ts";
import { runsWith } from "../host/processes.ts";
import type { Kind } from "../protocol.ts";
import type { KindOptions } from "./kinds.ts";

const READY_MS = 10_000;
/** As containerd's profile, which it loads with the first container that needs it: everything but a few files. */
const APPARMOR_PROFILE = "headroom-self-test";
const APPARMOR_RULES = `profile ${APPARMOR_PROFILE} flags=(attach_disconnected,mediate_deleted) {
  network, capability, file, umount, signal, ptrace,
  deny /proc/sysrq-trigger rwklx,
}
`;
const PROGRAM = "/libexec/sleep";
/** Folders of the images of the rounds before the last. */
const ROUNDS = ["round-1", "round-2"] as const;
const MOUNTPOINTS = ["lib", "libexec", "proc", "dev"];

export interface Trial {
  kind: Kind;
  options: KindOptions;
  /** Host path of CRIU's tree. */
  tree: string;
  /** Name of the loader in the tree's `lib`. */
  loader: string;
}

/** Resolves with why the container could not be dumped and restored; undefined: it could. */
export async function tryContainer(host: Host, trial: Trial): Promise<string | undefined> {
  const container = new OwnContainer(host, trial.kind);
  const { id, folder } = container;
  const images = (name: string) => ["--image-path", join(folder, name), "--work-path", join(folder, "work")];
  const folders = images("images");
  const restoring = ["restore", "--detach", "--bundle", folder, ...folders];
  const { dirtyTracking: inRounds, lazyPages: lazily } = trial.options;
  try {
    container.make(configOf(trial, id), MOUNTPOINTS);
    for (const name of ["images", ...ROUNDS, "work"]) mkdirSync(container.path(name), { recursive: true, mode: 0o700 });
    const profile = trial.options.apparmor ? await changeProfile(host, folder, "--replace") : undefined;
    if (profile !== undefined) return profile;
    const dumped = async (...args: string[]) =>
      named("it could not be dumped", await container.runc("checkpoint", ...args, id), container.path("work/dump.log"));
    const failed =
      named("it could not be run", await container.runc("run", "--detach", "--bundle", folder, id)) ??
      (await programBegins(container)) ??
      (inRounds
        ? await dumpRounds(host, folder, async (name, ...args) => await dumped(...images(name), ...args))
        : undefined) ??
      (await dumped(...folders, ...(inRounds ? ["--parent-path", `../${ROUNDS[1]}`] : []))) ??
      (lazily ? await startServing(host, folder) : undefined) ??
      named(
        "it could not be restored",
        await container.runc(...restoring, ...(lazily ? ["--lazy-pages"] : []), id),
        container.path("work/restore.log"),
      );
    return failed ?? ((await container.isRunning()) ? undefined : "it was restored, and does not run");
  } finally {
    await clear(host, trial.kind);
  }
}

/** Resolves with why the second round was not smaller than the first: the container changes next to nothing meanwhile. */
async function dumpRounds(
  host: Host,
  folder: string,
  dump: (images: string, ...args: string[]) => Promise<string | undefined>,
): Promise<string | undefined> {
  const [first, second] = ROUNDS;
  const failed =
    (await dump(first, "--pre-dump")) ?? (await dump(second, "--pre-dump", "--parent-path", `../${first}`));
  if (failed !== undefined) return failed;
  const [all, changed] = ROUNDS.map((name) => pageBytes(host.path(join(folder, name))));
  if (all === undefined || changed === undefined || changed < all / 2) return undefined;
  return `its second round held ${changed} of ${all} bytes, as if all of its memory had changed`;
}

function pageBytes(folder: string): number {
  const files = entriesOf(folder).filter((name) => name.startsWith("pages-"));
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Resolves with why not. */
async function changeProfile(
  host: Host,
  folder: string,
  change: "--replace" | "--remove",
): Promise<string | undefined> {
  const file = join(folder, "apparmor");
  mkdirSync(host.path(folder), { recursive: true });
  writeFileSync(host.path(file), APPARMOR_RULES);
  const { code, stderr } = await runOnHost(host, ["apparmor_parser", change, "--skip-cache", file]);
  return code === 0 ? undefined : `its AppArmor profile could not be loaded: ${stderr.trim() || `exit code ${code}`}`;
}

/** Takes away what is there of any trial. */
export async function clearTrials(host: Host): Promise<void> {
  for (const kind of ownContainers(host)) await clear(host, kind);
  await removeOwnContainers(host);
}

async function clear(host: Host, kind: string): Promise<void> {
  const container = new OwnContainer(host, kind);
  await container.remove();
  if (kind !== "apparmor") return;
  await changeProfile(host, container.folder, "--remove");
  rmSync(container.path(), { recursive: true, force: true });
}

function named(what: string, error: string | undefined, log?: string): string | undefined {
  if (error === undefined) return undefined;
  const details = log ? errorsIn(readIfThere(log)) : "";
  return `${what}: ${details || error}`;
}

/** `run` resolves when runc is about to make its own process the program: until then it is a program of the host, which cannot be dumped. */
async function programBegins(container: OwnContainer): Promise<string | undefined> {
  for (const end = Date.now() + READY_MS; Date.now() < end; await sleep(2)) {
    if (runsWith(container.pid(), PROGRAM)) return undefined;
  }
  return "its program does not run";
}

/** Ends by itself when all of the memory has been asked for, or with its container. */
async function startServing(host: Host, folder: string): Promise<string | undefined> {
  const serve = `criu lazy-pages -D ${folder}/images -W ${folder}/work -o lazy-pages.log --status-fd 8 8>${folder}/ready`;
  await runQuietly(host, ["/bin/sh", "-c", `${serve} &`]);
  for (const end = Date.now() + READY_MS; Date.now() < end; await sleep(5)) {
    if (readIfThere(host.path(join(folder, "ready")))) return undefined;
  }
  return `its memory could not be served: ${errorsIn(readIfThere(host.path(join(folder, "work/lazy-pages.log"))))}`;
}

function configOf({ options, tree, loader }: Trial, id: string): object {
  const { uid, capabilities, noNewPrivileges, seccomp, apparmor } = options;
  const sets = ["bounding", "effective", "permitted"].map((set) => [set, capabilities]);
  return {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: {
      user: { uid, gid: uid },
      args: [`/lib/${loader}`, "--inhibit-cache", "--library-path", "/lib", PROGRAM, "600"],
      env: [],
      cwd: "/",
      capabilities: Object.fromEntries(sets),
      noNewPrivileges,
      ...(apparmor ? { apparmorProfile: APPARMOR_PROFILE } : {}),
    },
    mounts: [
      ...["lib", "libexec"].map((name) => ({
        destination: `/${name}`,
        type: "bind",
        source: join(tree, name),
        options: ["bind", "ro"],
      })),
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=64k"] },
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
      ...(seccomp ? { seccomp: SECCOMP } : {}),
    },
  };
}

/** Any filter makes CRIU dump and restore one. */
const SECCOMP = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }],
};
