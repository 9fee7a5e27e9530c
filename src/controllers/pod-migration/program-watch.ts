/**
 * Does the program survive its move? The target pod is watched for a minute from its release: a program that fails in that time, as one may
 * whose connections were closed, makes the move less than a plain success. The move ends as fast as ever; an ended move is looked at again.
 */
import { constants } from "node:os";
import type { V1ContainerStateTerminated } from "@kubernetes/client-node";
import type { Condition } from "../../api/v1alpha1/fields.ts";
import { type PodMigration, PROGRAM_FAILED } from "../../api/v1alpha1/pod-migration.ts";
import type { ReconcileResult } from "../../kube/controller.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Wire } from "../../kube/wire.ts";
import { note, type StatusChanges } from "./outcome.ts";
import { readTarget } from "./pods.ts";
import { record } from "./record.ts";
import { releasedForMs } from "./release.ts";
import type { Move, MoveRun } from "./run.ts";
import { timeText } from "./status.ts";

const PROBATION_MS = 60_000;
/** A kubelet reports the end of a container some seconds late. */
const REPORT_MS = 15_000;
/** A controller that was away looks this far back, at what the pods still tell. */
const LOOK_BACK_MS = 600_000;

/** Condition: False when the program failed within a minute of its release. */
const HEALTHY = "Healthy";

/** How the program failed, if it is known to have. */
export function programFailureOf(move: PodMigration): Condition | undefined {
  return move.status?.conditions.find(({ type, status }) => type === HEALTHY && status === "False");
}

/** What is recorded when the program is newly found to have failed. */
export function findProgramFailure({ deps, move }: MoveRun, target: Pod | undefined): StatusChanges | undefined {
  const { releasedAt, conditions } = move.status;
  if (target === undefined || releasedAt === undefined || programFailureOf(move) !== undefined) return undefined;
  const end = failureIn(target, Date.parse(releasedAt));
  if (end === undefined) return undefined;
  const message = `${end}${hintFor(move)}`;
  for (const about of [move, target]) deps.events.record(about, "Warning", PROGRAM_FAILED, message);
  const lastTransitionTime = timeText(deps.clock.now());
  return {
    conditions: [
      ...conditions,
      { type: HEALTHY, status: "False", reason: PROGRAM_FAILED, message, lastTransitionTime },
    ],
  };
}

/** An ended move, until its program has run for a minute. */
export async function watchProgram(run: MoveRun): Promise<ReconcileResult> {
  const sinceMs = releasedForMs(run);
  if (run.move.status.phase !== "Succeeded" || sinceMs > LOOK_BACK_MS || programFailureOf(run.move)) return {};
  const found = findProgramFailure(run, await readTarget(run));
  if (found !== undefined) await amend(run, found);
  const leftMs = PROBATION_MS + REPORT_MS - sinceMs;
  return found === undefined && leftMs > 0 ? { requeueAfterMs: leftMs } : {};
}

async function amend({ deps, move }: MoveRun, changes: StatusChanges): Promise<void> {
  const failed = programFailureOf({ ...move, status: { ...move.status, ...changes } });
  if (failed) await record(deps, move, note({ ...changes, ...movedButFailed(move, failed) }));
}

/** The end of a move whose program failed. */
export function movedButFailed({ status }: Move, failed: Condition): { reason: string; message: string } {
  return { reason: PROGRAM_FAILED, message: `the pod was moved to node ${status.targetNode}, but ${failed.message}` };
}

/**
 * How the pod's program failed within a minute of its release, in words. One that ends by itself with exit code 0 is done; a pod that
 * somebody deletes was not the move's failure. The release and the ends are told by the same node's clock; ends in whole seconds.
 */
export function failureIn(pod: Pod, releasedAtMs: number): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const fromMs = Math.floor(releasedAtMs / 1000) * 1000;
  const end = endsOf(pod).find(({ atMs }) => atMs >= fromMs && atMs <= releasedAtMs + PROBATION_MS);
  return end && `${end.words} ${Math.max(0, Math.round((end.atMs - releasedAtMs) / 1000))} s after its release`;
}

interface End {
  /** NaN: not known. */
  atMs: number;
  words: string;
}

/** The oldest first. */
function endsOf({ status }: Pod): End[] {
  const container = status?.containerStatuses?.[0];
  const ends = [container?.lastState?.terminated, container?.state?.terminated].filter((one) => one !== undefined);
  const failures = ends
    .filter(({ exitCode }) => exitCode !== 0)
    .map((end) => ({ atMs: timeOf(end), words: inWords(end) }));
  if (status?.phase !== "Failed" || failures.length > 0) return failures;
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  const why = [status.reason, status.message].filter(Boolean).join(": ");
  return [{ atMs: Date.parse(ready?.lastTransitionTime ?? ""), words: `the pod failed${why ? ` (${why})` : ""}` }];
}

type Terminated = Wire<V1ContainerStateTerminated>;

const timeOf = ({ finishedAt }: Terminated): number => Date.parse(finishedAt ?? "");

function inWords({ exitCode, reason }: Terminated): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];
  const details = [reason, signal].filter((one) => one !== undefined && one !== "Error").join(", ");
  return `its program ended with exit code ${exitCode}${details ? ` (${details})` : ""}`;
}

function hintFor({ spec }: Move): string {
  return spec.tcp === "Close" ? "; the move had closed its TCP connections (spec.tcp: Close)" : "";
}
