/** containerd's configuration as text (TOML, versions 2 and 3): what Headroom reads out of it and adds to it. Pure. */
import { RUNTIME_CLASS } from "../../api/v1alpha1/group.ts";

const BEGIN = "# BEGIN headroom: added by `headroom agent`, removed by `headroom agent uninstall`";
const END = "# END headroom";

/** Where the CRI plugin's settings are, by the version of the configuration. */
const CRI = { 2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime" } as const;
export type ConfigVersion = keyof typeof CRI;

/** The runtime type that starts runc. */
export const RUNC_SHIM = "io.containerd.runc.v2";

/** What of the default runtime's table holds for Headroom's, too. Its options are all taken over. */
const INHERITED = new Set([
  "base_runtime_spec",
  "cgroup_writable",
  "cni_conf_dir",
  "cni_max_conf_num",
  "privileged_without_host_devices",
  "privileged_without_host_devices_all_devices_allowed",
  "runtime_type",
  "snapshotter",
]);

/** Tables by header (without brackets, double quotes), each with its non-empty lines, trimmed. "" is the top. */
export function tablesOf(text: string): Map<string, string[]> {
  const tables = new Map<string, string[]>([["", []]]);
  let current: string[] = tables.get("") ?? [];
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    const header = /^\[([^[\]].*)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      const name = header.replaceAll("'", '"');
      current = tables.get(name) ?? [];
      tables.set(name, current);
    } else if (line !== "" && !line.startsWith("#")) current.push(line);
  }
  return tables;
}

/** 1, which containerd 1 still reads and containerd 2 doesn't, unless the text says otherwise. */
export function versionOf(text: string): number {
  const line = tablesOf(text)
    .get("")
    ?.find((entry) => /^version\s*=/.test(entry));
  return Number(line?.split("=")[1] ?? 1);
}

/** The patterns of `imports`, which may span lines. */
export function importsOf(text: string): string[] {
  const top = text.split(/^\s*\[(?!\s*["'])/m)[0] ?? "";
  const list = /^\s*imports\s*=\s*\[([^\]]*)\]/m.exec(top)?.[1] ?? "";
  return [...list.matchAll(/"([^"]*)"|'([^']*)'/g)].map((match) => match[1] ?? match[2] ?? "");
}

function runtimes(version: ConfigVersion): string {
  return `plugins."${CRI[version]}".containerd.runtimes`;
}

/** The default runtime of a dump: its name, its table and the table of its options. */
function defaultRuntime(dump: string): { name: string; table: readonly string[]; options: readonly string[] } {
  const tables = tablesOf(dump);
  const own = versionOf(dump) === 3 ? 3 : 2;
  const name = settingOf(tables.get(`plugins."${CRI[own]}".containerd`) ?? [], "default_runtime_name") ?? "runc";
  const linesOf = (table: string) => tables.get(`${runtimes(own)}.${table}`) ?? [];
  return { name, table: linesOf(name), options: linesOf(`${name}.options`) };
}

export interface DefaultRuntime {
  name: string;
  type: string;
  /** As `root`, "" where containerd's shim takes its own default. */
  binary: string;
  root: string;
  cgroupDriver: "systemd" | "cgroupfs";
}

export function defaultRuntimeOf(dump: string): DefaultRuntime {
  const { name, table, options } = defaultRuntime(dump);
  return {
    name,
    type: settingOf(table, "runtime_type") ?? RUNC_SHIM,
    binary: settingOf(options, "BinaryName") ?? "",
    root: settingOf(options, "Root") ?? "",
    cgroupDriver: settingOf(options, "SystemdCgroup") === "true" ? "systemd" : "cgroupfs",
  };
}

/**
 * The handler's tables, in the notation of a file of `version`. Built like the default runtime, so that the cgroup driver and all else is
 * the same, but for the program. `dump` is what `containerd config dump` prints.
 */
export function handlerTables(dump: string, version: ConfigVersion, binary: string): string {
  const standard = defaultRuntime(dump);
  const base = standard.table.filter((line) => INHERITED.has(keyOf(line)));
  const options = standard.options.filter((line) => keyOf(line) !== "BinaryName");
  const typed = base.some((line) => keyOf(line) === "runtime_type") ? base : [`runtime_type = "${RUNC_SHIM}"`, ...base];
  return [
    `[${runtimes(version)}.${RUNTIME_CLASS}]`,
    ...typed.map((line) => `  ${line}`),
    `  [${runtimes(version)}.${RUNTIME_CLASS}.options]`,
    ...options.map((line) => `    ${line}`),
    `    BinaryName = ${JSON.stringify(binary)}`,
    "",
  ].join("\n");
}

/**
 * The tables of all runtimes that a dump holds, in the notation of a file of `version`. containerd forgets its built-in runtime
 * when a file names any runtime at all: a file that named none has to name them all once it names the handler.
 */
export function runtimeTables(dump: string, version: ConfigVersion): string {
  const own = versionOf(dump) === 3 ? 3 : 2;
  const tables = [...tablesOf(dump)].filter(([name]) => name.startsWith(`${runtimes(own)}.`));
  return tables
    .map(
      ([name, lines]) =>
        `[${name.replace(runtimes(own), runtimes(version))}]\n${lines.map((line) => `  ${line}\n`).join("")}`,
    )
    .join("");
}

/** A setting of the CRI plugin itself, as a dump holds it. */
export function criSetting(dump: string, key: string): string | undefined {
  const own = versionOf(dump) === 3 ? 3 : 2;
  return settingOf(tablesOf(dump).get(`plugins."${CRI[own]}"`) ?? [], key);
}

/** Does a dump hold the handler with this program? */
export function hasHandler(dump: string, binary: string): boolean {
  const tables = tablesOf(dump);
  return ([2, 3] as const).some((version) => {
    const options = tables.get(`${runtimes(version)}.${RUNTIME_CLASS}.options`) ?? [];
    return settingOf(options, "BinaryName") === binary;
  });
}

/** Is `after` the same configuration as `before`, but for the handler? What containerd lists as imports doesn't count. */
export function onlyAddsHandler(before: string, after: string): boolean {
  return comparable(before) === comparable(after);
}

function comparable(dump: string): string {
  const tables = [...tablesOf(dump)]
    .filter(([name]) => !([2, 3] as const).some((version) => isHandler(name, version)))
    .map(([name, lines]) => [name, lines.filter((line) => !/^imports\s*=/.test(line)).sort()] as const);
  return JSON.stringify(tables.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isHandler(name: string, version: ConfigVersion): boolean {
  const own = `${runtimes(version)}.${RUNTIME_CLASS}`;
  return name === own || name.startsWith(`${own}.`);
}

/** The text with the tables at its end, between marks. */
export function withBlock(text: string, tables: string): string {
  const gap = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${gap}${BEGIN}${gap === "" ? "" : " (no newline before)"}\n${tables}${END}\n`;
}

/** The text without what withBlock added: byte for byte what it was given. */
export function withoutBlock(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(`${END}\n`, begin);
  if (begin < 0 || end < 0) return text;
  const joined = text.startsWith(" (no newline before)", begin + BEGIN.length);
  return text.slice(0, joined ? begin - 1 : begin) + text.slice(end + END.length + 1);
}

function keyOf(line: string): string {
  return line.split("=")[0]?.trim() ?? "";
}

/** A setting among the lines of a table, without its quotes. */
export function settingOf(lines: readonly string[], key: string): string | undefined {
  const line = lines.find((entry) => keyOf(entry) === key);
  return line
    ?.slice(line.indexOf("=") + 1)
    .trim()
    .replace(/^["']|["']$/g, "");
}
