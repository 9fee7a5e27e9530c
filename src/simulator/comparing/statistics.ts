/** Means with 95 % confidence intervals by Student's t, of single variants and of paired differences. */
import type { Estimate } from "./comparison.ts";

/** Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom. */
const SMALL = [
  12.706204736, 4.30265273, 3.182446305, 2.776445105, 2.570581836, 2.446911851, 2.364624252, 2.306004135, 2.262157163,
  2.228138852,
];
const Z = 1.959963984540054;

/**
 * Two-sided 95 % quantile of Student's t. From 11 degrees of freedom on by Fisher's expansion (Abramowitz & Stegun 26.7.5), which is
 * then exact to five decimals; sums and products alone, so that it is the same everywhere.
 */
export function tQuantile95(degrees: number): number {
  const tabled = SMALL[degrees - 1];
  if (tabled !== undefined) return tabled;
  const [z3, z5, z7, z9] = [Z ** 3, Z ** 5, Z ** 7, Z ** 9];
  const terms = [
    (z3 + Z) / 4,
    (5 * z5 + 16 * z3 + 3 * Z) / 96,
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / 384,
    (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * Z) / 92160,
  ];
  return terms.reduceRight((sum, term) => (sum + term) / degrees, 0) + Z;
}

/** Undefined values are left out. Null: none is defined. */
export function estimate(values: readonly (number | null)[]): Estimate | null {
  const known = values.filter((value) => value !== null);
  const count = known.length;
  if (count === 0) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, low: null, high: null, seeds: 1 };
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = tQuantile95(count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half, seeds: count };
}

/** `values` minus `others`, seed by seed; pairs of which one is not defined are left out. */
export function pairedDifference(
  values: readonly (number | null)[],
  others: readonly (number | null)[],
): Estimate | null {
  return estimate(
    values.map((value, index) => {
      const other = others[index] ?? null;
      return value === null || other === null ? null : value - other;
    }),
  );
}

/** Whether the interval lies wholly on one side of zero: -1 below, 1 above, 0 if zero is in it or it is not known. */
export function sideOfZero({ low, high }: Estimate): -1 | 0 | 1 {
  if (low === null || high === null) return 0;
  if (low > 0) return 1;
  return high < 0 ? -1 : 0;
}
