/** Records of runs with random faults, for the tests of the judge. */
import type { ChaosRecord, EndedByFault, JudgedMove, JudgedWorkload, StruckFault } from "../e2e/chaos/record.ts";
import { emptyTestimony, hear, type Testimony, type ViolationKind } from "../e2e/harness/testimony.ts";

export const END = 200_000;

export type Piece = [instance: string, node: string, fromMs: number, toMs: number];

/** Statements every 500 ms; n goes on within an instance. */
function heard(...pieces: Piece[]): Testimony {
  const testimony = emptyTestimony();
  const next = new Map<string, number>();
  for (const [instance, node, fromMs, toMs] of pieces) {
    for (let atMs = fromMs; atMs <= toMs; atMs += 500) {
      const n = next.get(instance) ?? 0;
      next.set(instance, n + 1);
      hear(testimony, { name: "w", instance, n, heldMiB: 1, damagedPages: 0, damagedFiles: 0, node }, atMs);
    }
  }
  return testimony;
}

export const STEADY: Piece = ["a", "n1", 0, END];
/** Frozen at 100 s, on n2 from 102 s on. */
export const MOVED: Piece[] = [
  ["a", "n1", 0, 100_000],
  ["a", "n2", 102_000, END],
];
/** Frozen at 100 s, and never heard again; something new on the node `on` from 130 s on. */
export const lostOn = (on: string): Piece[] => [
  ["a", "n1", 0, 100_000],
  ["b", on, 130_000, END],
];

export interface Case {
  pieces?: Piece[];
  workload?: Partial<JudgedWorkload>;
  moves?: JudgedMove[];
  faults?: StruckFault[];
}

export function recordOf({ pieces = [STEADY], workload = {}, moves = [], faults = [] }: Case): ChaosRecord {
  const testimony = workload.testimony ?? heard(...pieces);
  const node = testimony.lives.at(-1)?.stays.at(-1)?.node ?? "n1";
  const pods = [{ name: "w", node, uid: "1", ready: true }];
  const base: JudgedWorkload = { name: "w", kind: "Pod", probe: "none", testimony, endedAtMs: END, wanted: true, pods };
  return { workloads: [{ ...base, ...workload }], moves, faults };
}

const TIMES: [phase: string, atMs: number][] = [
  ["Preparing", 98_000],
  ["Frozen", 100_100],
  ["Restoring", 101_000],
  ["Committed", 101_500],
  ["Succeeded", 103_000],
];

/** From n1 to n2; the phases before `upTo`, then `last`. */
export function move(upTo: string, last?: { phase: string; atMs: number }, status: object = {}, more = {}): JudgedMove {
  const count = TIMES.findIndex(([phase]) => phase === upTo) + 1;
  const phases = TIMES.slice(0, count).map(([phase, atMs]) => ({ phase, atMs }));
  if (last) phases.push(last);
  const phase = phases.at(-1)?.phase ?? "";
  const final = {
    metadata: { name: "m", namespace: "t", uid: "u", creationTimestamp: "" },
    spec: { podName: "w" },
    status: { phase, sourceNode: "n1", targetNode: "n2", ...status },
  };
  return { name: "m", namespace: "t", workload: "w", phases, final, stillOpen: false, ...more };
}

export const SUCCEEDED = move("Succeeded");
export const rolledBack = (atMs: number, after = "Frozen"): JudgedMove => move(after, { phase: "RolledBack", atMs });

export function fault(atMs: number, more: Partial<StruckFault> = {}): StruckFault {
  return { id: "f", atMs, undoneAtMs: atMs, ...more };
}

export function taking(by: EndedByFault["by"], of: EndedByFault["of"] = "all", cell = "taken"): Partial<StruckFault> {
  return { ends: [{ workload: "w", cell, by, of }] };
}

function violating(kind: ViolationKind, atMs: number, untilMs = atMs): Testimony {
  const testimony = heard(STEADY);
  testimony.violations.push({ kind, atMs, untilMs, times: 1, instance: "a", text: "what happened" });
  return testimony;
}

export const by = (kind: ViolationKind, atMs: number, untilMs?: number) => ({
  testimony: violating(kind, atMs, untilMs),
});
export const PROBED = { probe: "liveness" } as const;
export const aimed = (phase: string) => ({ move: "m", phase });
export const apiAndTarget = { ...aimed("Frozen"), silences: ["api", "target"] as const };

/** What is judged, how the sentences of the verdict must begin, and the record. */
export type Row = [what: string, expected: string[], record: Case];
