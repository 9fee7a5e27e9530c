/** What Headroom, or a pod, may leave on a node. Compared before and after a run: when all its pods are gone, nothing of them may be left. */
import type { Machine } from "../cluster/machine.ts";
import { WaitError, waitFor } from "../cluster/wait.ts";
import type { Api } from "../harness/api.ts";
import { HEADROOM_NAMESPACE } from "../harness/headroom.ts";
import { clusterLeftovers } from "./cluster-leftovers.ts";

export const LEFTOVER_KINDS = ["file", "container", "snapshot", "bundle", "cgroup", "mount", "process"] as const;
export type LeftoverKind = (typeof LEFTOVER_KINDS)[number];

/** Without what belongs to Headroom's own pods: they may be replaced meanwhile. */
export interface Inventory {
  node: string;
  /** By their names or paths; processes by state and arguments. */
  entries: Record<LeftoverKind, string[]>;
}

/** One line each: the kind, a tab, the entry. `own` are the containers of Headroom's pods. */
const LIST = `
tab=$(printf '\\t')
list() { sed "s|^|$1$tab|"; }
ctr -n k8s.io containers list -q 'labels."io.kubernetes.pod.namespace"==${HEADROOM_NAMESPACE}' | list own
ctr -n k8s.io containers list -q | list container
ctr -n k8s.io snapshots list | awk '$NF == "Active" { print $1 }' | list snapshot
find /run/containerd/io.containerd.runtime.v2.task/k8s.io /run/containerd/runc/k8s.io -mindepth 1 -maxdepth 1 | list bundle
find /run/headroom /var/lib/headroom -mindepth 1 -maxdepth 1 ! -type d | list file
find /run/headroom /var/lib/headroom -mindepth 2 -maxdepth 2 ! -execdir test -e '{}/aborted' ';' -print | list file
ls -d /var/lib/kubelet/pods/* 2>/dev/null | list file
find /sys/fs/cgroup -type d '(' -path '*/kubepods/*pod*' -o -path '*/headroom/*' ')' | list cgroup
awk '{ print $5 }' /proc/self/mountinfo | grep -e ^/var/lib/kubelet/pods/ -e ^/run/headroom/ -e ^/run/containerd/ | list mount
ps -ewwo stat=,cgroup:1000=,args= | list process
true`;

/**
 * What a running agent keeps (docs/security.md): its key, its handler, its CRIU, how moves ended in the last hour, and the highest epoch. The script leaves out
 * the marks of copies that must not start any more: they are kept for ten minutes.
 */
const OF_THE_AGENT =
  /^\/run\/headroom\/agent\/|^\/var\/lib\/headroom\/(bin|containerd|criu)\/|^\/var\/lib\/headroom\/moves\/(finished|epoch)$/;
/** Programs that belong to a pod or to a move. */
const OF_A_POD = /\b(workload|criu|runc|lazy-pages|headroom-[a-z]+)\b/;
const POD_CGROUP = /\/pod([0-9a-f-]{36})\/([0-9a-f]{64})$/;

/** What is there now. The script is not an argument: it would be found among the processes. */
export async function inventory(machine: Machine): Promise<Inventory> {
  return parseInventory(machine.node.name, await machine.run(["sh"], { input: LIST }));
}

/** @param listed lines of a kind, a tab and an entry; the kind `own` names the containers of Headroom's own pods. */
export function parseInventory(node: string, listed: string): Inventory {
  const lines = listed.split("\n").map((line) => line.split("\t"));
  const of = (wanted: string): string[] => lines.flatMap(([kind, entry]) => (kind === wanted && entry ? [entry] : []));
  const containers = new Set(of("own"));
  const pods = of("cgroup").flatMap((path) => {
    const [, pod, container] = path.match(POD_CGROUP) ?? [];
    return pod && container && containers.has(container) ? [pod] : [];
  });
  const ids = [...containers, ...pods];
  const strange = (kind: string): string[] => of(kind).filter((entry) => !ids.some((id) => entry.includes(id)));
  const entries: Inventory["entries"] = {
    file: strange("file").filter((path) => !OF_THE_AGENT.test(path)),
    container: strange("container"),
    snapshot: strange("snapshot"),
    bundle: strange("bundle"),
    cgroup: strange("cgroup"),
    mount: strange("mount"),
    process: strange("process").flatMap(processOf),
  };
  return { node, entries };
}

/** A probe of the agent's pod, which has not yet joined its control group. */
const OF_ITS_PROBES = /\/tmp\/headroom-agent-(ready|alive)\b/;

/**
 * Those that belong to a pod or a move, and stopped ones. The cgroup is left out. Not containerd's shims: one whose container's creation was
 * broken off may outlive its pod, for containerd forgets it (its issues 6860 and 11392). What a shim serves is found by its bundle.
 */
function processOf(line: string): string[] {
  const [state = "", , ...args] = line.trim().split(/\s+/);
  const text = args.join(" ");
  if (text.includes("containerd-shim-runc-v2 ") || OF_ITS_PROBES.test(text)) return [];
  return OF_A_POD.test(text) || /^[TD]/.test(state) ? [`${text} (state ${state.slice(0, 1)})`] : [];
}

/** One sentence for each thing that is there after, and was not before. The two lists may name nodes in any order. */
export function difference(before: readonly Inventory[], after: readonly Inventory[]): string[] {
  return after.flatMap(({ node, entries }) => {
    const known = before.find((one) => one.node === node)?.entries;
    return LEFTOVER_KINDS.flatMap((kind) =>
      surplus(known?.[kind] ?? [], entries[kind]).map((entry) => `${kind} on ${node} is left: ${entry}`),
    );
  });
}

/** What the second list has more than the first: an entry may be there several times. */
function surplus(before: readonly string[], after: readonly string[]): string[] {
  const open = [...before];
  return after.filter((entry) => {
    const index = open.indexOf(entry);
    if (index >= 0) open.splice(index, 1);
    return index < 0;
  });
}

export interface LeftoverSearch {
  api: Api;
  machines: readonly Machine[];
  before: readonly Inventory[];
}

/** What is left in the cluster and on its nodes when everything has been deleted, in sentences. Asks again until nothing is, for as long as garbage collection may take. */
export async function leftAfter(search: LeftoverSearch, limitSeconds: number): Promise<string[]> {
  let left: string[] = [];
  const isClean = async (): Promise<boolean> => {
    const after = await Promise.all(search.machines.map(inventory));
    left = [...difference(search.before, after), ...(await clusterLeftovers(search.api))];
    return left.length === 0;
  };
  try {
    await waitFor("nothing to be left", limitSeconds, isClean, 2000);
    return [];
  } catch (error) {
    if (!(error instanceof WaitError)) throw error;
    if (left.length === 0) throw error; // it could not be asked
    return left;
  }
}
