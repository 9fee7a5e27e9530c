/** Puts the runtime handler into containerd's configuration, and takes it out again. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type Lsm, lsmOf } from "../host/confinement.ts";
import { readIfThere } from "../host/files.ts";
import { type Host, type RuntimePaths, USUAL_RUNTIME } from "../host/host.ts";
import { STATE_DIRECTORY } from "../host/layout.ts";
import {
  type DefaultRuntime,
  defaultRuntimeOf,
  handlerTables,
  hasHandler,
  versionOf,
  withoutBlock,
} from "./config-text.ts";
import { type Daemon, dumpConfig, findDaemon, noDaemon, restartDaemon, tooOld, versionText } from "./daemon.ts";
import { type Edit, makeEdit, replaceFile, undo } from "./edit.ts";
import { type Layout, layoutOf } from "./layout.ts";

export const WRAPPER = join(STATE_DIRECTORY, "bin", "headroom-runc");
const INSTALLED = join(STATE_DIRECTORY, "containerd", "installed.json");
/** Names the runc that the wrapper starts; absent: the one in its PATH. */
const RUNC_NOTE = join(STATE_DIRECTORY, "bin", "runc-path");
const WRAPPER_SOURCE = new URL("../runtime-wrapper/headroom-runc.sh", import.meta.url);

/** Whether containerd, as it runs, knows the runtime handler. */
export interface HandlerStatus {
  installed: boolean;
  /** Why not, and what to do. */
  message?: string;
  /** It cannot be installed as the node is: nothing is edited or restarted here. */
  refused?: true;
  /** Absent: no containerd runs. */
  daemon?: DaemonFacts;
}

export interface DaemonFacts {
  /** Version of the containerd that runs. */
  version: string;
  /** What it confines containers by that ask for nothing. */
  lsm: Lsm;
  cgroupDriver: DefaultRuntime["cgroupDriver"];
}

/** The one file that was changed. `before` is its former content in base64; null: there was no such file. */
const installedSchema = z.object({ path: z.string(), before: z.string().nullable(), after: z.string() });
type Installed = z.infer<typeof installedSchema>;

/** Puts the wrapper in its place. Done anew with every version of the agent; containers that start meanwhile find one of the two. */
export function installWrapper(host: Host): void {
  const file = host.path(WRAPPER);
  const wanted = readFileSync(WRAPPER_SOURCE, "utf8");
  if (readIfThere(file) === wanted) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, wanted);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}

/** What the agent works with on this node; as usual where no containerd runs. Rejects when containerd can't read its own configuration. */
export async function readRuntime(host: Host): Promise<RuntimePaths> {
  return (await readNode(host))?.layout.runtime ?? USUAL_RUNTIME;
}

/** Tells the wrapper which runc to start. */
export function noteRunc(host: Host, runc: string): void {
  const note = host.path(RUNC_NOTE);
  if (runc === USUAL_RUNTIME.runc) rmSync(note, { force: true });
  else replaceFile(note, `${runc}\n`);
}

interface Node {
  daemon: Daemon;
  dump: string;
  version: string;
  layout: Layout;
}

/** Undefined: no containerd runs. Rejects when it can't read its own configuration. */
async function readNode(host: Host): Promise<Node | undefined> {
  const daemon = findDaemon();
  if (!daemon) return undefined;
  const [dump, version] = await Promise.all([dumpConfig(host, daemon, daemon.config), versionText(host, daemon)]);
  const files = {
    configText: readIfThere(host.path(daemon.config)),
    osRelease: readIfThere(host.path("/etc/os-release")) ?? readIfThere(host.path("/usr/lib/os-release")) ?? "",
    mountinfo: readFileSync("/proc/1/mountinfo", "utf8"),
  };
  return { daemon, dump, version, layout: layoutOf({ ...daemon, ...files, dump, version }, host.optedIn ?? []) };
}

/** What containerd makes of its files, and whether it has been started since they were written. */
export async function handlerStatus(host: Host): Promise<HandlerStatus> {
  const node = await readNode(host);
  if (!node) return { installed: false, message: noDaemon(), refused: true };
  const { daemon, dump, version, layout } = node;
  const facts: DaemonFacts = {
    version: /\bv?(\d+\.\d+\.\d+\S*)/.exec(version)?.[1] ?? "unknown",
    lsm: lsmOf(host, dump),
    cgroupDriver: defaultRuntimeOf(dump).cgroupDriver,
  };
  const old = tooOld(version);
  if (old !== undefined) return { installed: false, message: old, refused: true, daemon: facts };
  if (!hasHandler(dump, WRAPPER)) {
    const refused = "refused" in layout.edit ? ({ refused: true } as const) : {};
    return { installed: false, message: advice(dump, layout), ...refused, daemon: facts };
  }
  const changed = changedSinceStart(host, daemon);
  if (changed === undefined) return { installed: true, daemon: facts };
  return {
    installed: false,
    message: `containerd has not been restarted since ${changed} was changed`,
    daemon: facts,
  };
}

/** The file with the handler, if containerd has not been started since it was changed. */
function changedSinceStart(host: Host, daemon: Daemon): string | undefined {
  const path = readInstalled(host)?.path ?? daemon.config;
  const changedAtMs = statSync(host.path(path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return daemon.startedAtMs + 1_000 > changedAtMs ? undefined : path;
}

function advice(dump: string, { config, edit }: Layout): string {
  if ("refused" in edit) return edit.refused;
  const tables = handlerTables(dump, versionOf(dump) === 3 ? 3 : 2, WRAPPER);
  const path = edit.into === "template" ? edit.path : config;
  return `containerd's configuration lacks the runtime handler; add to ${path} and restart containerd:\n${tables}`;
}

/** Adds the handler and restarts containerd, unless it is there. Rejects, with everything as it was, when that can't be done. */
export async function installHandler(host: Host, say: (message: string) => void): Promise<void> {
  const node = await readNode(host);
  if (!node) throw new Error(noDaemon());
  const { daemon, dump, version, layout } = node;
  const isThere = hasHandler(dump, WRAPPER);
  if (isThere && changedSinceStart(host, daemon) === undefined) return;
  const refused = tooOld(version) ?? ("refused" in layout.edit ? layout.edit.refused : undefined);
  if (refused !== undefined) throw new Error(refused);
  if (isThere) return await restartDaemon(host, daemon, layout.socket);
  const read = async (config: string) => await dumpConfig(host, daemon, config);
  const edit = await makeEdit({ host, layout, binary: WRAPPER, dump, read });
  if (!edit) throw new Error(`the handler cannot be added without changing other settings. ${advice(dump, layout)}`);
  rememberInstalled(host, edit);
  say(`runtime handler added to ${edit.path}; containerd is restarted`);
  try {
    await restartDaemon(host, daemon, layout.socket);
    if (!hasHandler(await read(layout.config), WRAPPER))
      throw new Error(`${edit.path} was not made part of the configuration`);
  } catch (error) {
    undo(host, edit);
    rmSync(host.path(INSTALLED), { force: true });
    await restartDaemon(host, findDaemon() ?? daemon, layout.socket).catch((again: unknown) => {
      const told = [error, again].map((one) => (one instanceof Error ? one.message : String(one)));
      throw new Error(`${told[0]}; the edit is undone, but containerd could not be restarted with that: ${told[1]}`);
    });
    throw error;
  }
}

function rememberInstalled(host: Host, edit: Edit): void {
  const before = edit.before === undefined ? null : Buffer.from(edit.before).toString("base64");
  mkdirSync(dirname(host.path(INSTALLED)), { recursive: true, mode: 0o700 });
  const installed: Installed = { path: edit.path, before, after: Buffer.from(edit.after).toString("base64") };
  writeFileSync(host.path(INSTALLED), JSON.stringify(installed), { mode: 0o600 });
}

function readInstalled(host: Host): Installed | undefined {
  const text = readIfThere(host.path(INSTALLED));
  return text === undefined ? undefined : installedSchema.parse(JSON.parse(text));
}

/** An agent before this one has added the handler. */
export function handlerWasInstalled(host: Host): boolean {
  return existsSync(host.path(INSTALLED));
}

/** Takes the handler out again: byte for byte what was there, or, where others changed the file since, without our block. */
export async function removeHandler(host: Host, say: (message: string) => void): Promise<void> {
  const installed = readInstalled(host);
  if (!installed) return;
  const path = host.path(installed.path);
  const text = readIfThere(path);
  if (text !== undefined) {
    const untouched = text === Buffer.from(installed.after, "base64").toString("utf8");
    if (untouched && installed.before === null) rmSync(path);
    else
      replaceFile(
        path,
        untouched ? Buffer.from(installed.before ?? "", "base64").toString("utf8") : withoutBlock(text),
      );
    say(`runtime handler removed from ${installed.path}; containerd is restarted`);
    const node = await readNode(host);
    if (node) await restartDaemon(host, node.daemon, node.layout.socket);
  }
  rmSync(host.path(dirname(INSTALLED)), { recursive: true, force: true });
}
