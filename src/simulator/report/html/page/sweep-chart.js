/** A sweep: how a score changes with an option, as curves of means with bands of 95 % intervals. */

import { axis, chart, faint } from "./curves.js";
import { choice, h, svg } from "./elements.js";
import { digits } from "./format.js";
import { CURVE_DASHES, curveColour } from "./theme.js";

/** @import { PageData, PageVariant } from "../page-data.ts" */
/** @import { Estimate, ScoreDescription, Sweep } from "../../../comparing/comparison.ts" */

/** @typedef {{ name: string, points: (PageVariant | undefined)[] }} Curve */

/** Shown first, where there are such scores. */
const FIRST_SCORES = ["kills", "gibMoved"];

/** @param {PageData} data @param {HTMLElement} section @returns {() => void} Draws again. */
export function renderSweeps(data, section) {
  const draws = data.sweeps.map((sweep) => renderSweep(data, sweep, section));
  section.hidden = draws.length === 0;
  return () => {
    for (const draw of draws) draw();
  };
}

/** @param {PageData} data @param {Sweep} sweep @param {HTMLElement} section */
function renderSweep(data, sweep, section) {
  const curves = curvesOf(data, sweep);
  const panels = FIRST_SCORES.map((name, index) => {
    const score = data.scores.find((one) => one.name === name) ?? data.scores[index] ?? data.scores[0];
    return score === undefined ? null : sweepPanel(data, sweep, curves, score);
  }).filter((panel) => panel !== null);
  section.append(
    h("h3", {}, h("code", {}, sweep.path)),
    legend(curves),
    h(
      "div",
      { class: "panels" },
      panels.map(({ element }) => element),
    ),
  );
  return () => {
    for (const { draw } of panels) draw();
  };
}

/** @param {PageData} data @param {Sweep} sweep @param {Curve[]} curves @param {ScoreDescription} first */
function sweepPanel(data, sweep, curves, first) {
  let score = first;
  const place = h("div", { class: "chart" });
  const { field } = choice(
    "Score",
    data.scores.map(({ name, title, unit }) => ({ value: name, text: unit ? `${title} (${unit})` : title })),
    first.name,
    (name) => {
      score = data.scores.find((one) => one.name === name) ?? score;
      table.replaceChildren(figures(sweep, curves, score));
      drawn.draw();
    },
  );
  const drawn = chart(place, 280, () => sweepPlot(sweep, curves, score));
  const table = h("div", { class: "scroll" }, figures(sweep, curves, score));
  const element = h("div", { class: "panel" }, field, place, h("details", {}, h("summary", {}, "As figures"), table));
  return { element, draw: drawn.draw };
}

/** One for each policy and values of the other swept options; no policy and the clairvoyant are the same everywhere. @param {PageData} data @param {Sweep} sweep @returns {Curve[]} */
function curvesOf(data, sweep) {
  /** @type {Map<string, Curve>} */
  const curves = new Map();
  for (const variant of data.variants) {
    const value = variant.parameters.find(({ path }) => path === sweep.path)?.value;
    const others = variant.parameters
      .filter(({ path }) => path !== sweep.path)
      .map((other) => `${other.path}=${other.value}`);
    const name = [variant.policy || variant.name, ...others].join(", ");
    const curve = curves.get(name) ?? { name, points: sweep.values.map(() => undefined) };
    curves.set(name, curve);
    if (value === undefined) curve.points.fill(variant);
    else curve.points[sweep.values.indexOf(value)] = variant;
  }
  return [...curves.values()];
}

/** Where values lie on the axis: at their number when all have one in the same unit, else one after the other. @param {string[]} values */
export function positions(values) {
  const parts = values.map((value) => /^(-?\d+(?:\.\d+)?)(.*)$/.exec(value));
  const unit = parts[0]?.[2];
  const numbers = parts.map((part) => Number(part?.[1]));
  const ascending = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? number));
  return ascending && parts.every((part) => part?.[2] === unit) ? numbers : values.map((_, index) => index);
}

/** @param {Sweep} sweep @param {Curve[]} curves @param {ScoreDescription} score */
function sweepPlot(sweep, curves, score) {
  const x = positions(sweep.values);
  const estimates = curves.map(({ points }) => points.map((variant) => variant?.scores[score.name]?.estimate ?? null));
  /** @type {import("uplot").AlignedData} */
  const data = [
    x,
    ...estimates.flatMap((points) => [
      points.map((point) => point?.mean ?? null),
      points.map((point) => point?.low ?? null),
      points.map((point) => point?.high ?? null),
    ]),
  ];
  const options = {
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { time: false },
      y: {
        range: (/** @type {unknown} */ _, /** @type {number} */ low, /** @type {number} */ high) => rangeFor(low, high),
      },
    },
    axes: [
      axis({ splits: () => x, values: () => sweep.values, size: 34 }),
      axis({ label: score.unit || score.title, size: 52, labelSize: 22, values: (_, ticks) => ticks.map(digits) }),
    ],
    series: [{}, ...curves.flatMap((_, index) => curveSeries(index))],
    bands: curves.map((_, index) => ({
      series: /** @type {[number, number]} */ ([3 * index + 3, 3 * index + 2]),
      fill: faint(curveColour(index), 0.16),
    })),
  };
  return { options, data };
}

/** From zero, with room above. @param {number} low @param {number} high @returns {[number, number]} */
const rangeFor = (low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1];

/** Another one for each six curves, so that no two look the same before there are 36. @param {number} index */
const dashOf = (index) => CURVE_DASHES[(index + Math.floor(index / 6)) % 6] ?? [];

/** A mean's curve and the bounds of its band. @param {number} index */
function curveSeries(index) {
  const bound = { show: true, width: 0, points: { show: false } };
  const mean = {
    stroke: curveColour(index),
    width: 2,
    dash: dashOf(index),
    points: { show: true, size: 6, fill: curveColour(index) },
  };
  return [mean, bound, { ...bound }];
}

/** @param {Curve[]} curves */
function legend(curves) {
  const items = curves.map(({ name }, index) => {
    const dash = dashOf(index).join(" ");
    const line = svg(
      "svg",
      { viewBox: "0 0 34 8", class: `key curve-${index % 6}`, "aria-hidden": "true" },
      svg("path", { d: "M0 4H34", "stroke-dasharray": dash }),
    );
    return h("li", {}, line, name);
  });
  return h("ul", { class: "legend" }, items);
}

/** @param {Sweep} sweep @param {Curve[]} curves @param {ScoreDescription} score */
function figures(sweep, curves, score) {
  const cell = (/** @type {Estimate | null | undefined} */ estimate) =>
    h(
      "td",
      {},
      estimate ? digits(estimate.mean) : "–",
      estimate &&
        estimate.low !== null &&
        estimate.high !== null &&
        h("span", { class: "interval" }, `${digits(estimate.low)} to ${digits(estimate.high)}`),
    );
  return h(
    "table",
    { class: "plain" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, sweep.path),
        curves.map(({ name }) => h("th", { scope: "col" }, name)),
      ),
    ),
    h(
      "tbody",
      {},
      sweep.values.map((value, at) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, value),
          curves.map(({ points }) => cell(points[at]?.scores[score.name]?.estimate)),
        ),
      ),
    ),
  );
}
