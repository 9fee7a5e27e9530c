/** What happened, in words and in order of time: the same as the marks, for reading and for the keyboard. */
import { choice, h } from "./elements.js";
import { bytes, clock, counted, duration } from "./format.js";
import { GLYPHS, glyphInText, glyphOf } from "./glyphs.js";
import { chooseMark } from "./node-chart.js";
import { endOf } from "./run.js";

/** @import { Mark } from "../page-data.ts" */
/** @import { Run } from "./run.js" */
/** @import { View, ViewStore } from "./view.js" */

const PAGE = 50;

/** @param {ViewStore} store @param {HTMLElement} section */
export function renderEventList(store, section) {
  const state = { where: "node", what: "all", shown: PAGE };
  const table = h("div", { class: "scroll events", tabindex: 0, role: "region", "aria-label": "Events" });
  const count = h("p", { class: "hint" });
  const update = () => list(store, state, table, count, update);
  const changed = (/** @type {Partial<typeof state>} */ change) => {
    Object.assign(state, { shown: PAGE }, change);
    update();
  };
  const where = choice(
    "Events of",
    [
      { value: "node", text: "this node" },
      { value: "all", text: "all nodes" },
    ],
    state.where,
    (value) => changed({ where: value }),
  );
  const kinds = [
    { value: "all", text: "everything" },
    { value: "Loss", text: "kills and evictions" },
    { value: "LimitKill", text: "kills at a pod's own limit" },
    { value: "Move", text: "moves" },
    { value: "Gate", text: "gates" },
    { value: "NodesFull", text: "no room" },
  ];
  const what = choice("Show", kinds, state.what, (value) => changed({ what: value }));
  section.append(
    h("h3", {}, "Events in the time shown"),
    h("div", { class: "toolbar" }, where.field, what.field),
    table,
    count,
  );
  store.watch((view, keys) => {
    if (keys.size === 1 && keys.has("decision")) return;
    if (!keys.has("mark")) state.shown = PAGE;
    const asBefore = !keys.has("run") && !keys.has("from") && !keys.has("to");
    if (keys.has("mark") && asBefore && isShown(table, view)) mark(table, view);
    else update();
  });
  update();
}

/** The chosen row; the list stays as it is. @param {HTMLElement} table @param {View} view */
function mark(table, view) {
  for (const row of table.querySelectorAll("tbody tr")) {
    if (rows.get(row) === view.mark) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

/** @param {HTMLElement} table @param {View} view */
const isShown = (table, view) => [...table.querySelectorAll("tbody tr")].some((row) => rows.get(row) === view.mark);

/** @type {WeakMap<Element, Mark>} */
const rows = new WeakMap();

/** @param {ViewStore} store @param {{ where: string, what: string, shown: number }} state @param {HTMLElement} table @param {HTMLElement} count @param {() => void} update */
function list(store, state, table, count, update) {
  const view = store.get();
  const all = state.where === "node" ? (view.run.marksOf[view.node] ?? []) : view.run.facts.marks;
  const marks = all.filter(
    (mark) => isOf(mark, state.what) && mark.at <= view.to && endOf(mark, view.run) >= view.from,
  );
  const shown = marks.slice(0, state.shown);
  const more =
    marks.length > shown.length &&
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          state.shown += 200;
          update();
        },
      },
      `Show more of ${counted(marks.length, "event")}`,
    );
  table.replaceChildren(
    ...(shown.length === 0
      ? [h("p", { class: "empty" }, "Nothing of this kind in the time shown.")]
      : [eventTable(store, shown), ...(more ? [more] : [])]),
  );
  const leftOut = view.run.facts.marksLeftOut;
  count.textContent = [
    counted(marks.length, "event"),
    leftOut > 0 ? `${counted(leftOut, "event")} of this run left out of the page` : "",
  ]
    .filter((text) => text !== "")
    .join("; ");
  mark(table, view);
}

/** @param {Mark} mark @param {string} what */
const isOf = (mark, what) =>
  what === "all" || mark.kind === what || (what === "Loss" && (mark.kind === "Kill" || mark.kind === "Eviction"));

/** @param {ViewStore} store @param {Mark[]} marks */
function eventTable(store, marks) {
  const heads = ["Time", "What", "Pod", "Node", "More"].map((text) => h("th", { scope: "col" }, text));
  return h(
    "table",
    { class: "plain" },
    h("thead", {}, h("tr", {}, heads)),
    h(
      "tbody",
      {},
      marks.map((mark) => eventRow(store, mark)),
    ),
  );
}

/** @param {ViewStore} store @param {Mark} mark */
function eventRow(store, mark) {
  const { run, node } = store.get();
  const glyph = glyphOf(
    mark,
    mark.kind === "Move" && mark.to === node && mark.from !== node
      ? node
      : mark.kind === "Move"
        ? mark.from
        : mark.node,
  );
  const text = mark.kind === "Move" && glyph !== "MoveFailed" ? "moved" : GLYPHS[glyph].text;
  const time = h(
    "button",
    {
      type: "button",
      class: "link",
      onclick: () => chooseMark(store, mark),
      "aria-label": `${text} at ${clock(mark.at)}: show why`,
    },
    clock(mark.at),
  );
  const row = h(
    "tr",
    { onclick: () => chooseMark(store, mark) },
    h("td", {}, time),
    h("td", { class: "what" }, glyphInText(glyph), text),
    h("td", {}, "pod" in mark ? mark.pod : ""),
    h("td", {}, nodesText(run, mark)),
    h("td", {}, moreText(mark)),
  );
  rows.set(row, mark);
  return row;
}

/** @param {Run} run @param {Mark} mark */
export function nodesText({ facts: { nodes } }, mark) {
  return mark.kind === "Move"
    ? `${nodes[mark.from]?.name ?? "?"} → ${nodes[mark.to]?.name ?? "?"}`
    : (nodes[mark.node]?.name ?? "?");
}

const CAUSES = { Kill: "its node was out of memory; ", LimitKill: "it was over its own limit; ", Eviction: "" };
const OUTCOMES = { Succeeded: "", RolledBack: "rolled back; ", Lost: "lost on the way; " };

/** @param {Mark} mark */
export function moreText(mark) {
  switch (mark.kind) {
    case "Kill":
    case "LimitKill":
    case "Eviction":
      return `${CAUSES[mark.kind]}${duration(mark.lostSeconds)} of work lost`;
    case "Move": {
      const took =
        mark.end === undefined
          ? "not done when the run ended"
          : `took ${duration(mark.end - mark.at)}, frozen ${duration(mark.frozenSeconds ?? 0)}`;
      return `${bytes(mark.bytes)}; ${mark.outcome ? OUTCOMES[mark.outcome] : ""}${took}`;
    }
    case "Gate":
      return `policy ${mark.policy}; ${mark.end === undefined ? "still closed when the run ended" : `for ${duration(mark.end - mark.at)}`}`;
    case "NodesFull":
      return `policy ${mark.policy}; ${counted(mark.times ?? 1, "evaluation")}`;
  }
}
