/** Moves, as the tests ask for them and look at them. */
import type { V1Pod } from "@kubernetes/client-node";
import { WaitError, waitFor } from "../cluster/wait.ts";
import { type Api, migrationPath, migrationsPath, podPath } from "./api.ts";
import { freezeMilliseconds, type Witness } from "./witness.ts";

/** What the tests read of a PodMigration: written down here again, so that a change of the API is noticed. */
export interface Migration {
  metadata: { name: string; namespace: string; uid: string; creationTimestamp: string };
  spec: { podName: string; targetNode?: string; policyName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    sourceNode?: string;
    targetNode?: string;
    targetPodName?: string;
    targetPodUID?: string;
    sourcePodUID?: string;
    freezeMilliseconds?: number;
    startTime?: string;
    completionTime?: string;
    phaseTransitions?: { phase: string; time: string }[];
    containers?: { name: string; memoryBytes: number; transferredBytes?: number }[];
    timings?: Record<string, number>;
  };
}

export const FINAL_PHASES: readonly string[] = ["Succeeded", "RolledBack", "Failed", "Cancelled"];
const POLL_MILLISECONDS = 50;

export interface MoveRequest {
  name: string;
  podName: string;
  targetNode?: string;
  timeout?: string;
  tcp?: "Refuse" | "Close";
}

export async function requestMove(api: Api, namespace: string, request: MoveRequest): Promise<void> {
  const { name, ...spec } = request;
  await api.create(migrationsPath(namespace), {
    apiVersion: "headroom.dev/v1alpha1",
    kind: "PodMigration",
    metadata: { name, namespace },
    spec,
  });
}

/** Resolves when the move is in one of the phases. A final phase that is none of them is an error at once. */
export async function moveReaches(
  api: Api,
  namespace: string,
  name: string,
  phases: readonly string[],
  limitSeconds = 120,
): Promise<Migration> {
  const found = await waitFor(
    `move ${name} to be ${phases.join(" or ")}`,
    limitSeconds,
    async () => {
      const move = await api.get<Migration>(migrationPath(namespace, name));
      const phase = move?.status?.phase ?? "";
      return phases.includes(phase) || FINAL_PHASES.includes(phase) ? move : undefined;
    },
    POLL_MILLISECONDS,
  ).catch(async (error: unknown) => {
    if (!(error instanceof WaitError)) throw error;
    const move = await api.get<Migration>(migrationPath(namespace, name));
    throw new WaitError(`${error.message}; it is ${describeState(move)}`);
  });
  if (!phases.includes(found.status?.phase ?? "")) {
    throw new Error(`move ${name} is ${describeState(found)}, not ${phases.join(" or ")}`);
  }
  return found;
}

export function describeState(move: Migration | undefined): string {
  if (!move) return "gone";
  const { phase = "without a phase", reason, message } = move.status ?? {};
  return [phase, reason, message].filter(Boolean).join(": ");
}

/** Resolves with the phases seen, when the move has passed a phase or more. */
export function phasesOf(move: Migration): string[] {
  return (move.status?.phaseTransitions ?? []).map((transition) => transition.phase);
}

/** One line: the freeze as the witness and as the status have it, bytes, and how long each phase took. */
export async function describeMove(witness: Witness, workload: string, move: Migration): Promise<string> {
  const status = move.status ?? {};
  const from = Date.parse(status.startTime ?? move.metadata.creationTimestamp);
  const to = status.completionTime ? Date.parse(status.completionTime) + 1000 : Date.now();
  const seen = freezeMilliseconds(await witness.testimony(workload), from, to);
  const bytes = (status.containers ?? []).reduce((sum, container) => sum + container.memoryBytes, 0);
  const moved = (status.containers ?? []).reduce((sum, container) => sum + (container.transferredBytes ?? 0), 0);
  return [
    `${workload} ${status.sourceNode} → ${status.targetNode} ${status.phase}`,
    `freeze ${Math.round(seen)} ms (status ${status.freezeMilliseconds ?? "–"} ms)`,
    `${mebibytes(bytes)} of memory, ${mebibytes(moved)} sent`,
    phaseDurations(move),
    `steps ${JSON.stringify(status.timings ?? {})}`,
  ].join("; ");
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function phaseDurations(move: Migration): string {
  const transitions = move.status?.phaseTransitions ?? [];
  return transitions
    .map(({ phase, time }, index) => {
      const next = transitions[index + 1];
      return next ? `${phase} ${Date.parse(next.time) - Date.parse(time)} ms` : phase;
    })
    .join(", ");
}

/** The pod that came of a move. */
export async function targetPod(api: Api, move: Migration): Promise<V1Pod> {
  const name = move.status?.targetPodName ?? "";
  const pod = await api.get<V1Pod>(podPath(move.metadata.namespace, name));
  if (!pod) throw new Error(`the target pod ${name} of move ${move.metadata.name} is not there`);
  return pod;
}
