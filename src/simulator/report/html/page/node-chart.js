/** The memory of one node over time, its capacity and reserve, and what happened on it. */
import { axis, chart, faint } from "./curves.js";
import { h } from "./elements.js";
import { clock, digits, gib, percent, tickLabel, timeTicks } from "./format.js";
import { drawGlyph, glyphOf } from "./glyphs.js";
import { summary } from "./overview.js";
import { endOf, nodesOf, usedAt } from "./run.js";
import { colours } from "./theme.js";
import { stretch } from "./view.js";

/** @import { Mark } from "../page-data.ts" */
/** @import { Run } from "./run.js" */
/** @import { View, ViewStore } from "./view.js" */
/** @import { Plot } from "./curves.js" */

/** How near to a mark a click has to be, in CSS pixels. */
const NEAR = 12;
/** A drag as wide as this chooses a stretch of time; less is a click. */
const DRAGGED = 6;

/** @param {ViewStore} store @param {HTMLElement} section @param {number} reserve */
export function renderNodeChart(store, section, reserve) {
  const title = h("h3", { id: "node-title" });
  const facts = h("p", { class: "lead" });
  const place = h("div", { class: "chart node-chart", role: "img", "aria-labelledby": "node-title" });
  const readout = h("p", { class: "readout" });
  section.append(title, facts, place, readout);
  const drawn = chart(place, 300, () => nodePlot(store, reserve, readout));
  const update = () => {
    const { run, node } = store.get();
    title.textContent = run.facts.nodes[node]?.name ?? "";
    facts.textContent = summary(run, node);
    drawn.draw();
  };
  store.watch((_, changed) => {
    if (["run", "beside", "node", "from", "to", "mark"].some((key) => changed.has(/** @type {keyof View} */ (key))))
      update();
  });
  place.addEventListener("click", (event) => clicked(store, drawn.plot(), event));
  place.addEventListener("dblclick", () => store.set(stretch(store.get(), 0, store.get().run.facts.endSeconds)));
  update();
  return update;
}

/** @param {ViewStore} store @param {number} reserve @param {HTMLElement} readout */
function nodePlot(store, reserve, readout) {
  const view = store.get();
  const palette = colours();
  const capacity = capacityOf(view.run, view.node);
  const beside =
    view.beside === null ? [] : [{ stroke: palette.muted, width: 1.5, dash: [6, 4], points: { show: false } }];
  return {
    options: {
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
      scales: { x: { time: false, min: view.from, max: view.to }, y: { range: () => yRange(view, capacity) } },
      axes: [timeAxis(), axis({ label: "GiB", size: 52, labelSize: 20, values: (_, ticks) => ticks.map(digits) })],
      series: [
        {},
        { stroke: palette.accent, width: 1.75, fill: faint(palette.accent, 0.14), points: { show: false } },
        ...beside,
      ],
      hooks: {
        drawAxes: [(/** @type {Plot} */ plot) => drawStretches(plot, view, palette)],
        draw: [
          (/** @type {Plot} */ plot) => drawLimits(plot, capacity, reserve, palette),
          (/** @type {Plot} */ plot) => drawMarks(plot, view, palette),
        ],
        setSelect: [(/** @type {Plot} */ plot) => selected(store, plot)],
        setCursor: [
          (/** @type {Plot} */ plot) => {
            readout.textContent = cursorText(store.get(), plot);
          },
        ],
      },
    },
    data: curvesOf(view),
  };
}

/** @param {Run} run @param {number} node In GiB. */
const capacityOf = (run, node) => gib(run.facts.nodes[node]?.capacityBytes ?? 0);

/** @param {View} view @param {number} capacity @returns {[number, number]} */
function yRange({ run, beside, node }, capacity) {
  const highest = [run, beside].map((one) =>
    (one?.used[node] ?? new Float32Array()).reduce((most, used) => Math.max(most, used), 0),
  );
  return [0, capacity * Math.max(1.08, 1.04 * Math.max(...highest))];
}

/** Each figure at the middle of its stretch; both runs have the same stretches. @param {View} view @returns {import("./curves.js").PlotData} */
function curvesOf({ run, beside, node }) {
  const { buckets, bucketSeconds } = run.facts;
  const x = Array.from({ length: buckets }, (_, bucket) => (bucket + 0.5) * bucketSeconds);
  const inGib = (/** @type {Run} */ one) => x.map((seconds) => usedAt(one, node, seconds) * capacityOf(one, node));
  return beside === null ? [x, inGib(run)] : [x, inGib(run), inGib(beside)];
}

function timeAxis() {
  return axis({
    size: 32,
    splits: (plot, _, from, to) => timeTicks(from, to, Math.max(2, plot.width / 90)).ticks,
    values: (plot, ticks) =>
      ticks.map((at) =>
        tickLabel(at, timeTicks(plot.scales.x?.min ?? 0, plot.scales.x?.max ?? 0, Math.max(2, plot.width / 90)).step),
      ),
  });
}

/** @param {Plot} plot @param {number} capacity @param {number} reserve @param {ReturnType<typeof colours>} palette */
function drawLimits(plot, capacity, reserve, palette) {
  const { ctx, bbox } = plot;
  const limits = /** @type {[number, string, number[], string][]} */ ([
    [capacity, palette.kill, [], `capacity ${digits(capacity)} GiB`],
    [capacity * (1 - reserve), palette.evict, [6, 4], `reserve ${percent(reserve)}`],
  ]);
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const [value, colour, dash, text] of limits) {
    const y = plot.valToPos(value, "y", true);
    ctx.strokeStyle = colour;
    ctx.fillStyle = colour;
    ctx.lineWidth = 1.25 * devicePixelRatio;
    ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.textAlign = "right";
    const above = dash.length === 0;
    ctx.textBaseline = above ? "bottom" : "top";
    ctx.setLineDash([]);
    ctx.lineWidth = 4 * devicePixelRatio;
    ctx.strokeStyle = palette.surface;
    ctx.strokeText(text, bbox.left + bbox.width - 4 * devicePixelRatio, y + (above ? -2 : 3) * devicePixelRatio);
    ctx.fillText(text, bbox.left + bbox.width - 4 * devicePixelRatio, y + (above ? -2 : 3) * devicePixelRatio);
  }
  ctx.restore();
}

/** Closed gates hatched, and times without room for pods in a strip. @param {Plot} plot @param {View} view @param {ReturnType<typeof colours>} palette */
function drawStretches(plot, view, palette) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const mark of view.run.marksOf[view.node] ?? []) {
    if (mark.kind !== "Gate" && mark.kind !== "NodesFull") continue;
    const x = plot.valToPos(mark.at, "x", true);
    const width = Math.max(2, plot.valToPos(mark.end ?? view.run.facts.endSeconds, "x", true) - x);
    if (mark.kind === "Gate") hatch(ctx, x, bbox.top, width, bbox.height, palette.gate);
    else {
      ctx.fillStyle = palette.full;
      ctx.fillRect(x, bbox.top + bbox.height - 5 * devicePixelRatio, width, 5 * devicePixelRatio);
    }
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
function hatch(ctx, x, y, width, height, colour) {
  ctx.fillStyle = faint(colour, 0.1);
  ctx.fillRect(x, y, width, height);
  ctx.fillStyle = colour;
  const thick = 2 * devicePixelRatio;
  ctx.fillRect(x, y, width, thick);
  const step = 8 * devicePixelRatio;
  for (let at = x; at < x + width; at += step) ctx.fillRect(at, y, 1, 7 * devicePixelRatio);
}

/** @param {Plot} plot @param {View} view @param {ReturnType<typeof colours>} palette */
function drawMarks(plot, view, palette) {
  for (const { mark, x, y } of placed(plot, view)) {
    const chosen = mark === view.mark;
    drawGlyph(plot.ctx, glyphOf(mark, view.node), x, y, (chosen ? 15 : 10) * devicePixelRatio, palette);
    if (!chosen) continue;
    plot.ctx.strokeStyle = palette.ink;
    plot.ctx.lineWidth = 1.5 * devicePixelRatio;
    plot.ctx.setLineDash([]);
    plot.ctx.beginPath();
    plot.ctx.arc(x, y, 13 * devicePixelRatio, 0, 7);
    plot.ctx.stroke();
  }
}

/** Where marks lie on the curve, in the canvas's pixels. @param {Plot} plot @param {View} view */
function placed(plot, view) {
  const capacity = capacityOf(view.run, view.node);
  const marks = (view.run.marksOf[view.node] ?? []).filter(
    ({ kind, at }) => kind !== "Gate" && kind !== "NodesFull" && at >= view.from && at <= view.to,
  );
  return marks.map((mark) => ({
    mark,
    x: plot.valToPos(mark.at, "x", true),
    y: plot.valToPos(usedAt(view.run, view.node, mark.at) * capacity, "y", true),
  }));
}

/** @param {ViewStore} store @param {Plot} plot */
function selected(store, plot) {
  if (plot.select.width < DRAGGED) return;
  const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((x) => plot.posToVal(x, "x"));
  store.set(stretch(store.get(), from ?? 0, to ?? 0));
}

/** @param {ViewStore} store @param {Plot | null} plot @param {MouseEvent} event */
function clicked(store, plot, event) {
  if (plot === null || plot.select.width >= DRAGGED) return;
  const box = plot.ctx.canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio];
  const near = placed(plot, store.get())
    .map((place) => ({ ...place, distance: Math.hypot(place.x - x, place.y - y) }))
    .filter(({ distance }) => distance <= NEAR * devicePixelRatio)
    .sort((a, b) => a.distance - b.distance)[0];
  if (near !== undefined) chooseMark(store, near.mark);
}

/** Shows it, on a node that it concerns. @param {ViewStore} store @param {Mark} mark */
export function chooseMark(store, mark) {
  const view = store.get();
  const nodes = nodesOf(mark);
  const node = nodes.includes(view.node) ? view.node : (nodes[0] ?? view.node);
  const seen = mark.at <= view.to && endOf(mark, view.run) >= view.from;
  const length = view.to - view.from;
  const time = seen ? {} : stretch(view, mark.at - length / 2, mark.at + length / 2);
  store.set({ mark, node, decision: mark.decision ?? null, ...time });
}

/** @param {View} view @param {Plot} plot */
function cursorText(view, plot) {
  const left = plot.cursor.left ?? -1;
  if (left < 0) return "";
  const seconds = plot.posToVal(left, "x");
  const used = (/** @type {Run} */ run) =>
    `${digits(usedAt(run, view.node, seconds) * capacityOf(run, view.node))} GiB, ${percent(usedAt(run, view.node, seconds))}`;
  const beside = view.beside === null ? "" : ` · ${view.beside.variant}: ${used(view.beside)}`;
  return `${clock(seconds)} · ${view.run.variant}: ${used(view.run)}${beside}`;
}
