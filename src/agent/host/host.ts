/**
 * The way from the agent to its node: files of the host through its root directory, programs in its namespaces.
 * In a pod that is /proc/1/root and nsenter into process 1 (the pod has hostPID); on the node itself there is no way to go.
 */
import { spawn } from "node:child_process";
import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { isMissing } from "./files.ts";

const HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** What containerd's shim runs, and where the two keep what of Kubernetes' containers (host paths). */
export interface RuntimePaths {
  /** Holds a container's bundle under its id. */
  bundles: string;
  /** A path, or a name in the PATH. */
  runc: string;
  /** Holds runc's state of a container under its id. */
  runcRoot: string;
}

export const USUAL_RUNTIME: RuntimePaths = {
  bundles: "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
  runc: "runc",
  runcRoot: "/run/containerd/runc/k8s.io",
};

export interface Host {
  /** Where the agent finds the host's `path`, with the symbolic links in it followed as the host would. */
  path(path: string): string;
  /** The command line that runs `argv` on the host; with "own" it is a program of the agent's image, which may join the host's groups. */
  command(argv: readonly string[], files?: "own"): { file: string; args: string[] };
  /** Environment of programs on the host. */
  environment(extra?: Record<string, string>): NodeJS.ProcessEnv;
  /** As read from the running containerd; absent: as usual. */
  readonly runtime?: RuntimePaths;
  /** The layouts (../containerd/layout.ts) that may be edited here though they were never tried. */
  readonly optedIn?: readonly string[];
}

export const runtimeOf = (host: Host): RuntimePaths => host.runtime ?? USUAL_RUNTIME;

/** The agent in a privileged hostPID pod. */
export function hostOfProcessOne(): Host {
  return {
    path: (path) => under("/proc/1/root", path),
    command: (argv, files) => {
      const others = files === "own" ? [] : ["-m", "-u", "-n", "-i"];
      return { file: "nsenter", args: ["-t", "1", ...others, "-C", "--", ...argv] };
    },
    environment,
  };
}

/** What the kernel makes up: there are no absolute links of a disk's, and what looks like a link of a process leads elsewhere. */
const MADE_UP = /^\/(proc|sys)(\/|$)/;
/** As many as the kernel follows. */
const MOST_LINKS = 40;

/**
 * Where a process finds the file that one with the root directory `root` calls `path`. Symbolic links are followed, the last one too, and absolute
 * ones lead to below `root`, where the kernel would take them from the process's own root. What isn't there stays as it is written.
 */
export function under(root: string, path: string): string {
  if (MADE_UP.test(path)) return join(root, path);
  let left = path.split("/");
  let at = "/";
  for (let links = 0; left.length > 0; ) {
    const [name = "", ...others] = left;
    const next = join(at, name);
    const target = name === "" || name === "." || name === ".." ? undefined : linkAt(join(root, next));
    if (target !== undefined && ++links > MOST_LINKS) throw new Error(`${path} has too many symbolic links`);
    if (target?.startsWith("/")) at = "/";
    if (target === undefined) at = next;
    left = target === undefined ? others : [...target.split("/"), ...others];
  }
  return join(root, at);
}

function linkAt(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The agent as a process of the host. */
export function thisHost(): Host {
  return {
    path: (path) => path,
    command: ([file = "true", ...args]) => ({ file, args }),
    environment,
  };
}

function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { PATH: HOST_PATH, LANG: "C.UTF-8", ...extra };
}

/** The same host, whose programs find those of a folder (host path) first. */
export function withPrograms(host: Host, folder: string): Host {
  return {
    ...host,
    environment: (extra = {}) => {
      const environment = host.environment(extra);
      return { ...environment, PATH: `${folder}:${environment.PATH}` };
    },
  };
}

/** Runs a program on the host to its end. Rejects only when it cannot be started. */
export async function runOnHost(
  host: Host,
  argv: readonly string[],
  options: { env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Outcome> {
  const { file, args } = host.command(argv);
  const child = spawn(file, args, {
    env: host.environment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 137));
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** As runOnHost; a failure becomes an Error with what the program said. */
export async function mustRun(host: Host, argv: readonly string[]): Promise<string> {
  const outcome = await runOnHost(host, argv);
  if (outcome.code === 0) return outcome.stdout;
  throw new Error(`${argv.join(" ")}: ${outcome.stderr.trim() || `exit code ${outcome.code}`}`);
}
