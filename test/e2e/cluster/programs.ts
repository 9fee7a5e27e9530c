/**
 * What the cluster is made of, built by the recipes in ./build from package registries and kept in a cache outside of the
 * repository, under the hash of the recipe's content: a changed recipe is built anew, an unchanged one never again.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "./command.ts";
import type { Settings } from "./settings.ts";

const BUILD_FOLDER = new URL("./build/", import.meta.url).pathname;
const BUILD_LIMIT_SECONDS = 45 * 60;

/** A recipe is called as `recipe OUT_DIR`; its other inputs (relative to ./build, or absolute) are part of the hash. */
export interface Recipe {
  name: string;
  script: string;
  inputs?: readonly string[];
  /** Handed to the script after OUT_DIR; part of the hash as well. */
  args?: readonly string[];
}

const RECIPES = {
  kubernetes: { name: "kubernetes", script: "kubernetes.sh", inputs: ["kubernetes.go"] },
  influxdb: { name: "influxdb", script: "influxdb.sh" },
  telegraf: { name: "telegraf", script: "telegraf.sh" },
  tools: { name: "tools", script: "tools.sh" },
  nodeRoot: { name: "node-root", script: "node-root.sh" },
  newerRuntime: { name: "newer-runtime", script: "newer-runtime.sh", inputs: ["forky.sh"] },
} satisfies Record<string, Recipe>;

/** Folders with the results. */
export type Programs = Record<keyof typeof RECIPES, string>;

export async function programs(settings: Settings, say: (line: string) => void): Promise<Programs> {
  const nodeRoot = await build(settings, RECIPES.nodeRoot, say);
  return {
    tools: await build(settings, RECIPES.tools, say),
    nodeRoot,
    newerRuntime: await build(settings, { ...RECIPES.newerRuntime, args: [join(nodeRoot, "root")] }, say),
    kubernetes: await build(settings, { ...RECIPES.kubernetes, args: [settings.kubernetesVersion] }, say),
    telegraf: await build(settings, RECIPES.telegraf, say),
    influxdb: await build(settings, RECIPES.influxdb, say),
  };
}

/** The folder that holds the recipe's result, built when it is not there. Two runs at once build it once. */
export async function build(settings: Settings, recipe: Recipe, say: (line: string) => void): Promise<string> {
  const out = join(settings.cacheFolder, `${recipe.name}-${await hashOf(recipe)}`);
  if (existsSync(out)) return out;
  await mkdir(settings.cacheFolder, { recursive: true });
  say(`building ${recipe.name} (log: ${out}.log)`);
  const script = join(BUILD_FOLDER, recipe.script);
  // The lock makes a second run wait for the first.
  await run("flock", [`${out}.lock`, join(BUILD_FOLDER, "once.sh"), out, script, ...(recipe.args ?? [])], {
    timeoutSeconds: BUILD_LIMIT_SECONDS,
  }).catch((error) => {
    throw new Error(`${recipe.name} could not be built, see ${out}.log`, { cause: error });
  });
  return out;
}

async function hashOf(recipe: Recipe): Promise<string> {
  const hash = createHash("sha256");
  for (const file of [recipe.script, ...(recipe.inputs ?? [])])
    hash.update(await readFile(resolve(BUILD_FOLDER, file)));
  for (const arg of recipe.args ?? []) hash.update(`\0${arg}`);
  return hash.digest("hex").slice(0, 16);
}
