/**
 * One container of the agent's own, run, dumped and restored. Its program, which sleeps, comes from CRIU's tree; all else is in memory, and nothing of
 * it is left, whatever happened.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorsIn } from "../host/criu-log.ts";
import { entriesOf, readIfThere } from "../host/files.ts";
import { type Host, runOnHost, runtimeOf } from "../host/host.ts";
import { RUN_DIRECTORY } from "../host/layout.ts";
import { runsWith } from "../host/processes.ts";
import type { Kind } from "../protocol.ts";
import type { KindOptions } from "./kinds.ts";

const SELF_TEST_DIRECTORY = join(RUN_DIRECTORY, "self-test");
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
  const id = idOf(trial.kind);
  const folder = join(SELF_TEST_DIRECTORY, trial.kind);
  const images = (name: string) => ["--image-path", join(folder, name), "--work-path", join(folder, "work")];
  const folders = images("images");
  const runc = async (...args: string[]) => await runRunc(host, folder, args);
  const restoring = ["restore", "--detach", "--bundle", folder, ...folders];
  const { dirtyTracking: inRounds, lazyPages: lazily } = trial.options;
  try {
    for (const name of ["images", ...ROUNDS, "work", "runc"])
      mkdirSync(host.path(join(folder, name)), { recursive: true, mode: 0o700 });
    for (const name of MOUNTPOINTS) mkdirSync(host.path(join(folder, "rootfs", name)), { recursive: true }); // any user's
    writeFileSync(host.path(join(folder, "config.json")), JSON.stringify(configOf(trial, id)));
    const profile = trial.options.apparmor ? await changeProfile(host, folder, "--replace") : undefined;
    if (profile !== undefined) return profile;
    const dumped = async (...args: string[]) =>
      named("it could not be dumped", await runc("checkpoint", ...args, id), host, join(folder, "work/dump.log"));
    const failed =
      named("it could not be run", await runc("run", "--detach", "--bundle", folder, id)) ??
      (await programBegins(host, folder, id)) ??
      (inRounds
        ? await dumpRounds(host, folder, async (name, ...args) => await dumped(...images(name), ...args))
        : undefined) ??
      (await dumped(...folders, ...(inRounds ? ["--parent-path", `../${ROUNDS[1]}`] : []))) ??
      (lazily ? await startServing(host, folder) : undefined) ??
      named(
        "it could not be restored",
        await runc(...restoring, ...(lazily ? ["--lazy-pages"] : []), id),
        host,
        join(folder, "work/restore.log"),
      );
    return failed ?? ((await runs(host, folder, id)) ? undefined : "it was restored, and does not run");
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

const idOf = (kind: string): string => `headroom-self-test-${kind}`;

/** Takes away what is there of any trial. */
export async function clearTrials(host: Host): Promise<void> {
  for (const kind of entriesOf(host.path(SELF_TEST_DIRECTORY))) await clear(host, kind);
  rmSync(host.path(SELF_TEST_DIRECTORY), { recursive: true, force: true });
}

async function clear(host: Host, kind: string): Promise<void> {
  const folder = join(SELF_TEST_DIRECTORY, kind);
  await runRunc(host, folder, ["delete", "--force", idOf(kind)]);
  if (kind === "apparmor") await changeProfile(host, folder, "--remove");
  rmSync(host.path(folder), { recursive: true, force: true });
}

/** Resolves with what runc says went wrong. The container must not inherit an open file of the host: it could not be dumped. */
async function runRunc(host: Host, folder: string, args: readonly string[]): Promise<string | undefined> {
  const log = join(folder, "runc.log");
  const code = await runQuietly(host, [runtimeOf(host).runc, "--root", join(folder, "runc"), "--log", log, ...args]);
  if (code === 0) return undefined;
  return [...(readIfThere(host.path(log)) ?? "").matchAll(/msg="(.*)"$/gm)].at(-1)?.[1] ?? `exit code ${code}`;
}

async function runQuietly(host: Host, argv: readonly string[]): Promise<number> {
  const script = '"$@" </dev/null >/dev/null 2>&1';
  return (await runOnHost(host, ["/bin/sh", "-c", script, "headroom-self-test", ...argv])).code;
}

function named(what: string, error: string | undefined, host?: Host, log?: string): string | undefined {
  if (error === undefined) return undefined;
  const details = host && log ? errorsIn(readIfThere(host.path(log))) : "";
  return `${what}: ${details || error}`;
}

/** `run` resolves when runc is about to make its own process the program: until then it is a program of the host, which cannot be dumped. */
async function programBegins(host: Host, folder: string, id: string): Promise<string | undefined> {
  const state = host.path(join(folder, "runc", id, "state.json"));
  const pid = Number(/"init_process_pid":\s*(\d+)/.exec(readIfThere(state) ?? "")?.[1]);
  for (const end = Date.now() + READY_MS; Date.now() < end; await sleep(2)) {
    if (runsWith(pid, PROGRAM)) return undefined;
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

async function runs(host: Host, folder: string, id: string): Promise<boolean> {
  const { stdout } = await runOnHost(host, [runtimeOf(host).runc, "--root", join(folder, "runc"), "state", id]);
  return /"status":\s*"running"/.test(stdout);
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
