/**
 * The controller's and the agent's image, put together from the last two stages of the repository's Dockerfile without a container engine. What
 * their base image would bring, a slim Debian with Node, comes from Debian's packages and from the `node` npm package.
 */
import { cp, mkdir, mkdtemp, readFile, realpath, rm, stat, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./command.ts";
import { type CopyInstruction, type Stage, stageOf } from "./dockerfile.ts";
import { type ImageConfig, writeImage, writeLayer } from "./oci.ts";
import { build } from "./programs.ts";
import type { Settings } from "./settings.ts";

const REPOSITORY = new URL("../../../", import.meta.url).pathname.replace(/\/$/, "");
export const OPERATOR_REPOSITORY = "headroom.test/headroom";
export const AGENT_REPOSITORY = "headroom.test/headroom-agent";
export const OPERATOR_TAG = "e2e";
const NODE_BASE = /^node:24(-trixie)?-slim$/;
const NODE_BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Say = (line: string) => void;

/** Files that a test adds on top of the product, by their path in the image. */
export type ExtraFiles = Record<string, string>;

/** Stages of the Dockerfile, and the images that are made of them. */
const IMAGES = { controller: OPERATOR_REPOSITORY, agent: AGENT_REPOSITORY } as const;

/** Builds the images and answers the paths of their tars, which outlive the cluster. */
export async function buildOperatorImages(settings: Settings, say: Say, extra: ExtraFiles = {}): Promise<string[]> {
  const dockerfile = await readFile(join(REPOSITORY, "Dockerfile"), "utf8");
  const base = await build(settings, { name: "image-base", script: "image-base.sh" }, say);
  const folder = join(settings.folder, "images");
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, "operator."));
  try {
    const sources = { ...(await buildStage(settings, work, say)), criu: await criuStage(settings, say) };
    const below = [join(base, "layer.tar"), await nodeLayer(work)];
    const images: string[] = [];
    for (const [name, repository] of Object.entries(IMAGES)) {
      const stage = stageOf(dockerfile, name);
      if (!NODE_BASE.test(stage.base)) throw new Error(`the base of stage ${name} is not understood: ${stage.base}`);
      const layers = [...below, await productLayer(stage, sources, join(work, name), extra)];
      const image = `${settings.folder}-${name}.tar`;
      await writeImage(`${repository}:${OPERATOR_TAG}`, layers, configOf(stage), image);
      images.push(image);
    }
    return images;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function configOf(stage: Stage): ImageConfig {
  const env = { PATH: NODE_BASE_PATH, ...stage.env };
  return {
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: stage.workingDirectory,
    Labels: stage.labels,
    ExposedPorts: Object.fromEntries(stage.ports.map((port) => [port.includes("/") ? port : `${port}/tcp`, {}])),
    ...(stage.user ? { User: stage.user } : {}),
    ...(stage.entrypoint ? { Entrypoint: stage.entrypoint } : {}),
    ...(stage.command ? { Cmd: stage.command } : {}),
  };
}

async function nodeLayer(work: string): Promise<string> {
  const root = join(work, "node");
  await mkdir(join(root, "usr/local/bin"), { recursive: true });
  await cp(await realpath(join(REPOSITORY, "node_modules/node/bin/node")), join(root, "usr/local/bin/node"));
  const layer = join(work, "node.tar");
  await writeLayer(root, layer);
  return layer;
}

async function productLayer(stage: Stage, sources: Sources, root: string, extra: ExtraFiles): Promise<string> {
  await mkdir(root);
  for (const instruction of stage.copies) await copy(instruction, sources, root);
  for (const [path, file] of Object.entries(extra)) await cp(file, join(root, path));
  const layer = `${root}.tar`;
  await writeLayer(root, layer);
  return layer;
}

/** Folders with what the Dockerfile's stages make: `build` has it in /src and /agent, `criu` in its root folder. */
interface Sources {
  src: string;
  agent: string;
  criu: string;
}

/** Holds the folder `criu`: CRIU's tree. */
export function criuStage(settings: Settings, say: Say): Promise<string> {
  const inputs = ["forky.sh", join(REPOSITORY, "scripts/criu-tree.sh")];
  return build(settings, { name: "criu-tree", script: "criu-tree.sh", inputs }, say);
}

/** What the Dockerfile's stage `build` has in these folders at its end. */
async function buildStage(settings: Settings, work: string, say: Say): Promise<Pick<Sources, "src" | "agent">> {
  const dependencies = await build(
    settings,
    {
      name: "operator-dependencies",
      script: "operator-dependencies.sh",
      inputs: [join(REPOSITORY, "package.json"), join(REPOSITORY, "package-lock.json")],
    },
    say,
  );
  const [folder, agent] = [join(work, "src"), join(work, "agent-files")];
  await mkdir(folder);
  const kept = ["src", "scripts", "crds", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
  for (const name of kept) await cp(join(REPOSITORY, name), join(folder, name), { recursive: true });
  await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  await run("npm", ["run", "--silent", "build"], { cwd: folder, timeoutSeconds: 300 });
  const traced = ["scripts/image-files.js", "scripts/headroom-agent.js", agent];
  await run(process.execPath, traced, { cwd: folder, timeoutSeconds: 120 });
  await rm(join(folder, "node_modules"));
  await symlink(join(dependencies, "node_modules"), join(folder, "node_modules"));
  return { src: folder, agent };
}

async function copy(instruction: CopyInstruction, sources: Sources, root: string): Promise<void> {
  for (const source of instruction.sources) {
    const from = sourcePath(instruction, source, sources);
    const folder = (await stat(from)).isDirectory();
    const intoFolder = instruction.target.endsWith("/") || instruction.sources.length > 1;
    const target = join(root, instruction.target, !folder && intoFolder ? basename(source) : "");
    await mkdir(join(target, ".."), { recursive: true });
    await cp(await realpath(from), target, { recursive: true, verbatimSymlinks: true });
  }
}

function sourcePath(instruction: CopyInstruction, source: string, sources: Sources): string {
  if (instruction.from === undefined) return join(REPOSITORY, source);
  if (instruction.from === "criu" && source.startsWith("/")) return join(sources.criu, source);
  if (instruction.from === "build" && source.startsWith("/src/")) {
    return join(sources.src, source.slice("/src/".length));
  }
  if (instruction.from === "build" && source === "/agent") return sources.agent;
  throw new Error(`COPY --from=${instruction.from} ${source} is not understood`);
}
