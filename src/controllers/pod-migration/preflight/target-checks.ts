/** What may speak against a target once its agent has answered. Pure predicates, in the order in which they are asked. */
import type { NodeFeatures } from "../../../agent/protocol.ts";
import { formatBytes } from "../../../api/quantity.ts";
import type { Refusal } from "../dependencies.ts";

export interface TargetSide {
  node: string;
  source: NodeFeatures;
  target: NodeFeatures;
  stagingBytes: number;
  /** Files that are on a disk: writable layer and emptyDirs that are not in memory. */
  diskFilesBytes: number;
}

type Check = (side: TargetSide) => Refusal | undefined;

export function targetRefusal(side: TargetSide): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(side);
    if (refusal) return refusal;
  }
  return undefined;
}

const handlerInstalled: Check = ({ node, target }) =>
  target.handlerInstalled
    ? undefined
    : {
        reason: "HandlerNotInstalled",
        message: `node ${node}: ${target.handlerMessage ?? "the runtime handler is not installed"}`,
      };

/** A process that found a feature when it started goes on using it. */
const cpuFlags: Check = ({ node, source, target }) => {
  const there = new Set(target.cpuFlags);
  const missing = source.cpuFlags.filter((flag) => !there.has(flag));
  if (missing.length === 0) return undefined;
  return {
    reason: "CpuFeatures",
    message: `node ${node} lacks CPU features that the source has: ${missing.slice(0, 8).join(", ")}`,
  };
};

const cgroupVersion: Check = ({ node, source, target }) =>
  source.cgroupVersion === target.cgroupVersion
    ? undefined
    : {
        reason: "CgroupVersion",
        message: `node ${node} has cgroup v${target.cgroupVersion}, the source v${source.cgroupVersion}`,
      };

const stagingRoom: Check = ({ node, target, stagingBytes }) =>
  target.stagingFreeBytes >= stagingBytes
    ? undefined
    : {
        reason: "NoStagingRoom",
        message: `node ${node} can stage ${formatBytes(target.stagingFreeBytes)} now, the move needs ${formatBytes(stagingBytes)}`,
      };

/** The files land on the target before they are copied into the pod: they are there twice until the move ends. */
const diskRoom: Check = ({ node, target, diskFilesBytes }) =>
  target.filesFreeBytes >= 2 * diskFilesBytes
    ? undefined
    : {
        reason: "NoDiskRoom",
        message: `node ${node} has ${formatBytes(target.filesFreeBytes)} of disk free now, the move needs twice the ${formatBytes(diskFilesBytes)} of the pod's files`,
      };

const CHECKS: readonly Check[] = [handlerInstalled, cgroupVersion, cpuFlags, stagingRoom, diskRoom];
