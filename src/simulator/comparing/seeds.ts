/**
 * Seeds, and which are for what: a policy's parameters are tuned on seeds that neither the kept scores nor any claim in the docs use, so that
 * nothing is praised for what it was fitted to.
 */

export interface SeedRange {
  /** The first and the last. */
  from: number;
  to: number;
}

/** To try things out on, and what `--seeds 30` takes: 1 to 30. */
export const TUNING_SEEDS: SeedRange = { from: 1, to: 9_999 };
/** Of the scores that are kept in the repository (test/simulator/kept-scores). */
export const SCORE_SEEDS: SeedRange = { from: 10_001, to: 19_999 };
/** Of docs/study.md: `--seeds 20001..20030`. */
export const STUDY_SEEDS: SeedRange = { from: 20_001, to: 29_999 };

const MAX_SEEDS = 10_000;
const MAX_SEED = 2 ** 31 - 1;

/** The first `count` of a range. */
export function firstSeeds({ from }: SeedRange, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** `30`: 1 to 30; `20001..20030`: these. Undefined: not understood. */
export function parseSeeds(text: string): number[] | undefined {
  const [first, last, more] = text.split("..").map((part) => (/^[0-9]{1,10}$/.test(part) ? Number(part) : Number.NaN));
  if (first === undefined || more !== undefined) return undefined;
  const [from, to] = last === undefined ? [TUNING_SEEDS.from, first] : [first, last];
  const count = to - from + 1;
  return count >= 1 && count <= MAX_SEEDS && to <= MAX_SEED ? firstSeeds({ from, to }, count) : undefined;
}
