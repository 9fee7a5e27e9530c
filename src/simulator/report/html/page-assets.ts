/** The page's own files, as they lie in ./page beside this one in a checkout and in a build, and the curves' library. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export interface PageAssets {
  styles: string;
  library: string;
  script: string;
}

/** In order: a module comes after those that it imports. */
export const MODULES = [
  "elements",
  "format",
  "run",
  "view",
  "theme",
  "glyphs",
  "score-table",
  "curves",
  "sweep-chart",
  "overview-painting",
  "overview",
  "node-chart",
  "event-list",
  "decision",
  "main",
] as const;

export function pageAssets(): PageAssets {
  return {
    styles: `${library("uPlot.min.css")}\n${page("page.css")}`,
    library: `/*\n${library("../LICENSE")}*/\n${library("uPlot.iife.min.js")}`,
    script: joined(MODULES.map((name) => ({ name, code: page(`${name}.js`) }))),
  };
}

const page = (file: string) => readFileSync(new URL(`./page/${file}`, import.meta.url), "utf8");

const require = createRequire(import.meta.url);
const library = (file: string) =>
  readFileSync(new URL(file, pathToFileURL(require.resolve("uplot/dist/uPlot.iife.min.js"))), "utf8");

/**
 * Modules as one script, each in a function of its own, so that they keep their private names. They import only from each other and export
 * functions and constants by declaring them; the last one exports nothing.
 */
export function joined(modules: readonly { name: string; code: string }[]): string {
  return modules
    .map(({ name, code }, index) => (index < modules.length - 1 ? enclosed(name, code) : `{\n${linked(code)}\n}`))
    .join("\n");
}

const IMPORT = /^import (\{[^}]*\}) from "\.\/([a-z-]+)\.js";$/gm;
const EXPORT = /^export ((?:const|function|async function) (\w+))/gm;

function enclosed(name: string, code: string): string {
  const exported = [...code.matchAll(EXPORT)].map(([, , declared]) => declared);
  return `const ${constant(name)} = (() => {\n${linked(code)}\nreturn { ${exported.join(", ")} };\n})();`;
}

function linked(code: string): string {
  return code
    .replace(IMPORT, (_, names: string, from: string) => `const ${names} = ${constant(from)};`)
    .replace(EXPORT, "$1");
}

const constant = (name: string) => `module_${name.replaceAll("-", "_")}`;
