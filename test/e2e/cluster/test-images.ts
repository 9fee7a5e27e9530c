/** The images that the tests bring along: the pause container and the workload. */
import { appendFile, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";
import type { Machine } from "./machine.ts";
import { PAUSE_IMAGE } from "./node-services.ts";
import { type ImageConfig, writeImage, writeLayer } from "./oci.ts";
import { build, type Programs } from "./programs.ts";
import type { Settings } from "./settings.ts";
import { patient } from "./wait.ts";

/** The program of ./images/workload.c as entry point, beside a busybox shell. */
export const WORKLOAD_IMAGE = "headroom.test/workload:1";

const COMMANDS = [
  "sh",
  "cat",
  "ls",
  "sleep",
  "echo",
  "nc",
  "wget",
  "ps",
  "dd",
  "kill",
  "wc",
  "tail",
  "head",
  "ln",
  "rm",
];

const RECIPE = {
  name: "test-images",
  script: "test-images.sh",
  inputs: ["pause.c", "workload.c", "opened.c", "opened.h"].map((name) => `../images/${name}`),
};

export interface TestImages {
  pause: string;
  workload: string;
}

export async function buildTestImages(
  settings: Settings,
  programs: Programs,
  say: (line: string) => void,
): Promise<TestImages> {
  const binaries = await build(settings, RECIPE, say);
  const folder = join(settings.folder, "images");
  await mkdir(folder, { recursive: true });
  const images = { pause: join(folder, "pause.tar"), workload: join(folder, "workload.tar") };
  await pack(PAUSE_IMAGE, { Entrypoint: ["/pause"] }, images.pause, (root) =>
    copyFile(join(binaries, "pause"), join(root, "pause")),
  );
  await packWorkload(binaries, programs, images.workload);
  return images;
}

/** The workload's image under the same name with another content, as when a tag is pushed again. */
export async function buildChangedImage(settings: Settings, programs: Programs): Promise<string> {
  const binaries = await build(settings, RECIPE, () => undefined);
  const file = join(settings.folder, "images/workload-changed.tar");
  await packWorkload(binaries, programs, file, "changed");
  return file;
}

/** `tail` is appended to the program: another file of the same behaviour. */
async function packWorkload(binaries: string, programs: Programs, file: string, tail = ""): Promise<void> {
  const config = { Entrypoint: ["/bin/workload"], Env: ["PATH=/bin"] };
  await pack(WORKLOAD_IMAGE, config, file, async (root) => {
    for (const folder of ["bin", "tmp", "proc", "sys", "dev", "etc", "data"]) await mkdir(join(root, folder));
    await copyFile(join(binaries, "workload"), join(root, "bin/workload"));
    await appendFile(join(root, "bin/workload"), tail);
    await copyFile(join(programs.nodeRoot, "root/bin/busybox"), join(root, "bin/busybox"));
    for (const command of COMMANDS) await symlink("busybox", join(root, "bin", command));
    await writeFile(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n");
  });
}

async function pack(
  name: string,
  config: ImageConfig,
  file: string,
  fill: (root: string) => Promise<unknown>,
): Promise<void> {
  const root = await mkdtemp(`${file}.`);
  try {
    await fill(root);
    await writeLayer(root, `${file}.layer`);
    await writeImage(name, [`${file}.layer`], config, file);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${file}.layer`, { force: true });
  }
}

/** Brings image files into a node's containerd, as a pull would. */
export async function importImages(machine: Machine, files: readonly string[]): Promise<void> {
  const [program, args] = machine.entering(["ctr", "-n", "k8s.io", "images", "import", "-"]);
  const fromFile = 'file=$1; shift; exec "$@" < "$file"';
  for (const file of files) {
    await run("/bin/sh", ["-c", fromFile, "sh", file, program, ...args], { timeoutSeconds: patient(180) });
  }
}
