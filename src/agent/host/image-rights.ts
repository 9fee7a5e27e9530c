/** Holds a move's images, before the restore, against what the pod of the container that waits for them may do. */
import { AgentError } from "../agent-error.ts";
import { type FileEntry, PROCESSES } from "../criu-images/definitions.ts";
import { encodeImage, type ImageKind, readImage, readLeading, writeImage } from "../criu-images/image-file.ts";
import { ImageError } from "../criu-images/message.ts";
import {
  coreOf,
  FILTERS,
  type Filter,
  ghostFileNamed,
  INVENTORY,
  idsOf,
  mountsOf,
  networkOf,
} from "../criu-images/process-definitions.ts";
import {
  excessOf,
  firstFilterOf,
  hasEnded,
  type ProcessImages,
  type Thread,
  withFirstFilter,
  withOomScore,
} from "../criu-images/rights.ts";
import { entriesOf } from "./files.ts";
import type { GrantedHere } from "./granted.ts";

/** The runtime's filter for a profile. */
export type FilterOf = (profile: object) => Promise<Filter>;

/**
 * Also gives each process this node's seccomp filter in place of the source's, and its place among those that the kernel ends. Throws an AgentError when
 * the images hold more than is granted, an ImageError when they are not understood.
 */
export async function holdToGranted(
  folder: string,
  files: readonly FileEntry[],
  { granted, profile }: GrantedHere,
  filterOf: FilterOf,
): Promise<void> {
  const images = processImages(folder, files);
  const excess = excessOf(images, granted);
  if (excess !== undefined)
    throw new AgentError("NotCarried", `the checkpoint holds more than this pod may have here: ${excess}`);
  for (const { tid, core } of images.threads) {
    const changed = withOomScore(core, granted);
    if (changed) writeImage(folder, coreOf(tid), encodeImage(coreOf(tid), [changed]));
  }
  if (profile === undefined) return;
  const own = await filterOf(profile).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError("RestoreFailed", `the pod's seccomp filter could not be made: ${why}`, { cause });
  });
  const used = images.threads.flatMap(({ core }) => firstFilterOf(core));
  writeImage(folder, FILTERS, encodeImage(FILTERS, [withFirstFilter(images.filters, used, own)]));
}

function processImages(folder: string, files: readonly FileEntry[]): ProcessImages {
  const names = entriesOf(folder);
  const there = new Set(names);
  const processes = readImage(folder, PROCESSES);
  const first = processes.find(({ ppid }) => ppid === 0)?.pid;
  if (first === undefined) throw new ImageError("pstree.img has no first process");
  const init = single(folder, idsOf(first));
  // A process without ids is in the namespaces of its parent.
  const pids = processes.flatMap(({ pid }) => (pid !== undefined && there.has(idsOf(pid).name) ? [pid] : []));
  const threads = processes.flatMap(({ pid = 0, threads: tids = [] }): Thread[] => {
    const leader = single(folder, coreOf(pid));
    if (hasEnded(leader)) return [];
    const others = tids.filter((tid) => tid !== pid).map((tid) => ({ tid, core: single(folder, coreOf(tid)), leader }));
    return [{ tid: pid, core: leader, leader }, ...others];
  });
  return {
    names,
    inventory: single(folder, INVENTORY),
    init,
    ids: new Map(pids.map((pid) => [pid, single(folder, idsOf(pid))])),
    threads,
    filters: there.has(FILTERS.name) ? single(folder, FILTERS) : {},
    network: there.has(networkOf(init.net_ns_id ?? 0).name) ? single(folder, networkOf(init.net_ns_id ?? 0)) : {},
    mounts: readImage(folder, mountsOf(init.mnt_ns_id ?? 0)),
    files,
    ghostModes: names
      .filter((name) => name.startsWith("ghost-file-"))
      .map((name) => readLeading(folder, ghostFileNamed(name)).mode ?? 0),
  };
}

/** The only entry. */
function single<T>(folder: string, kind: ImageKind<T>): T {
  const [entry, ...others] = readImage(folder, kind);
  if (entry === undefined || others.length > 0) throw new ImageError(`${kind.name} does not have one entry`);
  return entry;
}
