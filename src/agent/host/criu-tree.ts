/**
 * CRIU with its own loader and C library (scripts/criu-tree.sh), laid from the agent's image into a folder on the node. Each version has a folder
 * of its own, named by its content: an agent of a new version leaves the old one as it is while a move needs it.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../move-records.ts";
import { entriesOf, readIfThere } from "./files.ts";
import { type Host, runOnHost } from "./host.ts";
import { RUN_DIRECTORY, STATE_DIRECTORY, TARGET_MOVES_DIRECTORY, targetMoveOf } from "./layout.ts";

/** Where the agent's image has it. */
export const BUNDLED_TREE = "/opt/headroom/criu";
/** In the order in which they are tried: a file system may be mounted noexec, or read-only. */
export const TREE_FOLDERS = [join(STATE_DIRECTORY, "criu"), join(RUN_DIRECTORY, "criu"), "/opt/headroom/criu"];
/** Names, one a line, the folders that agents were told to use instead. */
const CHOSEN_FOLDERS = join(STATE_DIRECTORY, "criu-folders");
const ID = /^[0-9a-f]{16}$/;

export interface TreeChoice {
  /** As the agent sees it: its image's, usually BUNDLED_TREE. */
  source: string;
  /** Undefined: the first of TREE_FOLDERS that works. */
  folder: string | undefined;
}

/**
 * Lays the tree, unless it is there, and resolves with the folder (host path) that holds `criu` and nothing else. Rejects, with the reason for
 * each folder that was tried, when its programs can be started from none.
 */
export async function layTree(host: Host, { source, folder }: TreeChoice): Promise<string> {
  const id = readFileSync(join(source, "id"), "utf8").trim();
  if (!ID.test(id)) throw new Error(`${join(source, "id")} does not name a version: ${id}`);
  if (folder !== undefined) noteFolder(host, folder);
  const failures: string[] = [];
  for (const parent of folder === undefined ? TREE_FOLDERS : [folder]) {
    try {
      const bin = join(parent, id, "bin");
      if (!(await starts(host, bin))) {
        lay(host, source, join(parent, id));
        await mustStart(host, bin);
      }
      removeUnusedTrees(host, bin);
      return bin;
    } catch (error) {
      removeTree(host, join(parent, id));
      failures.push(`${parent}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`CRIU cannot be laid on this node: ${failures.join("; ")}`);
}

/** Whole or not at all: the rename comes last. */
function lay(host: Host, source: string, target: string): void {
  const part = host.path(`${target}.new`);
  for (const path of [part, host.path(target)]) rmSync(path, { recursive: true, force: true });
  cpSync(source, part, { recursive: true, verbatimSymlinks: true });
  renameSync(part, host.path(target));
}

async function starts(host: Host, bin: string): Promise<boolean> {
  if (!existsSync(host.path(join(bin, "criu")))) return false;
  return (await runOnHost(host, [join(bin, "criu"), "--version"])).code === 0;
}

async function mustStart(host: Host, bin: string): Promise<void> {
  const { code, stderr } = await runOnHost(host, [join(bin, "criu"), "--version"]);
  if (code !== 0) throw new Error(stderr.trim() || `criu --version ended with ${code}`);
}

/** Says which `criu` a move's restore takes; the runtime wrapper reads it. */
export function noteTree(host: Host, moveUID: string, bin: string | undefined): void {
  const file = host.path(targetMoveOf(moveUID).criu);
  if (bin === undefined) rmSync(file, { force: true });
  else writeDurably(file, `${bin}\n`);
}

/** Removes other versions' trees, but for those that run or that a move is to be restored with. */
export function removeUnusedTrees(host: Host, keep: string): void {
  const moves = entriesOf(host.path(TARGET_MOVES_DIRECTORY));
  const needed = [keep, ...moves.map((moveUID) => readIfThere(host.path(targetMoveOf(moveUID).criu))?.trim())];
  for (const tree of treesOn(host)) {
    if (!needed.includes(join(tree, "bin")) && !isRunning(tree)) removeTree(host, tree);
  }
}

/** Takes all trees off the node. */
export function removeTrees(host: Host): void {
  for (const tree of treesOn(host)) removeTree(host, tree);
  for (const folder of [...foldersOn(host), "/opt/headroom"]) removeIfEmpty(host.path(folder));
  rmSync(host.path(CHOSEN_FOLDERS), { force: true });
}

/** Whole ones, and what an agent that died has left of one. */
function treesOn(host: Host): string[] {
  return foldersOn(host).flatMap((parent) => {
    const names = entriesOf(host.path(parent)).filter((name) => ID.test(name.replace(/\.new$/, "")));
    return names.map((name) => join(parent, name));
  });
}

function removeTree(host: Host, tree: string): void {
  rmSync(host.path(tree), { recursive: true, force: true });
}

const foldersOn = (host: Host): string[] => [...TREE_FOLDERS, ...chosenFolders(host)];

function chosenFolders(host: Host): string[] {
  return (readIfThere(host.path(CHOSEN_FOLDERS)) ?? "").split("\n").filter(Boolean);
}

function noteFolder(host: Host, folder: string): void {
  const known = chosenFolders(host);
  if (known.includes(folder)) return;
  mkdirSync(host.path(STATE_DIRECTORY), { recursive: true });
  writeDurably(host.path(CHOSEN_FOLDERS), [...known, folder, ""].join("\n"));
}

/** By the arguments of the loader, which is what runs. */
function isRunning(tree: string): boolean {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.some((pid) => (readIfThere(`/proc/${pid}/cmdline`) ?? "").includes(`${tree}/`));
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
