// Puts together what an image runs: FOLDER gets the files that a program loads, and the packages that they import, and no others.
//   node scripts/image-files.js PROGRAM FOLDER
import { cpSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFileTrace } from "@vercel/nft";

const [program, folder] = process.argv.slice(2);
if (program === undefined || folder === undefined) throw new Error("usage: node scripts/image-files.js PROGRAM FOLDER");

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = realpathSync(join(root, "node_modules"));
const { fileList } = await nodeFileTrace([resolve(root, program)], {
  base: "/",
  // Scripts beside the code, by `new URL(…)`; never what a path computed for a node's file system could mean here.
  analysis: { emitGlobs: false },
  ignore: (path) => ![root, `${modules}/`].some((folder) => join("/", path).startsWith(folder)),
});

for (const path of fileList) {
  const file = join("/", path);
  if (statSync(file).isDirectory()) continue; // a link to the modules
  // The modules may be a link to another place.
  const within = file.startsWith(`${modules}/`) ? join("node_modules", relative(modules, file)) : relative(root, file);
  const copy = join(folder, within);
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(realpathSync(file), copy);
}
