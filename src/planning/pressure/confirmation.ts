/**
 * Which pressure counts: only that which enough of the last evaluations saw (k of n), and, once it counts, until more is free
 * than it took to begin. Both are remembered between evaluations; without memory a node is confirmed anew, which is later.
 */
import type { Policy } from "../policy.ts";
import type { PlanningMemory } from "../snapshot.ts";

export interface Confirmation {
  /** So many of the last `of` evaluations, this one included, must see the pressure. */
  needed: number;
  of: number;
}

/** What is remembered of pressure. Keys are `policy/node`. */
export type PressureMemory = Pick<PlanningMemory, "confirmations" | "relieving">;

export interface PressureTracker {
  /** Confirmed by an earlier evaluation, and not yet as much free as is wanted. */
  isRelieving(policy: Policy, node: string): boolean;
  /** Enters what this evaluation saw; true when the pressure counts. Once for each policy that is due and node. */
  note(policy: Policy, node: string, pressured: boolean): boolean;
  /** A policy whose turn it is not: what was remembered of the node stays. */
  keep(policy: Policy, node: string): void;
  memory(): PressureMemory;
}

export function trackPressure(before: PressureMemory | undefined): PressureTracker {
  const seenBefore = before?.confirmations ?? {};
  const relievingBefore = new Set(before?.relieving);
  const confirmations: Record<string, string> = {};
  const relieving = new Set<string>();
  const keyOf = (policy: Policy, node: string) => `${policy.name}/${node}`;
  const seen = (key: string) => (Object.hasOwn(seenBefore, key) ? (seenBefore[key] ?? "") : "");

  const isRelieving = (policy: Policy, node: string) =>
    policy.freeUntil !== undefined && relievingBefore.has(keyOf(policy, node));

  return {
    isRelieving,
    note(policy, node, pressured) {
      const key = keyOf(policy, node);
      const { needed, of } = policy.confirmation;
      const window = `${seen(key)}${pressured ? "1" : "0"}`.slice(-of);
      if (of > 1 && window.includes("1")) confirmations[key] = window;
      const counts = pressured && (isRelieving(policy, node) || window.split("1").length - 1 >= needed);
      if (counts && policy.freeUntil !== undefined) relieving.add(key);
      return counts;
    },
    keep(policy, node) {
      const key = keyOf(policy, node);
      if (seen(key) !== "") confirmations[key] = seen(key);
      if (relievingBefore.has(key)) relieving.add(key);
    },
    memory: () => ({
      ...(Object.keys(confirmations).length > 0 && { confirmations }),
      ...(relieving.size > 0 && { relieving: [...relieving].sort() }),
    }),
  };
}
