/** The overview of all nodes: scrolled, zoomed and chosen from, by pointer and by keyboard. */
import { choice, h, oncePerFrame, sized } from "./elements.js";
import { bytes, counted, losses, percent } from "./format.js";
import { GLYPHS, glyphInText } from "./glyphs.js";
import { paintOverview, reading, rowTop } from "./overview-painting.js";
import { tally, usedAt } from "./run.js";
import { colours } from "./theme.js";
import { panned, stretch, zoomed } from "./view.js";

/** @import { Layout } from "./overview-painting.js" */
/** @import { View, ViewStore } from "./view.js" */
/** @import { Run } from "./run.js" */

/** @typedef {"name" | "trouble" | "peak"} Order */

const TOP = 20;
const MOST_HEIGHT = 520;
/** With more nodes than this rows begin without names. */
const NAMED_ROWS = 60;

/**
 * @param {ViewStore} store
 * @param {HTMLElement} section
 * @param {number} reserve Fraction of a node's capacity.
 */
export function renderOverview(store, section, reserve) {
  const canvas = h("canvas", { class: "heat" });
  const spacer = h("div", { class: "spacer" }, canvas);
  const frame = h(
    "div",
    {
      class: "overview",
      tabindex: 0,
      role: "application",
      "aria-label": "Memory of every node over time",
      "aria-describedby": "overview-keys",
    },
    spacer,
  );
  const spoken = h("p", { class: "spoken", "aria-live": "polite" });
  const readout = h("p", { class: "readout" });
  const many = store.get().run.facts.nodes.length > NAMED_ROWS;
  const settings = { order: /** @type {Order} */ (many ? "trouble" : "name"), named: !many };
  const part = { store, canvas, spacer, frame, readout, spoken, settings, reserve };
  const draw = oncePerFrame(() => paint(part));
  section.append(toolbar(part, draw), legend(), frame, readout, spoken, keys());
  listen(part, draw);
  new ResizeObserver(draw).observe(frame);
  store.watch((view, changed) => {
    if (changed.has("node")) reveal(part, view);
    draw();
  });
  draw();
  return draw;
}

/** @typedef {{ store: ViewStore, canvas: HTMLCanvasElement, spacer: HTMLElement, frame: HTMLElement, readout: HTMLElement, spoken: HTMLElement, settings: { order: Order, named: boolean }, reserve: number }} Part */

/** @param {Part} part @param {() => void} draw */
function toolbar(part, draw) {
  const { store, settings } = part;
  const orders = [
    { value: "name", text: "as in the cluster file" },
    { value: "trouble", text: "kills, then moves" },
    { value: "peak", text: "highest use" },
  ];
  const order = choice("Order", orders, settings.order, (value) => {
    settings.order = /** @type {Order} */ (value);
    draw();
  });
  const named = h("input", {
    type: "checkbox",
    checked: settings.named,
    onchange: () => {
      settings.named = named.checked;
      draw();
    },
  });
  const button = (
    /** @type {string} */ text,
    /** @type {string} */ label,
    /** @type {(view: View) => Partial<View>} */ change,
  ) =>
    h(
      "button",
      { type: "button", "aria-label": label, title: label, onclick: () => store.set(change(store.get())) },
      text,
    );
  return h(
    "div",
    { class: "toolbar" },
    order.field,
    h("label", { class: "check" }, named, "rows with names"),
    h(
      "div",
      { class: "buttons", role: "group", "aria-label": "Time shown" },
      button("◀", "Earlier", (view) => panned(view, -0.5)),
      button("▶", "Later", (view) => panned(view, 0.5)),
      button("+", "Zoom in", (view) => zoomed(view, 2)),
      button("−", "Zoom out", (view) => zoomed(view, 0.5)),
      button("Whole run", "Show the whole run", (view) => stretch(view, 0, view.run.facts.endSeconds)),
    ),
  );
}

function legend() {
  const items = Object.entries(GLYPHS).map(([name, { text }]) =>
    h("li", {}, glyphInText(/** @type {keyof typeof GLYPHS} */ (name)), text),
  );
  const ramp = h(
    "li",
    {},
    h("span", { class: "ramp", "aria-hidden": "true" }),
    "memory used, from none to the reserve",
  );
  const over = h(
    "li",
    {},
    h("span", { class: "ramp over", "aria-hidden": "true" }),
    "above the reserve, to out of memory",
  );
  return h("ul", { class: "legend" }, ramp, over, items);
}

function keys() {
  return h(
    "p",
    { id: "overview-keys", class: "hint" },
    "Click a row for its node; drag to zoom, double-click for the whole run. Keys: ↑ ↓ node, ← → time, + − zoom, 0 whole run.",
  );
}

/** @param {Run} run @param {Order} order */
function ordered(run, order) {
  const nodes = run.facts.nodes.map((_, node) => node);
  if (order === "name") return nodes;
  const weight = nodes.map((node) => {
    const { kills, evictions, moves } = tally(run.marksOf[node] ?? []);
    const { peakUsedBytes = 0, capacityBytes = 1 } = run.facts.nodes[node] ?? {};
    const peak = peakUsedBytes / capacityBytes;
    return order === "peak" ? peak : (kills + evictions) * 1e6 + moves * 1e2 + peak;
  });
  return nodes.sort((a, b) => (weight[b] ?? 0) - (weight[a] ?? 0) || a - b);
}

/** @type {WeakMap<Run, Partial<Record<Order, number[]>>>} */
const orders = new WeakMap();

/** @param {Part} part @returns {Layout} */
function layoutOf({ store, frame, settings }) {
  const { run } = store.get();
  const known = orders.get(run) ?? {};
  orders.set(run, known);
  known[settings.order] ??= ordered(run, settings.order);
  const order = known[settings.order] ?? [];
  const rows = Math.max(1, order.length);
  const rowHeight = settings.named
    ? rows <= 24
      ? 22
      : 14
    : Math.max(1, Math.min(14, Math.floor((MOST_HEIGHT - TOP) / rows)));
  const height = Math.min(MOST_HEIGHT, TOP + rows * rowHeight);
  const width = Math.max(200, frame.clientWidth);
  const left = rowHeight < 11 ? 12 : Math.round(Math.min(150, width * 0.22));
  return { width, height, left, top: TOP, rowHeight, scrolled: frame.scrollTop, order };
}

/** @param {Part} part */
function paint(part) {
  const { frame, spacer, canvas, store, reserve } = part;
  const before = layoutOf(part);
  frame.style.height = `${before.height}px`;
  spacer.style.height = `${TOP + before.order.length * before.rowHeight}px`;
  const layout = layoutOf(part);
  const context = sized(canvas, layout.width, layout.height);
  if (context !== null) paintOverview(context, store.get(), layout, colours(), reserve);
}

/** @param {Part} part @param {View} view */
function reveal(part, { run, node }) {
  const layout = layoutOf(part);
  const top = layout.order.indexOf(node) * layout.rowHeight;
  const room = layout.height - TOP - layout.rowHeight;
  if (top < part.frame.scrollTop) part.frame.scrollTop = top;
  else if (top > part.frame.scrollTop + room) part.frame.scrollTop = top - room;
  part.readout.textContent = named(run, node);
  part.spoken.textContent = part.readout.textContent;
}

/** @param {Run} run @param {number} node */
const named = (run, node) => `${run.facts.nodes[node]?.name ?? ""}: ${summary(run, node)}`;

/** @param {Run} run @param {number} node */
export function summary(run, node) {
  const facts = run.facts.nodes[node];
  if (facts === undefined) return "";
  const moves = (run.marksOf[node] ?? []).filter((mark) => mark.kind === "Move");
  const away = moves.filter((mark) => mark.kind === "Move" && mark.from === node).length;
  return [
    `${bytes(facts.capacityBytes)}, peak ${percent(facts.peakUsedBytes / facts.capacityBytes)}, mean ${percent(facts.meanUsedBytes / facts.capacityBytes)}`,
    ...losses(tally(run.marksOf[node] ?? [])),
    `${counted(away, "move")} away, ${moves.length - away} here`,
  ].join(" · ");
}

/** @param {Part} part @param {() => void} draw */
function listen(part, draw) {
  const { frame, canvas, store } = part;
  frame.addEventListener("scroll", draw, { passive: true });
  frame.addEventListener("keydown", (event) => {
    const change = keyed(part, event.key);
    if (change === null) return;
    event.preventDefault();
    store.set(change);
  });
  listenToPointer(part, canvas);
}

/** @param {Part} part @param {string} key @returns {Partial<View> | null} */
function keyed(part, key) {
  const view = part.store.get();
  const { order } = layoutOf(part);
  const row = order.indexOf(view.node);
  const toRow = (/** @type {number} */ next) => ({
    node: order[Math.max(0, Math.min(order.length - 1, next))] ?? view.node,
  });
  switch (key) {
    case "ArrowUp":
      return toRow(row - 1);
    case "ArrowDown":
      return toRow(row + 1);
    case "PageUp":
      return toRow(row - 20);
    case "PageDown":
      return toRow(row + 20);
    case "Home":
      return toRow(0);
    case "End":
      return toRow(order.length - 1);
    case "ArrowLeft":
      return panned(view, -0.25);
    case "ArrowRight":
      return panned(view, 0.25);
    case "+":
    case "=":
      return zoomed(view, 2);
    case "-":
      return zoomed(view, 0.5);
    case "0":
      return stretch(view, 0, view.run.facts.endSeconds);
    default:
      return null;
  }
}

/** A click chooses a node, a drag a stretch of time. @param {Part} part @param {HTMLCanvasElement} canvas */
function listenToPointer(part, canvas) {
  const { store } = part;
  /** @type {number | null} */
  let pressedAt = null;
  const box = h("div", { class: "selection", hidden: true });
  part.spacer.append(box);
  canvas.addEventListener("pointerdown", (event) => {
    pressedAt = event.offsetX;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const dragged = pressedAt !== null && Math.abs(event.offsetX - pressedAt) > 6;
    box.hidden = !dragged;
    if (dragged && pressedAt !== null) {
      box.style.left = `${Math.min(pressedAt, event.offsetX)}px`;
      box.style.width = `${Math.abs(event.offsetX - pressedAt)}px`;
    }
    const under = underPointer(part, event);
    if (under !== null)
      part.readout.textContent = reading(
        store.get().run,
        under.node,
        under.seconds,
        usedAt(store.get().run, under.node, under.seconds),
      );
  });
  canvas.addEventListener("pointerup", (event) => {
    const pressed = pressedAt;
    pressedAt = null;
    box.hidden = true;
    if (pressed !== null && Math.abs(event.offsetX - pressed) > 6)
      store.set(
        stretch(
          store.get(),
          secondsAt(part, Math.min(pressed, event.offsetX)),
          secondsAt(part, Math.max(pressed, event.offsetX)),
        ),
      );
    else store.set({ node: underPointer(part, event)?.node ?? store.get().node });
  });
  canvas.addEventListener("pointercancel", () => {
    pressedAt = null;
    box.hidden = true;
  });
  canvas.addEventListener("pointerleave", () => {
    part.readout.textContent = named(store.get().run, store.get().node);
  });
  canvas.addEventListener("dblclick", () => store.set(stretch(store.get(), 0, store.get().run.facts.endSeconds)));
}

/** @param {Part} part @param {number} x */
function secondsAt(part, x) {
  const { from, to } = part.store.get();
  const { left, width } = layoutOf(part);
  return Math.max(from, Math.min(to, from + ((x - left) / (width - left)) * (to - from)));
}

/** @param {Part} part @param {PointerEvent} event */
function underPointer(part, event) {
  const layout = layoutOf(part);
  const row = Math.floor((event.offsetY - rowTop(layout, 0)) / layout.rowHeight);
  const node = layout.order[row];
  return node === undefined || event.offsetY < TOP ? null : { node, seconds: secondsAt(part, event.offsetX) };
}
