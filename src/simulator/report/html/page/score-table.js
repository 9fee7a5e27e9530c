/** The scores of every variant: means, 95 % intervals, and whether they are better or worse than no policy at all. */
import { choice, h, svg } from "./elements.js";
import { counted, digits } from "./format.js";

/** @import { PageData, PageVariant } from "../page-data.ts" */
/** @import { Estimate, ScoreDescription } from "../../../comparing/comparison.ts" */

/** More variants than this are shown only when asked for. */
const COLUMNS = 8;

/** Shown before all others are asked for. */
const MAIN_SCORES = [
  "kills",
  "podsKilled",
  "lostPodHours",
  "jobsFinished",
  "podsNeverStarted",
  "slowDownMean",
  "aboveReserveGibHours",
  "gibMoved",
  "movesPerHour",
  "downtimeSeconds",
  "nodesFull",
  "regret",
];
/** Of them, those that are shown only where a variant has other than 0. */
const EXCEPTIONAL = ["podsNeverStarted"];

/** @param {PageData} data @param {HTMLElement} section */
export function renderScores(data, section) {
  const place = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores of every variant" });
  const state = { variants: "first", scores: "main", against: noneOf(data) };
  const show = (/** @type {Partial<typeof state>} */ change) => {
    Object.assign(state, change);
    const judge = judgeFor(data, state.against);
    place.replaceChildren(scoreTable(scoresFor(data, state.scores), variantsFor(data, state.variants), judge));
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
  const against = baselineChoice(data, (value) => show({ against: value }));
  show({});
  section.append(
    h("p", { class: "lead" }, leadText(data)),
    h("div", { class: "toolbar" }, scores.field, variants, against),
    place,
    meanings(data.scores),
  );
}

/** @typedef {(variant: PageVariant, score: string) => Estimate | null} Judge How much more a variant has than what it is judged against. */

/** @param {PageData} data */
const noneOf = ({ variants }) => variants.find(({ role }) => role === "None")?.name ?? "";

/** @param {PageData} data @param {string} against @returns {Judge} */
function judgeFor(data, against) {
  if (against === noneOf(data)) return ({ scores }, score) => scores[score]?.againstNone ?? null;
  const pairs = new Map(data.differences.map((pair) => [`${pair.variant}\n${pair.minus}`, pair.scores]));
  return ({ name, role }, score) => {
    if (role === "None")
      return turned(data.variants.find((variant) => variant.name === against)?.scores[score]?.againstNone ?? null);
    return pairs.get(`${name}\n${against}`)?.[score] ?? turned(pairs.get(`${against}\n${name}`)?.[score] ?? null);
  };
}

/** The difference the other way round. @param {Estimate | null} difference */
function turned(difference) {
  if (difference === null) return null;
  const { mean, low, high, seeds } = difference;
  return { mean: -mean, low: high === null ? null : -high, high: low === null ? null : -low, seeds };
}

/** No policy, or one that others are paired with. @param {PageData} data @param {(value: string) => void} onChoice */
function baselineChoice(data, onChoice) {
  const paired = new Set(data.differences.flatMap(({ variant, minus }) => [variant, minus]));
  const names = data.variants.map(({ name }) => name).filter((name) => name === noneOf(data) || paired.has(name));
  const options = names.map((name) => ({ value: name, text: name }));
  return names.length > 1 && choice("Better or worse than", options, noneOf(data), onChoice).field;
}

/** Those that some variant has. @param {PageData} data @param {string} which */
function scoresFor({ scores, variants }, which) {
  const known = scores.filter(({ name }) => variants.some((variant) => variant.scores[name]?.estimate));
  const isQuiet = (/** @type {string} */ name) =>
    EXCEPTIONAL.includes(name) && !variants.some((variant) => variant.scores[name]?.estimate?.mean);
  const main = known.filter(({ name }) => MAIN_SCORES.includes(name) && !isQuiet(name));
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
      ? "Means over all seeds, each with its 95 % interval. ▼ better and ▲ worse: the interval of the difference, paired seed by seed, excludes zero."
      : "One seed: no intervals, so nothing is said to be better or worse.";
  return `${counted(seeds, "seed")}.${interrupted} ${intervals}`;
}

/** @param {ScoreDescription[]} scores @param {PageVariant[]} variants @param {Judge} judge */
function scoreTable(scores, variants, judge) {
  const heads = variants.map(variantHead);
  return h(
    "table",
    { class: "scores" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Score"), heads)),
    h(
      "tbody",
      {},
      scores.map((score) => scoreRow(score, variants, judge)),
    ),
  );
}

/** @param {ScoreDescription} score @param {PageVariant[]} variants @param {Judge} judge */
function scoreRow(score, variants, judge) {
  const scale = scaleOf(score, variants);
  const aim = { Lower: "less is better", Higher: "more is better", Neither: "" }[score.better];
  const unit = [score.unit, aim].filter((text) => text !== "").join(", ");
  const head = h("th", { scope: "row", title: score.doc }, score.title, unit !== "" && h("small", {}, unit));
  return h(
    "tr",
    {},
    head,
    variants.map((variant) =>
      scoreCell(score, variant.scores[score.name]?.estimate, judge(variant, score.name), scale),
    ),
  );
}

const ROLES = { None: "no policy at all", Clairvoyant: "knows the future", Policy: "" };

/** Swept options on lines of their own. @param {PageVariant} variant */
function variantHead({ name, role, policy, parameters }) {
  const options = parameters.map(({ path, value }) =>
    h(
      "small",
      {},
      path.split(".").flatMap((part, index) => (index === 0 ? [part] : [h("wbr", {}), `.${part}`])),
      "=",
      value,
    ),
  );
  return h(
    "th",
    { scope: "col" },
    parameters.length === 0 ? name : policy,
    ROLES[role] !== "" && h("small", {}, ROLES[role]),
    options,
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

/** @param {ScoreDescription} score @param {Estimate | null | undefined} estimate @param {Estimate | null} difference @param {{ low: number, high: number }} scale */
function scoreCell(score, estimate, difference, scale) {
  if (!estimate) return h("td", { class: "none" }, h("span", { title: "not defined here" }, "–"));
  const { mean, low, high } = estimate;
  const interval = low !== null && high !== null && low !== high ? `${digits(low)} to ${digits(high)}` : "";
  const { word, text } = verdict(score, difference);
  return h(
    "td",
    { class: word },
    h("b", {}, digits(mean)),
    h("span", { class: "interval" }, interval),
    bar(mean, low ?? mean, high ?? mean, scale),
    text !== "" && h("span", { class: "verdict" }, text),
  );
}

/** @param {ScoreDescription} score @param {Estimate | null} difference */
export function verdict({ better }, difference) {
  if (better === "Neither" || difference === null || difference.low === null || difference.high === null)
    return { word: "", text: "" };
  if (difference.low <= 0 && difference.high >= 0) return { word: "", text: "" };
  const improved = difference.mean < 0 === (better === "Lower");
  const by = `${difference.mean < 0 ? "" : "+"}${digits(difference.mean)}`;
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
