/** What `containerd config dump` prints, as far as Headroom reads it: for tests without a containerd. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { importsOf, tablesOf, versionOf } from "../../../src/agent/containerd/config-text.ts";
import type { Host } from "../../../src/agent/host/host.ts";

const CRI = { 2: 'plugins."io.containerd.grpc.v1.cri"', 3: 'plugins."io.containerd.cri.v1.runtime"' } as const;

/**
 * containerd 1 prints version 2, containerd 2 version 3. Throws what containerd refuses: a table that is there twice, a file of version 3 in
 * containerd 1. Its built-in runtime is there only while no file names a runtime.
 */
export function dumpOf(host: Host, config: string, major: 1 | 2): string {
  const tables = new Map<string, string[]>();
  for (const text of [config, ...importedBy(host, config)].map((path) => textOf(host, path))) {
    refuse(text, major);
    for (const [name, lines] of tablesOf(text)) merge(tables, asOf(name, versionOf(text), major), lines);
  }
  const cri = CRI[major === 1 ? 2 : 3];
  if (![...tables.keys()].some((name) => name.startsWith(`${cri}.containerd.runtimes.`))) {
    merge(tables, `${cri}.containerd.runtimes.runc`, ['runtime_type = "io.containerd.runc.v2"']);
    merge(tables, `${cri}.containerd.runtimes.runc.options`, ["SystemdCgroup = false"]);
  }
  merge(tables, "", ['root = "/var/lib/containerd"', 'state = "/run/containerd"', "disabled_plugins = []"], "default");
  merge(tables, "grpc", ['address = "/run/containerd/containerd.sock"'], "default");
  merge(tables, `${cri}.containerd`, ['default_runtime_name = "runc"'], "default");
  merge(tables, "", [`version = ${major === 1 ? 2 : 3}`]);
  return [...tables].map(([name, lines]) => `${name && `[${name}]\n`}${lines.join("\n")}\n`).join("");
}

const textOf = (host: Host, path: string): string =>
  existsSync(host.path(path)) ? oneLined(readFileSync(host.path(path), "utf8")) : "";

/** Arrays on one line each. */
const oneLined = (text: string): string =>
  text.replaceAll(
    /^(\s*\w+\s*=\s*\[)([^\]]*)\]/gm,
    (_, head: string, items: string) => `${head}${items.replaceAll("\n", " ")}]`,
  );

function importedBy(host: Host, config: string): string[] {
  return importsOf(textOf(host, config)).flatMap((pattern) => {
    const folder = host.path(dirname(pattern));
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".toml")) : [];
    return names.map((name) => join(dirname(pattern), name));
  });
}

function refuse(text: string, major: 1 | 2): void {
  if (major === 1 && versionOf(text) === 3)
    throw new Error("expected containerd config version equal to or less than 2, got 3");
  const headers = [...text.matchAll(/^\s*\[([^[\]].*)\]\s*$/gm)].map(([, name = ""]) => name.replaceAll("'", '"'));
  const twice = headers.find((name, index) => headers.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`toml: table ${twice} already exists`);
}

function asOf(name: string, version: number, major: 1 | 2): string {
  if (version === 3 || major === 1) return name;
  return name === CRI[2] || name.startsWith(`${CRI[2]}.`) ? name.replace(CRI[2], CRI[3]) : name;
}

/** The newer value of a setting wins, unless it is a `default`. */
function merge(tables: Map<string, string[]>, name: string, lines: readonly string[], as?: "default"): void {
  const keyOf = (line: string) => line.split("=")[0]?.trim();
  const there = tables.get(name) ?? [];
  const [weak, strong] = as === "default" ? [lines, there] : [there, lines];
  const left = weak.filter((line) => !strong.some((other) => keyOf(other) === keyOf(line)));
  tables.set(name, [...left, ...strong]);
}
