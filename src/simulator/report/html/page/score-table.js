/** The scores of every variant: means, 95 % intervals, and whether they are better or worse than no policy at all. */
import { choice, h, svg } from "./elements.js";
import { counted, inUnit } from "./format.js";

/** @import { PageData, PageScore, PageVariant } from "../page-data.ts" */
/** @import { ScoreDescription } from "../../../comparing/comparison.ts" */

/** More variants than this are shown only when asked for. */
const COLUMNS = 8;

/** Shown before all others are asked for. */
const MAIN_SCORES = [
  "kills",
  "lostPodHours",
  "jobsFinished",
  "slowDownMean",
  "aboveReserveGibHours",
  "gibMoved",
  "movesPerHour",
  "downtimeSeconds",
  "nodesFull",
  "regret",
];

/** @param {PageData} data @param {HTMLElement} section */
export function renderScores(data, section) {
  const place = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores of every variant" });
  const state = { variants: "first", scores: "main" };
  const show = (/** @type {Partial<typeof state>} */ change) => {
    Object.assign(state, change);
    place.replaceChildren(scoreTable(scoresFor(data, state.scores), variantsFor(data, state.variants)));
  };
  const scores = choice(
    "Scores",
    [
      { value: "main", text: "the main ones" },
      { value: "all", text: `all ${data.scores.length}` },
    ],
    "main",
    (value) => show({ scores: value }),
  );
  const variants = data.variants.length > COLUMNS && variantChoice(data, (value) => show({ variants: value }));
  show({});
  section.append(
    h("p", { class: "lead" }, leadText(data)),
    h("div", { class: "toolbar" }, scores.field, variants),
    place,
    meanings(data.scores),
  );
}

/** Those that some variant has. @param {PageData} data @param {string} which */
function scoresFor({ scores, variants }, which) {
  const known = scores.filter(({ name }) => variants.some((variant) => variant.scores[name]?.estimate));
  const main = known.filter(({ name }) => MAIN_SCORES.includes(name));
  return which === "all" || main.length === 0 ? known : main;
}

/** @param {PageData} data @param {(which: string) => void} show */
function variantChoice(data, show) {
  const policies = [...new Set(data.variants.filter(({ role }) => role === "Policy").map(({ policy }) => policy))];
  const options = [
    { value: "first", text: `the first ${COLUMNS}` },
    { value: "all", text: `all ${data.variants.length}` },
    ...(policies.length > 1 ? policies.map((policy) => ({ value: `policy ${policy}`, text: policy })) : []),
  ];
  return choice("Variants", options, "first", show).field;
}

/** @param {PageData} data @param {string} which */
function variantsFor({ variants }, which) {
  if (which === "all") return variants;
  if (which === "first") return variants.slice(0, COLUMNS);
  return variants.filter(({ role, policy }) => role !== "Policy" || `policy ${policy}` === which);
}

/** @param {PageData} data */
function leadText({ seeds, seedsAsked }) {
  const interrupted = seeds < seedsAsked ? ` Interrupted: ${seedsAsked} seeds were asked for.` : "";
  const intervals =
    seeds > 1
      ? "Means over all seeds, each with its 95 % interval. ▼ better and ▲ worse say that the paired difference from no policy is not by chance: its interval excludes zero."
      : "One seed: no intervals, so nothing is said to be better or worse.";
  return `${counted(seeds, "seed")}.${interrupted} ${intervals}`;
}

/** @param {ScoreDescription[]} scores @param {PageVariant[]} variants */
function scoreTable(scores, variants) {
  const heads = variants.map(({ name, role }) =>
    h(
      "th",
      { scope: "col" },
      name,
      role === "None" && h("small", {}, "no policy at all"),
      role === "Clairvoyant" && h("small", {}, "knows the future"),
    ),
  );
  return h(
    "table",
    { class: "scores" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Score"), heads)),
    h(
      "tbody",
      {},
      scores.map((score) => scoreRow(score, variants)),
    ),
  );
}

/** @param {ScoreDescription} score @param {PageVariant[]} variants */
function scoreRow(score, variants) {
  const scale = scaleOf(score, variants);
  const aim = { Lower: "less is better", Higher: "more is better", Neither: "" }[score.better];
  const unit = [score.unit, aim].filter((text) => text !== "").join(", ");
  const head = h("th", { scope: "row", title: score.doc }, score.title, unit !== "" && h("small", {}, unit));
  return h(
    "tr",
    {},
    head,
    variants.map(({ scores }) => scoreCell(score, scores[score.name], scale)),
  );
}

/** The lowest and highest figure of a row. @param {ScoreDescription} score @param {PageVariant[]} variants */
function scaleOf(score, variants) {
  const figures = variants.flatMap(({ scores }) => {
    const estimate = scores[score.name]?.estimate;
    return estimate ? [estimate.mean, estimate.low ?? estimate.mean, estimate.high ?? estimate.mean] : [];
  });
  return { low: Math.min(0, ...figures), high: Math.max(...figures, 0) };
}

/** @param {ScoreDescription} score @param {PageScore | undefined} result @param {{ low: number, high: number }} scale */
function scoreCell(score, result, scale) {
  const estimate = result?.estimate;
  if (!estimate) return h("td", { class: "none" }, h("span", { title: "not defined here" }, "–"));
  const { mean, low, high } = estimate;
  const interval = low !== null && high !== null && low !== high ? `${inUnit(low, "")} to ${inUnit(high, "")}` : "";
  const { word, text } = verdict(score, result?.againstNone ?? null);
  return h(
    "td",
    { class: word },
    h("b", {}, inUnit(mean, "")),
    h("span", { class: "interval" }, interval),
    bar(mean, low ?? mean, high ?? mean, scale),
    text !== "" && h("span", { class: "verdict" }, text),
  );
}

/** @param {ScoreDescription} score @param {PageScore["againstNone"]} difference */
export function verdict({ better }, difference) {
  if (better === "Neither" || difference === null || difference.low === null || difference.high === null)
    return { word: "", text: "" };
  if (difference.low <= 0 && difference.high >= 0) return { word: "", text: "" };
  const improved = difference.mean < 0 === (better === "Lower");
  const by = `${difference.mean < 0 ? "−" : "+"}${inUnit(Math.abs(difference.mean), "")}`;
  return improved ? { word: "better", text: `▼ better, ${by}` } : { word: "worse", text: `▲ worse, ${by}` };
}

/** Mean and interval on the scale that a row's cells share. @param {number} mean @param {number} low @param {number} high @param {{ low: number, high: number }} scale */
function bar(mean, low, high, scale) {
  const x = (/** @type {number} */ value) =>
    scale.high > scale.low ? (96 * (value - scale.low)) / (scale.high - scale.low) + 2 : 2;
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", x: 0, y: 3, width: 100, height: 2 }),
    svg("rect", { class: "range", x: x(low), y: 2, width: Math.max(0.8, x(high) - x(low)), height: 4 }),
    svg("rect", { class: "mean", x: x(mean) - 1, y: 0, width: 2, height: 8 }),
  );
}

/** @param {ScoreDescription[]} scores */
function meanings(scores) {
  const list = scores.flatMap(({ title, unit, doc }) => [
    h("dt", {}, unit === "" ? title : `${title} (${unit})`),
    h("dd", {}, doc),
  ]);
  return h("details", {}, h("summary", {}, "What the scores count"), h("dl", { class: "meanings" }, list));
}
