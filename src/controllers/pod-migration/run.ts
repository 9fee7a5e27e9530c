/** One reconcile run of one move: what the phases work on. */
import type { Receiving, Restored } from "../../agent/protocol.ts";
import type { PodMigration, PodMigrationStatus } from "../../api/v1alpha1/pod-migration.ts";
import type { MoveId, SourceContainer } from "../../checkpointing/driver.ts";
import type { Term } from "../../kube/controller.ts";
import type { MoveSize, StagedSize } from "../../planning/staging.ts";
import type { Away } from "./decision/stand-down.ts";
import type { MoveDependencies } from "./dependencies.ts";

/** A PodMigration whose status has been begun. */
export type Move = PodMigration & { status: PodMigrationStatus; metadata: { uid: string; namespace: string } };

/** Handed from one phase to the next within a run, to keep the freeze short. A run that starts anew does without. */
export interface Scratch {
  /** The target's answer to `receive`, and what the source is to send. */
  sending?: Sending;
  /** The restore, called while the phase Restoring is being written. */
  restore?: EarlyRestore;
  /** Set while the API server does not answer. */
  away?: Away;
}

/** What outlives a run: the API server may go away between two. */
export interface LastSeen {
  /** The move as it was last read or written, or as the store has it. */
  move?: Move;
  /** Since when it could not be written, by the controller's monotonic clock. */
  unwritten?: Away;
}

export interface EarlyRestore {
  answer: Promise<RestoreAnswer>;
  /** Aborted when the restore is given up. */
  abandon: AbortController;
}

export interface RestoreAnswer {
  restored: Restored;
  /** The copy was held at some time after this. */
  askedAtMs: number;
}

export interface Sending {
  peer: Receiving & { node: string; token: string };
  emptyDirs: string[];
}

export interface MoveRun {
  readonly deps: MoveDependencies;
  readonly term: Term;
  readonly move: Move;
  readonly scratch: Scratch;
}

/** @param givenUp aborted when this one command is given up; any is when the leader's term ends. */
export function moveId(run: MoveRun, givenUp?: AbortSignal): MoveId {
  const { uid: moveUID } = run.move.metadata;
  const { epoch, signal } = run.term;
  return { moveUID, epoch, signal: givenUp === undefined ? signal : AbortSignal.any([signal, givenUp]) };
}

/** A status that lacks what its phase implies was written by something else: a defect, named. */
export function required<T>(move: Move, field: string, value: T | undefined): T {
  if (value !== undefined) return value;
  const { namespace, name } = move.metadata;
  throw new Error(`PodMigration ${namespace}/${name} is ${move.status.phase} but its status has no ${field}`);
}

/** The pinned source: this very pod and container, on its node. Known from Preflight's end on. */
export function sourceOf(move: Move): { node: string; container: SourceContainer } {
  const container = required(move, "containers", move.status.containers[0]);
  return {
    node: required(move, "sourceNode", move.status.sourceNode),
    container: {
      podUID: required(move, "sourcePodUID", move.status.sourcePodUID),
      containerID: required(move, "containers[0].containerID", container.containerID),
      containerName: container.name,
    },
  };
}

/** The pinned target pod. Known from the first step of Preparing on. */
export function targetOf(move: Move): { node: string; podUID: string; podName: string } {
  return {
    node: required(move, "targetNode", move.status.targetNode),
    podUID: required(move, "targetPodUID", move.status.targetPodUID),
    podName: required(move, "targetPodName", move.status.targetPodName),
  };
}

/** What the move carries, as preflight saw it. */
export function sizeOf(move: Move): MoveSize & StagedSize {
  const sum = (values: (number | undefined)[]) => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  return {
    memoryBytes: sum(move.status.containers.map((container) => container.memoryBytes)),
    filesBytes: sum(move.status.containers.map((container) => container.filesBytes)),
    memoryFilesBytes: sum(move.status.containers.map((container) => container.memoryFilesBytes)),
  };
}

export function isMove(migration: PodMigration): migration is Move {
  const { uid, namespace } = migration.metadata;
  return migration.status?.startTime !== undefined && uid !== undefined && namespace !== undefined;
}
