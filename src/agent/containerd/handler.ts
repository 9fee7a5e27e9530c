/**
 * Puts the runtime handler into containerd's configuration, and takes it out again. Every edit is tried with
 * `containerd config dump` first: it is kept only when it adds the handler and changes nothing else.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { entriesOf, readIfThere } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { STATE_DIRECTORY } from "../host/layout.ts";
import {
  type ConfigVersion,
  handlerTables,
  hasHandler,
  importsOf,
  onlyAddsHandler,
  runtimeTables,
  versionOf,
  withBlock,
  withoutBlock,
} from "./config-text.ts";
import { type Daemon, dumpConfig, findDaemon, restartDaemon, tooOld, versionText } from "./daemon.ts";

export const WRAPPER = join(STATE_DIRECTORY, "bin", "headroom-runc");
const INSTALLED = join(STATE_DIRECTORY, "containerd", "installed.json");
const DROP_IN = "headroom.toml";
const WRAPPER_SOURCE = new URL("../runtime-wrapper/headroom-runc.sh", import.meta.url);

/** Whether containerd, as it runs, knows the runtime handler. */
export interface HandlerStatus {
  installed: boolean;
  /** Why not, and what to do. */
  message?: string;
  /** Version of the containerd that runs. */
  containerd?: string;
}

/** The one file that was changed. `before` is its former content in base64; null: there was no such file. */
const installedSchema = z.object({ path: z.string(), before: z.string().nullable(), after: z.string() });
type Installed = z.infer<typeof installedSchema>;

interface Edit {
  path: string;
  before: string | undefined;
  after: string;
}

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

/** What containerd makes of its files, and whether it has been started since they were written. */
export async function handlerStatus(host: Host): Promise<HandlerStatus> {
  const daemon = findDaemon();
  if (!daemon) return { installed: false, message: "no containerd runs on this node" };
  const text = await versionText(host, daemon);
  const containerd = /\bv?(\d+\.\d+\.\d+\S*)/.exec(text)?.[1] ?? "unknown";
  const old = tooOld(text);
  if (old !== undefined) return { installed: false, message: old, containerd };
  const dump = await dumpConfig(host, daemon);
  if (!hasHandler(dump, WRAPPER)) return { installed: false, message: advice(dump, daemon), containerd };
  const path = readInstalled(host)?.path ?? daemon.config;
  const changedAtMs = existsSync(host.path(path)) ? statSync(host.path(path)).mtimeMs : 0;
  if (daemon.startedAtMs + 1_000 > changedAtMs) return { installed: true, containerd };
  return { installed: false, message: `containerd has not been restarted since ${path} was changed`, containerd };
}

function advice(dump: string, daemon: Daemon): string {
  const tables = handlerTables(dump, versionOf(dump) === 3 ? 3 : 2, WRAPPER);
  return `containerd's configuration lacks the runtime handler; add to ${daemon.config} and restart containerd:\n${tables}`;
}

/** Adds the handler and restarts containerd, unless it is there. Rejects, with everything as it was, when that can't be done. */
export async function installHandler(host: Host, say: (message: string) => void): Promise<void> {
  const daemon = findDaemon();
  if (!daemon) throw new Error("no containerd runs on this node");
  const before = await dumpConfig(host, daemon);
  if (hasHandler(before, WRAPPER)) {
    if (!(await handlerStatus(host)).installed) await restartDaemon(host, daemon);
    return;
  }
  const edit = await firstGoodEdit(host, daemon, before);
  if (!edit) throw new Error(`the handler cannot be added without changing other settings. ${advice(before, daemon)}`);
  rememberInstalled(host, edit);
  say(`runtime handler added to ${edit.path}; containerd is restarted`);
  try {
    await restartDaemon(host, daemon);
  } catch (error) {
    undo(host, edit);
    rmSync(host.path(INSTALLED), { force: true });
    await restartDaemon(host, findDaemon() ?? daemon);
    throw error;
  }
}

/** The first edit that stands containerd's own reading; it is in place then. */
async function firstGoodEdit(host: Host, daemon: Daemon, before: string): Promise<Edit | undefined> {
  for (const edit of possibleEdits(host, daemon, before)) {
    apply(host, edit);
    const after = await dumpConfig(host, daemon).catch(() => "");
    if (hasHandler(after, WRAPPER) && onlyAddsHandler(before, after)) return edit;
    undo(host, edit);
  }
  return undefined;
}

/**
 * A file of our own where the configuration imports a folder; else a block at the end of the file, or of one it imports. Each
 * with the handler alone, or with the runtimes that containerd has built in beside it.
 */
function possibleEdits(host: Host, daemon: Daemon, dump: string): Edit[] {
  const main = readIfThere(host.path(daemon.config));
  const version = versionNumber(versionOf(main ?? dump));
  if (version === undefined) return [];
  const head = `version = ${version}\n`;
  const folders = importedFolders(daemon, main ?? "").filter((folder) => existsSync(host.path(folder)));
  const imported = folders.flatMap((folder) => entriesOf(host.path(folder)).map((name) => join(folder, name)));
  const files = [
    ...folders.map((folder) => join(folder, DROP_IN)),
    daemon.config,
    ...imported.filter((path) => path.endsWith(".toml")),
  ];
  return files.flatMap((path) => editsOf(path, readIfThere(host.path(path)), dump, head));
}

function importedFolders(daemon: Daemon, text: string): string[] {
  const patterns = importsOf(text).map((pattern) => resolve(dirname(daemon.config), pattern));
  return patterns.filter((pattern) => basename(pattern) === "*.toml").map((pattern) => dirname(pattern));
}

function editsOf(path: string, before: string | undefined, dump: string, head: string): Edit[] {
  const version = versionNumber(versionOf(before ?? head));
  if (version === undefined) return [];
  const handler = handlerTables(dump, version, WRAPPER);
  return [handler, `${runtimeTables(dump, version)}${handler}`].map((tables) => ({
    path,
    before,
    after: withBlock(before ?? head, tables),
  }));
}

function versionNumber(version: number): ConfigVersion | undefined {
  return version === 2 || version === 3 ? version : undefined;
}

function apply(host: Host, edit: Edit): void {
  mkdirSync(dirname(host.path(edit.path)), { recursive: true });
  replaceFile(host.path(edit.path), edit.after);
}

function undo(host: Host, edit: Edit): void {
  if (edit.before === undefined) rmSync(host.path(edit.path), { force: true });
  else replaceFile(host.path(edit.path), edit.before);
}

/** Keeps the file's mode, and never leaves half of it. */
function replaceFile(path: string, content: string): void {
  const mode = existsSync(path) ? statSync(path).mode & 0o7777 : 0o644;
  writeFileSync(`${path}.headroom`, content, { mode });
  chmodSync(`${path}.headroom`, mode);
  renameSync(`${path}.headroom`, path);
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
    const daemon = findDaemon();
    if (daemon) await restartDaemon(host, daemon);
  }
  rmSync(host.path(dirname(INSTALLED)), { recursive: true, force: true });
}
