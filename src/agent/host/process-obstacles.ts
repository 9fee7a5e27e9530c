/** What processes have that CRIU cannot carry, asked while they run. Each sentence says what it is and, where it can be helped, how. */
import { readdirSync } from "node:fs";
import type { SourceFacts } from "../protocol.ts";
import { isMissing, linkOf, readIfThere } from "./files.ts";
import { isLeaderGone, isStoppedBySignal } from "./processes.ts";

type Obstacle = SourceFacts["obstacles"][number];

/** Devices that every container has. CRIU opens them again. */
const PLAIN_DEVICES = new Set(["null", "zero", "full", "random", "urandom"]);
/** Kernel objects that CRIU cannot carry, open or mapped, and how programs do without them. */
const HARD_OBJECTS = /anon_inode:\[?(io_uring|perf_event|bpf|userfaultfd|kvm)/;
const WITHOUT: Readonly<Record<string, string>> = {
  io_uring:
    "Node.js does without it under a seccomp profile that denies io_uring_setup, such as RuntimeDefault of containerd 2, and with a libuv before 1.50 with UV_USE_IO_URING=0; MariaDB with innodb_use_native_aio=0",
  MPTCP: "Go programs do without it with GODEBUG=multipathtcp=0",
};

/** @param init the container's first process: its namespaces are the container's. */
export function processObstacles(pid: number, init = pid): Obstacle[] {
  return [
    ...hugePages(pid),
    ...stopped(pid),
    ...withoutLeader(pid),
    ...foreignNamespaces(pid, init),
    ...descriptorObstacles(pid),
    ...mappedObjects(pid),
  ];
}

function stopped(pid: number): Obstacle[] {
  if (!isStoppedBySignal(pid)) return [];
  return [{ reason: "StoppedProcess", message: `process ${pid} was stopped by a signal: CRIU cannot dump it` }];
}

function withoutLeader(pid: number): Obstacle[] {
  if (!isLeaderGone(pid)) return [];
  return [{ reason: "ThreadLeaderGone", message: `the first thread of process ${pid} has ended, and others go on` }];
}

function hugePages(pid: number): Obstacle[] {
  const rollup = readIfThere(`/proc/${pid}/smaps_rollup`) ?? "";
  const used = /^(?:Shared|Private)_Hugetlb:\s+[1-9]/m.test(rollup);
  return used ? [{ reason: "HugePages", message: `process ${pid} uses huge pages` }] : [];
}

const NAMESPACES = ["user", "time"];

/** A process of its own user namespace, or one that `kubectl exec` started in a pod that was moved: its clocks are the node's, the pod's are not. */
function foreignNamespaces(pid: number, init: number): Obstacle[] {
  if (pid === init) return [];
  return NAMESPACES.flatMap((kind): Obstacle[] => {
    const [own, container] = [pid, init].map((one) => linkOf(`/proc/${one}/ns/${kind}`));
    if (own === undefined || container === undefined || own === container) return [];
    const exec = kind === "time" ? "; if kubectl exec started it after a move, end it" : "";
    return [{ reason: "Namespaces", message: `process ${pid} has a ${kind} namespace of its own${exec}` }];
  });
}

function descriptorObstacles(pid: number): Obstacle[] {
  return descriptorsOf(pid).flatMap((link): Obstacle[] => {
    const device = /^\/dev\/([^/]+)$/.exec(link)?.[1];
    if (device && !PLAIN_DEVICES.has(device)) {
      return [{ reason: "OpenDevice", message: `process ${pid} has the device ${link} open` }];
    }
    if (/^\/dev\/pts\//.test(link))
      return [{ reason: "Terminal", message: `process ${pid} has the terminal ${link} open` }];
    return hardObject(pid, link, "open");
  });
}

function mappedObjects(pid: number): Obstacle[] {
  const objects = new Set((readIfThere(`/proc/${pid}/maps`) ?? "").match(/anon_inode:\S+/g));
  return [...objects].flatMap((name) => hardObject(pid, name, "mapped"));
}

function hardObject(pid: number, name: string, how: string): Obstacle[] {
  const object = HARD_OBJECTS.exec(name)?.[1];
  if (object === undefined) return [];
  return [{ reason: "KernelObject", message: withHint(`process ${pid} has ${name} ${how}`, object) }];
}

/** The sentence, with how programs do without `what` where that is known. */
export function withHint(sentence: string, what: string): string {
  const hint = WITHOUT[what];
  return hint === undefined ? sentence : `${sentence} (${hint})`;
}

export function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => linkOf(`/proc/${pid}/fd/${name}`) ?? []);
  } catch (error) {
    if (isMissing(error)) return []; // it ended while we looked
    throw error;
  }
}
