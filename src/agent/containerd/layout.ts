/**
 * Where a node's containerd and runc keep what, and whether and how the runtime handler may be added to its configuration: decided from what was
 * read, before anything is touched. What distributions do is in docs/compatibility.md. Pure.
 */
import { basename, dirname, join } from "node:path";
import { type RuntimePaths, USUAL_RUNTIME } from "../host/host.ts";
import { STATE_DIRECTORY } from "../host/layout.ts";
import { isOlder } from "../versions.ts";
import { defaultRuntimeOf, RUNC_SHIM, settingOf, tablesOf, versionOf } from "./config-text.ts";

/** Layouts that were never tried: edited only where the administrator asks for it, by their names. On servers a restart takes the API down. */
export const OPT_IN_LAYOUTS = ["k3s", "k3s-server", "rke2", "rke2-server"] as const;
export type OptInLayout = (typeof OPT_IN_LAYOUTS)[number];

const DEFAULT_CONFIG = "/etc/containerd/config.toml";
const DEFAULT_SOCKET = "/run/containerd/containerd.sock";
const DEFAULT_STATE = "/run/containerd";
/** containerd's namespace for Kubernetes. */
const NAMESPACE = "k8s.io";
/** From this containerd version on, the templates of k3s and RKE2 can include `base` (September 2023). */
const BASE_TEMPLATE_SINCE = "1.7.11";

/** A containerd that runs. Host paths. */
export interface DaemonProcess {
  argv: readonly string[];
  /** What /proc/<pid>/exe names. */
  executable: string;
  /** systemd's unit, where it has one. */
  unit: string | undefined;
}

export interface DaemonFiles {
  /** Whose containerd it is. */
  kind: "containerd" | "k3s" | "rke2" | "microk8s";
  /** What answers `config dump` and `--version`. */
  program: string;
  config: string;
  /** runc, unless the configuration names another. */
  runc: string;
}

export interface NodeFacts extends DaemonProcess {
  /** What `containerd config dump` prints. */
  dump: string;
  /** The configuration file; undefined: there is none. */
  configText: string | undefined;
  /** What `containerd --version` prints. */
  version: string;
  osRelease: string;
  /** Of process 1. */
  mountinfo: string;
}

export interface Layout {
  socket: string;
  /** The file that containerd reads. */
  config: string;
  runtime: RuntimePaths;
  /** Where an edit goes: into the configuration, or into the template that it is made from (host path). */
  edit: { into: "config" } | { into: "template"; path: string } | { refused: string };
}

/** k3s and RKE2 keep everything in their data folder; the program is in `data/<version>/bin` there. */
export function filesOfDaemon({ argv, executable, unit }: DaemonProcess): DaemonFiles {
  const given = flagOf(argv, "config", "c");
  const kind = kindOf(executable, unit);
  if (kind === "containerd" || kind === "microk8s") {
    return { kind, program: executable, config: given ?? DEFAULT_CONFIG, runc: USUAL_RUNTIME.runc };
  }
  const data = /^(.*)\/data\/[^/]+\/bin\/[^/]+$/.exec(executable)?.[1] ?? `/var/lib/rancher/${kind}`;
  return {
    kind,
    program: join(dirname(executable), "containerd"), // in k3s one program has several names
    config: given ?? join(data, "agent/etc/containerd/config.toml"),
    runc: join(data, kind === "k3s" ? "data/current/bin/runc" : "bin/runc"),
  };
}

function kindOf(executable: string, unit = ""): DaemonFiles["kind"] {
  if (unit.startsWith("snap.microk8s.") || executable.startsWith("/snap/microk8s/")) return "microk8s";
  if (/^rke2-(server|agent)\.service$/.test(unit) || executable.includes("/rke2/data/")) return "rke2";
  if (/^k3s(-agent)?\.service$/.test(unit) || executable.includes("/k3s/data/")) return "k3s";
  return "containerd";
}

/** The value of a flag on containerd's command line, in any of the forms that it takes. */
function flagOf(argv: readonly string[], ...names: string[]): string | undefined {
  for (const [index, argument] of argv.entries()) {
    const [, name, value] = /^--?([a-z-]+)(?:=(.*))?$/.exec(argument) ?? [];
    if (name !== undefined && names.includes(name)) return value ?? argv[index + 1];
  }
  return undefined;
}

/** @param optedIn the layouts that may be edited though they were never tried. */
export function layoutOf(facts: NodeFacts, optedIn: readonly string[]): Layout {
  const { argv, dump } = facts;
  const files = filesOfDaemon(facts);
  const tables = tablesOf(dump);
  const state = flagOf(argv, "state") ?? settingOf(tables.get("") ?? [], "state") ?? DEFAULT_STATE;
  const { binary, root } = defaultRuntimeOf(dump);
  return {
    socket: flagOf(argv, "address", "a") ?? settingOf(tables.get("grpc") ?? [], "address") ?? DEFAULT_SOCKET,
    config: files.config,
    runtime: {
      bundles: join(state, "io.containerd.runtime.v2.task", NAMESPACE),
      runc: isRunc(binary) && binary !== "" ? binary : files.runc,
      runcRoot: root === "" ? USUAL_RUNTIME.runcRoot : join(root, NAMESPACE),
    },
    edit: editOf(facts, files, optedIn),
  };
}

/** "" stands for runc in the PATH. */
const isRunc = (binary: string): boolean => binary === "" || basename(binary) === "runc";

function editOf(facts: NodeFacts, files: DaemonFiles, optedIn: readonly string[]): Layout["edit"] {
  for (const check of CHECKS) {
    const refused = check(facts, files);
    if (refused !== undefined) return { refused };
  }
  return files.kind === "containerd" ? { into: "config" } : templateOf(facts, files, optedIn);
}

/** k3s and RKE2 generate the configuration at every start, from a template in the same folder. */
function templateOf(facts: NodeFacts, { kind, config }: DaemonFiles, optedIn: readonly string[]): Layout["edit"] {
  const { unit, configText, dump, version } = facts;
  if (unit === undefined) return { refused: `${kind} runs without systemd: Headroom cannot restart it` };
  const isServer = unit === "k3s.service" || unit === "rke2-server.service";
  const name = OPT_IN_LAYOUTS.find((layout) => layout === (isServer ? `${kind}-server` : kind));
  if (name === undefined || !optedIn.includes(name)) {
    const price = isServer ? `, and the restart of ${unit} takes this server's API down for a moment` : "";
    return {
      refused: `this node runs ${kind} (${unit}), which Headroom was never tried with${price}. To add the runtime handler to its template and restart it, put ${name} into the chart's value agent.layouts`,
    };
  }
  if (isOlder(version, BASE_TEMPLATE_SINCE)) {
    return { refused: `this version of ${kind} is too old: its containerd must be ${BASE_TEMPLATE_SINCE}` };
  }
  const template = versionOf(configText ?? dump) === 3 ? "config-v3.toml.tmpl" : "config.toml.tmpl";
  return { into: "template", path: join(dirname(config), template) };
}

type Check = (facts: NodeFacts, files: DaemonFiles) => string | undefined;

/** Operating systems whose configuration doesn't outlive a restart, or can't be changed from a pod, by the ID in /etc/os-release. */
const SEALED_SYSTEMS: Record<string, string> = {
  bottlerocket:
    "Bottlerocket makes containerd's configuration from its own settings and runs no program that is not part of its image",
  cos: "Container-Optimized OS mounts /var noexec and recreates /etc at every boot. Use a node image with Ubuntu",
  talos:
    "Talos makes containerd's configuration from the machine configuration. Headroom would have to be a system extension",
};

const sealedSystem: Check = ({ osRelease }) => {
  const id = /^ID="?([a-z]+)"?\s*$/m.exec(osRelease)?.[1] ?? "";
  const why = SEALED_SYSTEMS[id];
  return why === undefined ? undefined : `containerd on this node cannot be given the runtime handler: ${why}`;
};

const snap: Check = (_, { kind }) =>
  kind === "microk8s"
    ? "this node runs MicroK8s, whose containerd is part of a snap: Headroom does not support it. Use a Kubernetes with a containerd of its own package"
    : undefined;

const unknownUnit: Check = ({ unit }, { kind }) =>
  unit === undefined || unit === "containerd.service" || kind !== "containerd"
    ? undefined
    : `containerd runs in the unit ${unit}, which Headroom does not know: it does not edit its configuration or restart it. It knows containerd.service, k3s and RKE2`;

const CRI_PLUGINS = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"];

/** As Docker's package of containerd comes. */
const criDisabled: Check = ({ dump }, { config }) => {
  const disabled = tablesOf(dump)
    .get("")
    ?.find((line) => /^disabled_plugins\s*=/.test(line));
  const names = [...(disabled ?? "").matchAll(/["']([^"']*)["']/g)].map(([, name]) => name ?? "");
  return names.some((name) => CRI_PLUGINS.includes(name))
    ? `Kubernetes cannot be using this containerd: ${config} disables its CRI plugin (disabled_plugins), as Docker's package does`
    : undefined;
};

const runcIsDefault: Check = ({ dump }) => {
  const { name, type, binary } = defaultRuntimeOf(dump);
  const needed = "Headroom needs runc as the default runtime; others may be there beside it, for a RuntimeClass";
  if (type !== RUNC_SHIM) return `containerd's default runtime ${name} is of the type ${type}: ${needed}`;
  return isRunc(binary)
    ? undefined
    : `containerd's default runtime ${name} starts ${binary} instead of runc: ${needed}`;
};

const configVersion: Check = ({ configText, dump }, { config }) => {
  const unknown = [configText ?? dump, dump].map(versionOf).find((version) => version !== 2 && version !== 3);
  if (unknown === undefined) return undefined;
  const mend = unknown === 1 ? ': "containerd config migrate" prints it in a newer version' : "";
  return `${config} is in version ${unknown} of containerd's configuration, and Headroom edits versions 2 and 3${mend}`;
};

const wrapperRuns: Check = ({ mountinfo }) =>
  optionsOf(mountinfo, STATE_DIRECTORY).includes("noexec")
    ? `${STATE_DIRECTORY} is on a file system that is mounted noexec: containerd could not run the runtime wrapper`
    : undefined;

const configWritable: Check = ({ mountinfo }, { config }) =>
  optionsOf(mountinfo, config).includes("ro")
    ? `${config} is on a file system that is mounted read-only: add the runtime handler where that file is made`
    : undefined;

const CHECKS: readonly Check[] = [
  sealedSystem,
  snap,
  unknownUnit,
  criDisabled,
  runcIsDefault,
  configVersion,
  wrapperRuns,
  configWritable,
];

/** The options of the file system that a path is on, the mount's and the file system's own. */
function optionsOf(mountinfo: string, path: string): string[] {
  const mounts = mountinfo.split("\n").map((line) => line.split(" "));
  const above = mounts.filter(([, , , , at = "?"]) => path === at || path.startsWith(at.replace(/\/?$/, "/")));
  const nearest = above.reduce<string[]>(
    (best, mount) => ((mount[4] ?? "").length >= (best[4] ?? "").length ? mount : best),
    [],
  );
  return [...(nearest[5] ?? "").split(","), ...(nearest.at(-1) ?? "").split(",")];
}
