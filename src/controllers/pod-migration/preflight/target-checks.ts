/** What may speak against a target once its agent has answered. Pure predicates, in the order in which they are asked. */
import type { Kind, NodeFeatures } from "../../../agent/protocol.ts";
import { isOlderSeries } from "../../../agent/versions.ts";
import { formatBytes } from "../../../api/quantity.ts";
import { KINDS_IN_WORDS } from "../../../planning/self-test.ts";
import type { Refusal } from "../dependencies.ts";
import { type Confinement, confinementRefusal } from "./confinement.ts";

export interface TargetSide extends Confinement {
  source: NodeFeatures;
  target: NodeFeatures;
  /** Of the source's container. */
  kinds: readonly Kind[];
  innerConnections: number;
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

/** Dumped on the one node, restored on the other: both must have shown that they can. */
const selfTest: Check = ({ node, source, target, kinds }) => {
  const failedOn = ({ verdicts }: NodeFeatures) => verdicts.find(({ kind, ok }) => !ok && kinds.includes(kind));
  const failed = failedOn(target) ?? failedOn(source);
  if (failed === undefined) return undefined;
  const where = failed === failedOn(target) ? `node ${node}` : "the source's node";
  return {
    reason: "SelfTestFailed",
    message: `${where} cannot move ${KINDS_IN_WORDS[failed.kind]}: in its self-test ${failed.message}`,
  };
};

/** While agents are being upgraded. */
const keepsConnections: Check = ({ node, target, innerConnections }) => {
  if (innerConnections === 0 || target.keepsConnections) return undefined;
  const message = `node ${node}'s agent is an older one, which would close the container's own TCP connections`;
  return { reason: "AgentTooOld", message };
};

/** Its images may hold what an older one doesn't know. */
const criuVersion: Check = ({ node, source, target }) => {
  if (!isOlderSeries(target.criuVersion, source.criuVersion)) return undefined;
  const message = `node ${node} has CRIU ${target.criuVersion}, older than the source's ${source.criuVersion}`;
  return { reason: "CriuVersion", message };
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

const CHECKS: readonly Check[] = [
  handlerInstalled,
  cgroupVersion,
  cpuFlags,
  criuVersion,
  keepsConnections,
  confinementRefusal,
  selfTest,
  stagingRoom,
  diskRoom,
];
