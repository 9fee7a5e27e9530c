/** What the controller keeps in its process between evaluations. Losing it is safe. All times are of the monotonic clock. */
import type { MigrationPolicy } from "../../api/v1alpha1/migration-policy.ts";
import type { PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { keyOf } from "../../kube/store.ts";
import { KeptFits } from "../../planning/foresight/kept-fits.ts";
import type { PlanningMemory } from "../../planning/snapshot.ts";
import type { ReadPolicy } from "./read-policies.ts";

/** A PodMigration comes back through the watch long before this. */
const FORGET_CREATED_MS = 60_000;
/** Timers may be this early. */
const EARLY_MS = 50;

export class EvaluationState {
  memory: PlanningMemory | undefined;
  readonly fits = new KeptFits();
  #created: { migration: PodMigration; atMs: number }[] = [];
  readonly #evaluated = new Map<string, { atMs: number; version: string }>();

  /** PodMigrations just created that the store does not have yet. */
  created(stored: readonly PodMigration[], nowMs: number): PodMigration[] {
    const known = new Set(stored.map(({ metadata }) => keyOf(metadata)));
    this.#created = this.#created.filter(
      ({ migration, atMs }) => !known.has(keyOf(migration.metadata)) && nowMs - atMs < FORGET_CREATED_MS,
    );
    return this.#created.map(({ migration }) => migration);
  }

  noteCreated(migration: PodMigration, nowMs: number): void {
    this.#created.push({ migration, atMs: nowMs });
  }

  /** When this policy is to be evaluated next; at once when it is new or was changed. */
  dueAtMs({ object, intervalMs }: ReadPolicy): number {
    const last = this.#evaluated.get(object.metadata.name);
    return last?.version === versionOf(object) ? last.atMs + intervalMs : 0;
  }

  isDue(policy: ReadPolicy, nowMs: number): boolean {
    return this.dueAtMs(policy) <= nowMs + EARLY_MS;
  }

  noteEvaluated(policies: readonly ReadPolicy[], nowMs: number): void {
    for (const { object } of policies) {
      this.#evaluated.set(object.metadata.name, { atMs: nowMs, version: versionOf(object) });
    }
  }
}

const versionOf = ({ metadata }: MigrationPolicy) => `${metadata.uid}/${metadata.generation}`;
