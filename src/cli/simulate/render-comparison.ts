/** A comparison as tables for people. */
import type { ChalkInstance } from "chalk";
import { between } from "../../simulator/comparing/assemble.ts";
import type { Comparison, Estimate, ScoreDescription } from "../../simulator/comparing/comparison.ts";
import { sideOfZero } from "../../simulator/comparing/statistics.ts";
import { table } from "../table.ts";

/** The scores that fit beside each other; all are in JSON, CSV and HTML. */
export const MAIN_SCORES = [
  "kills",
  "podsKilled",
  "lostPodHours",
  "jobsFinished",
  "podsNeverStarted",
  "slowDownMean",
  "gibMoved",
  "downtimeP95Seconds",
  "nodesFull",
  "regret",
] as const;
/** Seldom other than 0, and a column only then. */
const EXCEPTIONAL: readonly string[] = ["podsNeverStarted"];
const DIFFERENCE_SCORES = ["kills", "podsKilled", "lostPodHours", "gibMoved", "regret"] as const;

export function renderComparison(comparison: Comparison, palette: ChalkInstance): string {
  return [
    headline(comparison),
    "",
    scoreTable(comparison),
    ...differenceTables(comparison, palette),
    "",
    ...explanation(comparison),
  ].join("\n");
}

function headline({ scenario, seeds, seedsAsked }: Comparison): string {
  const { name, nodes, pods, endSeconds } = scenario;
  const counted = seeds.length === seedsAsked ? `${seeds.length}` : `${seeds.length} of ${seedsAsked}`;
  const hours = Number((endSeconds / 3600).toFixed(2));
  return `${name}: ${pods} pods on ${nodes} nodes over ${hours} h, ${counted} seed${seedsAsked === 1 ? "" : "s"}`;
}

function chosen({ scores }: Comparison, names: readonly string[]): ScoreDescription[] {
  return names.flatMap((name) => scores.find((score) => score.name === name) ?? []);
}

const heading = ({ title, unit }: ScoreDescription) => `${title.toUpperCase()}${unit === "" ? "" : ` ${unit}`}`;

function scoreTable(comparison: Comparison): string {
  const scores = chosen(comparison, MAIN_SCORES).filter(
    ({ name }) =>
      !EXCEPTIONAL.includes(name) || comparison.variants.some((variant) => variant.scores[name]?.estimate?.mean),
  );
  const rows = comparison.variants.map(({ name, scores: results }) => [
    name,
    ...scores.map((score) => estimateText(results[score.name]?.estimate ?? null)),
  ]);
  return table(["VARIANT", ...scores.map(heading)], rows);
}

/** `12.3 ±1.4`; without an interval the mean alone. */
export function estimateText(estimate: Estimate | null): string {
  if (estimate === null) return "-";
  const { mean, high } = estimate;
  return high === null ? figure(mean) : `${figure(mean)} ±${figure(high - mean)}`;
}

/** Three digits, or all of a whole number. */
export function figure(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const rounded = Number(value.toPrecision(3));
  const text = Math.abs(rounded) >= 1000 || Math.abs(rounded) < 1e-6 ? String(Math.round(rounded)) : String(rounded);
  return text === "-0" ? "0" : text;
}

/** Nothing where there is nothing to compare: a single seed has no interval. */
function differenceTables(comparison: Comparison, palette: ChalkInstance): string[] {
  if (comparison.seeds.length < 2) return [];
  const none = comparison.variants.find(({ role }) => role === "None");
  const others = comparison.variants.filter(({ role }) => role !== "None");
  const againstNone = none === undefined ? [] : others.map((variant) => between(variant, none));
  const { shown, leftOut } = readable(comparison);
  const rows = [...againstNone, ...shown];
  if (rows.length === 0) return [];
  const scores = chosen(comparison, DIFFERENCE_SCORES);
  const verdicts = rows.map((row) => scores.map((score) => verdict(score, row.scores[score.name] ?? null)));
  const cells = rows.map(({ variant, minus, scores: results }, row) => [
    `${variant} − ${minus}`,
    ...scores.map((score, column) => differenceText(results[score.name] ?? null, verdicts[row]?.[column])),
  ]);
  const colours = { better: palette.green, worse: palette.red, other: palette.reset };
  const paint = (cell: string, row: number, column: number) => {
    const found = verdicts[row]?.[column - 1];
    return found === "better" || found === "worse" ? colours[found](cell) : cell;
  };
  const more = leftOut === 0 ? [] : [`${leftOut} more between policies: --json, --csv and --html hold them.`];
  return ["", "Differences, seed by seed:", table(["", ...scores.map(heading)], cells, paint), ...more];
}

/** Maximum number of differences between policies. A sweep with more shows only the differences from the first policy. */
const MOST_DIFFERENCES = 6;

function readable({ variants, differences }: Comparison) {
  const first = variants.find(({ role }) => role === "Policy")?.name;
  const shown =
    differences.length <= MOST_DIFFERENCES
      ? differences
      : differences.filter(({ variant, minus }) => variant === first || minus === first);
  return { shown, leftOut: differences.length - shown.length };
}

type Verdict = "better" | "worse" | "other" | "none";

function verdict({ better }: ScoreDescription, difference: Estimate | null): Verdict {
  const side = difference === null ? 0 : sideOfZero(difference);
  if (side === 0) return "none";
  if (better === "Neither") return "other";
  return side < 0 === (better === "Lower") ? "better" : "worse";
}

function differenceText(difference: Estimate | null, found: Verdict | undefined): string {
  if (difference === null) return "-";
  const { mean, low, high } = difference;
  const text = `${mean > 0 ? "+" : ""}${figure(mean)}`;
  if (low === null || high === null) return text;
  const mark = found === "better" || found === "worse" ? ` ${found}` : "";
  return `${text} [${figure(low)}, ${figure(high)}]${mark}`;
}

function explanation({ seeds, scenario }: Comparison): string[] {
  const reserve = `Reserve: ${Number((scenario.reserveFraction * 100).toFixed(2))}% of each node.`;
  if (seeds.length < 2) return [`${reserve} One seed has no intervals: --seeds 30 gives them.`];
  return [
    `Means ± 95 % confidence intervals (Student's t); “better” and “worse”: the interval of the difference excludes zero. ${reserve}`,
  ];
}
