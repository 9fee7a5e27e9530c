/** What a run cost in one figure, and how much of that was not needed. */
import type { RunRecord } from "../run-record.ts";
import { frozenPodHours } from "./moves.ts";
import type { Score } from "./score.ts";
import { lostPodHours } from "./work.ts";

/** Pod-hours in which nothing was gained: work done for nothing, and time in which pods stood still. */
const cost = (run: RunRecord) => lostPodHours(run) + frozenPodHours(run);

export const COST: Score = {
  name: "cost",
  title: "Cost",
  unit: "pod·h",
  better: "Lower",
  doc: "Work lost to kills and evictions, plus the time that pods stood still in moves.",
  of: cost,
};

/** Made from {@link COST} of two runs of one seed; see {@link withRegret}. */
export const REGRET: Score = {
  name: "regret",
  title: "Regret",
  unit: "pod·h",
  better: "Lower",
  doc: "Cost beyond that of the clairvoyant reference with the same seed.",
  of: () => null,
};

/** A run's scores completed by its regret to the reference's scores of the same seed. */
export function withRegret(
  scores: Readonly<Record<string, number | null>>,
  reference: Readonly<Record<string, number | null>>,
): Record<string, number | null> {
  const [own, least] = [scores[COST.name], reference[COST.name]];
  const known = typeof own === "number" && typeof least === "number";
  return { ...scores, [REGRET.name]: known ? own - least : null };
}
