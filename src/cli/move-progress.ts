/** Follows one PodMigration to its end and says each phase as it comes. */
import {
  FINAL_PHASES,
  type Phase,
  POD_MIGRATIONS,
  type PodMigration,
  PROGRAM_FAILED,
} from "../api/v1alpha1/pod-migration.ts";
import { frozenFor } from "../controllers/pod-migration/freeze.ts";
import type { KubeClient, ObjectRef } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { MemoryStore } from "../kube/store.ts";
import type { Transport } from "../kube/transport.ts";
import { ResourceWatch } from "../kube/watch.ts";
import { silentLogger } from "../logging/logger.ts";
import { CommandFailure } from "./failure.ts";

export interface FollowOptions {
  client: KubeClient;
  transport: Transport;
  clock: Clock;
  ref: ObjectRef & { namespace: string };
  /** One line for each phase. */
  say(line: string): void;
  limitMs?: number | undefined;
  /** Ends the following; the move goes on. */
  signal?: AbortSignal;
}

/** The object in its final phase. Rejects when it is deleted before, the time limit passes, or with the signal's reason. */
export function followMove(options: FollowOptions): Promise<PodMigration> {
  const { client, clock, limitMs, ref, signal, transport } = options;
  const end = new AbortController();
  return new Promise<PodMigration>((resolve, reject) => {
    const progress = new Progress(options.say);
    const watch = new ResourceWatch({
      kind: POD_MIGRATIONS,
      store: new MemoryStore<PodMigration>(),
      client,
      transport,
      clock,
      logger: silentLogger,
      select: { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` },
      onChange({ after }) {
        if (!after) return reject(new CommandFailure(`PodMigration ${ref.name} was deleted`));
        progress.show(after);
        if (FINAL_PHASES.has(phaseOf(after))) resolve(after);
      },
    });
    watch.run(end.signal).catch(reject);
    signal?.addEventListener("abort", () => reject(signal.reason));
    if (limitMs !== undefined) {
      const late = () => reject(new CommandFailure(`still not ended after ${limitMs / 1000} s; it goes on without us`));
      const timer = clock.after(limitMs, late);
      end.signal.addEventListener("abort", () => timer.cancel());
    }
  }).finally(() => end.abort());
}

export function phaseOf(move: PodMigration): Phase {
  return move.status?.phase ?? "Pending";
}

/** Says each phase once, with the time since the move's start, also those that passed between two looks. */
export class Progress {
  readonly #say: (line: string) => void;
  #said = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  show(move: PodMigration): void {
    const { status } = move;
    if (!status) return;
    const transitions = status.phaseTransitions ?? [];
    const startMs = Date.parse(status.startTime ?? transitions[0]?.time ?? "");
    for (const { phase, time } of transitions.slice(this.#said)) {
      const seconds = (Date.parse(time) - startMs) / 1000;
      const since = Number.isFinite(seconds) ? `${seconds.toFixed(1).padStart(7)} s` : "";
      this.#say(`${since}  ${phase}${phase === status.phase && status.message ? `: ${status.message}` : ""}`);
    }
    this.#said = transitions.length;
  }
}

/** In one line: `default/web moved from z1 to z2: 128Mi, frozen for 0.62 s`. */
export function outcomeLine(move: PodMigration): string {
  const { status, spec, metadata } = move;
  const pod = `${metadata.namespace}/${spec.podName}`;
  if (status?.phase !== "Succeeded") {
    const why = [status?.reason, status?.message].filter(Boolean).join(": ");
    return `${pod} not moved (${phaseOf(move)})${frozenFor(status ?? {})}${why ? `: ${why}` : ""}`;
  }
  const failed = status.reason === PROGRAM_FAILED ? `; ${status.reason}: ${status.message}` : "";
  return `${pod} moved from ${status.sourceNode} to ${status.targetNode}: ${status.memory ?? "?"}${frozenFor(status)}${failed}`;
}
