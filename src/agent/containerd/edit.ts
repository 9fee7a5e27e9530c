/**
 * The change of a file that adds the runtime handler. Every one is shown to containerd's own `config dump` first: it is made only when it adds
 * the handler and changes nothing else.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { entriesOf, readIfThere } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import {
  type ConfigVersion,
  handlerTables,
  hasHandler,
  importsOf,
  onlyAddsHandler,
  runtimeTables,
  versionOf,
  withBlock,
} from "./config-text.ts";
import type { Layout } from "./layout.ts";

const DROP_IN = "headroom.toml";
/** What a template of k3s' and RKE2's that changes nothing consists of. */
const BASE_TEMPLATE = '{{ template "base" . }}\n';

/** Host paths. */
export interface Edit {
  path: string;
  /** Undefined: there was no such file. */
  before: string | undefined;
  after: string;
  /** What the configuration will be, where that isn't what containerd reads now. */
  outcome?: string;
}

export interface Editing {
  host: Host;
  layout: Layout;
  /** The program of the handler. */
  binary: string;
  /** What containerd makes of its configuration as it is. */
  dump: string;
  /** What it makes of a configuration file (host path); rejects when it can't read it. */
  read: (config: string) => Promise<string>;
}

/** The first edit that stands containerd's own reading; it is in place then. Undefined: none does, and all is as it was. */
export async function makeEdit(editing: Editing): Promise<Edit | undefined> {
  const { host } = editing;
  for (const edit of possibleEdits(editing)) {
    if (edit.outcome !== undefined) {
      if (!(await isGood(editing, edit.outcome))) continue;
      apply(host, edit);
      return edit;
    }
    apply(host, edit);
    if (await isGood(editing)) return edit;
    undo(host, edit);
  }
  return undefined;
}

/** @param text stands in for the configuration; absent: as it is on the disk. */
async function isGood({ host, layout, binary, dump, read }: Editing, text?: string): Promise<boolean> {
  const config = text === undefined ? layout.config : `${layout.config}.headroom`;
  try {
    if (text !== undefined) writeFileSync(host.path(config), text, { mode: 0o600 });
    const after = await read(config).catch(() => "");
    return hasHandler(after, binary) && onlyAddsHandler(dump, after);
  } finally {
    if (text !== undefined) rmSync(host.path(config), { force: true });
  }
}

/**
 * A file of our own where the configuration imports a folder; else a block at the end of the file, or of one it imports, or of the template that
 * it is made from. Each with the handler alone, or with the runtimes that containerd has built in beside it.
 */
function possibleEdits({ host, layout, binary, dump }: Editing): Edit[] {
  const { config, edit: way } = layout;
  if ("refused" in way) return [];
  const main = readIfThere(host.path(config));
  const version = versionNumber(versionOf(main ?? dump));
  if (version === undefined) return [];
  const head = `version = ${version}\n`;
  const folders = importedFolders(config, main ?? "").filter((folder) => existsSync(host.path(folder)));
  const edits = (path: string) => editsOf(path, readIfThere(host.path(path)), head, dump, binary);
  const dropIns = folders.flatMap((folder) => edits(join(folder, DROP_IN)));
  if (way.into === "template") return [...dropIns, ...templateEdits(host, way.path, main ?? head, dump, binary)];
  const imported = folders.flatMap((folder) => entriesOf(host.path(folder)).map((name) => join(folder, name)));
  return [...dropIns, ...edits(config), ...imported.filter((path) => path.endsWith(".toml")).flatMap(edits)];
}

function importedFolders(config: string, text: string): string[] {
  const patterns = importsOf(text).map((pattern) => resolve(dirname(config), pattern));
  return patterns.filter((pattern) => basename(pattern) === "*.toml").map((pattern) => dirname(pattern));
}

function editsOf(path: string, before: string | undefined, head: string, dump: string, binary: string): Edit[] {
  const version = versionNumber(versionOf(before ?? head));
  if (version === undefined) return [];
  return tablesFor(dump, version, binary).map((tables) => ({ path, before, after: withBlock(before ?? head, tables) }));
}

/** @param config the configuration that the template has been made into. */
function templateEdits(host: Host, path: string, config: string, dump: string, binary: string): Edit[] {
  const before = readIfThere(host.path(path));
  const version = versionNumber(versionOf(config));
  if (version === undefined) return [];
  return tablesFor(dump, version, binary).map((tables) => ({
    path,
    before,
    after: withBlock(before ?? BASE_TEMPLATE, tables),
    outcome: withBlock(config, tables),
  }));
}

function tablesFor(dump: string, version: ConfigVersion, binary: string): string[] {
  const handler = handlerTables(dump, version, binary);
  return [handler, `${runtimeTables(dump, version)}${handler}`];
}

function versionNumber(version: number): ConfigVersion | undefined {
  return version === 2 || version === 3 ? version : undefined;
}

function apply(host: Host, edit: Edit): void {
  mkdirSync(dirname(host.path(edit.path)), { recursive: true });
  replaceFile(host.path(edit.path), edit.after);
}

/** As it was, byte for byte. */
export function undo(host: Host, edit: Edit): void {
  if (edit.before === undefined) rmSync(host.path(edit.path), { force: true });
  else replaceFile(host.path(edit.path), edit.before);
}

/** Keeps the file's mode, and never leaves half of it. */
export function replaceFile(path: string, content: string): void {
  const mode = existsSync(path) ? statSync(path).mode & 0o7777 : 0o644;
  writeFileSync(`${path}.headroom`, content, { mode });
  chmodSync(`${path}.headroom`, mode);
  renameSync(`${path}.headroom`, path);
}
