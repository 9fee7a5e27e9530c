/** Paints the overview: a row of heat for each node, its marks over it, time along the top. */
import { clock, percent, tickLabel, timeTicks } from "./format.js";
import { drawGlyph, glyphOf } from "./glyphs.js";

/** @import { Mark } from "../page-data.ts" */
/** @import { Run } from "./run.js" */
/** @import { View } from "./view.js" */

/**
 * @typedef {object} Layout
 * @property {number} width Of the canvas, in CSS pixels, as all lengths.
 * @property {number} height
 * @property {number} left Where rows begin: names are to the left of it.
 * @property {number} top
 * @property {number} rowHeight
 * @property {number} scrolled How far rows are scrolled up.
 * @property {number[]} order Nodes, top to bottom.
 */

/** @typedef {ReturnType<typeof import("./theme.js").colours>} Palette */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Layout} layout
 * @param {Palette} palette
 * @param {number} reserve Fraction of a node's capacity.
 */
export function paintOverview(context, view, layout, palette, reserve) {
  context.clearRect(0, 0, layout.width, layout.height);
  context.save();
  context.beginPath();
  context.rect(0, layout.top, layout.width, layout.height - layout.top);
  context.clip();
  const rows = visibleRows(layout);
  paintHeat(context, view, layout, rows, heatColours(palette, reserve));
  if (layout.rowHeight >= 8) paintGaps(context, layout, rows, palette);
  paintMarks(context, view, layout, rows, palette);
  paintNames(context, view, layout, rows, palette);
  paintChosen(context, view, layout, palette);
  context.restore();
  paintTime(context, view, layout, palette);
}

/** @param {Layout} layout */
function visibleRows({ scrolled, rowHeight, height, top, order }) {
  const first = Math.max(0, Math.floor(scrolled / rowHeight));
  return { first, last: Math.min(order.length, Math.ceil((scrolled + height - top) / rowHeight)) };
}

/** @typedef {ReturnType<typeof visibleRows>} Rows */

/** @param {Layout} layout @param {number} row */
export const rowTop = ({ top, rowHeight, scrolled }, row) => top + row * rowHeight - scrolled;

/** @param {View} view @param {Layout} layout @param {number} seconds */
export const xOf = ({ from, to }, { left, width }, seconds) => left + ((seconds - from) / (to - from)) * (width - left);

/**
 * One pixel for each column and row, drawn scaled: 500 nodes take a few milliseconds.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Layout} layout
 * @param {Rows} rows
 * @param {Uint32Array} heat
 */
function paintHeat(context, { run, from, to }, layout, { first, last }, heat) {
  const columns = Math.max(1, Math.floor(layout.width - layout.left));
  if (last <= first) return;
  const picture = new ImageData(columns, last - first);
  const pixels = new Uint32Array(picture.data.buffer);
  const perColumn = (to - from) / columns / run.facts.bucketSeconds;
  const start = from / run.facts.bucketSeconds;
  for (let row = first; row < last; row++) {
    const figures = run.used[layout.order[row] ?? -1];
    if (figures !== undefined)
      paintRow(pixels.subarray((row - first) * columns, (row - first + 1) * columns), figures, start, perColumn, heat);
  }
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = last - first;
  small.getContext("2d")?.putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(
    small,
    layout.left,
    rowTop(layout, first),
    layout.width - layout.left,
    (last - first) * layout.rowHeight,
  );
}

/** @param {Uint32Array} pixels @param {Float32Array} figures @param {number} start @param {number} perColumn @param {Uint32Array} heat */
function paintRow(pixels, figures, start, perColumn, heat) {
  for (let column = 0; column < pixels.length; column++) {
    const begin = Math.floor(start + column * perColumn);
    const end = Math.max(begin + 1, Math.floor(start + (column + 1) * perColumn));
    let highest = 0;
    for (let bucket = begin; bucket < end && bucket < figures.length; bucket++)
      highest = Math.max(highest, figures[bucket] ?? 0);
    pixels[column] = heat[Math.min(heat.length - 1, Math.round(highest * HEAT_STEPS))] ?? 0;
  }
}

/** Colours per capacity; use above capacity has the last one. */
const HEAT_STEPS = 200;

/** From empty to the reserve one ramp, above it another, so that the reserve is an edge. @param {Palette} palette @param {number} reserve */
function heatColours(palette, reserve) {
  const heat = new Uint32Array(HEAT_STEPS + 1);
  const [low, high, over, out] = [
    palette["heat-low"],
    palette["heat-high"],
    palette["heat-over"],
    palette["heat-out"],
  ].map(channels);
  if (!low || !high || !over || !out) return heat;
  const edge = Math.round((1 - reserve) * HEAT_STEPS);
  for (let step = 0; step <= HEAT_STEPS; step++) {
    heat[step] =
      step <= edge
        ? mixed(low, high, (step / edge) ** 1.6)
        : mixed(over, out, (step - edge) / Math.max(1, HEAT_STEPS - edge));
  }
  return heat;
}

/** @param {string} colour `#rrggbb` */
const channels = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

/** As a pixel's four bytes. @param {number[]} a @param {number[]} b @param {number} part */
function mixed(a, b, part) {
  const [red = 0, green = 0, blue = 0] = a.map((channel, index) =>
    Math.round(channel + ((b[index] ?? 0) - channel) * part),
  );
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** @param {CanvasRenderingContext2D} context @param {Layout} layout @param {Rows} rows @param {Palette} palette */
function paintGaps(context, layout, { first, last }, palette) {
  context.fillStyle = palette.surface;
  for (let row = first; row <= last; row++)
    context.fillRect(layout.left, rowTop(layout, row) - 1, layout.width, layout.rowHeight >= 14 ? 2 : 1);
}

/** Kills are painted last, over all else. @type {Mark["kind"][]} */
const PAINT_ORDER = ["NodesFull", "Gate", "Move", "LimitKill", "Eviction", "Kill"];

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Layout} layout @param {Rows} rows @param {Palette} palette */
function paintMarks(context, view, layout, { first, last }, palette) {
  const rowOf = new Map(layout.order.map((node, row) => [node, row]));
  const size = layout.rowHeight >= 18 ? 9 : layout.rowHeight >= 8 ? 7 : 5;
  const arrows = { rowOf, all: movesShown(view) <= MOST_ARROWS };
  for (const kind of PAINT_ORDER) {
    for (let row = first; row < last; row++) {
      const node = layout.order[row] ?? -1;
      for (const mark of view.run.marksOf[node] ?? []) {
        if (mark.kind === kind && mark.at <= view.to && (mark.at >= view.from || "end" in mark))
          paintMark(context, view, layout, { mark, node, row, size }, arrows, palette);
      }
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Layout} layout
 * @param {{ mark: Mark, node: number, row: number, size: number }} place
 * @param {{ rowOf: Map<number, number>, all: boolean }} arrows
 * @param {Palette} palette
 */
function paintMark(context, view, layout, { mark, node, row, size }, arrows, palette) {
  const x = xOf(view, layout, mark.at);
  const middle = rowTop(layout, row) + layout.rowHeight / 2;
  if (mark.kind === "Gate" || mark.kind === "NodesFull") {
    const start = Math.max(layout.left, x);
    const end = Math.min(layout.width, xOf(view, layout, mark.end ?? view.run.facts.endSeconds));
    const height = Math.max(1, Math.min(3, layout.rowHeight / 5));
    const y = mark.kind === "Gate" ? rowTop(layout, row) + layout.rowHeight - height - 1 : rowTop(layout, row) + 1;
    context.fillStyle = mark.kind === "Gate" ? palette.gate : palette.full;
    if (end > layout.left) context.fillRect(start, y, Math.max(2, end - start), height);
    return;
  }
  if (x < layout.left) return;
  if (mark.kind !== "Move") {
    drawGlyph(context, glyphOf(mark, node), x, middle, size, palette);
  } else if (!arrows.all && mark.from !== view.node && mark.to !== view.node) {
    context.fillStyle = palette.move;
    context.fillRect(x - 1, middle - 1, 2, 2);
  } else if (node === mark.from) {
    const target = rowTop(layout, arrows.rowOf.get(mark.to) ?? row) + layout.rowHeight / 2;
    paintMove(context, x, middle, target, layout.rowHeight, palette, mark);
  }
}

/** With more moves than this in sight, only the chosen node's have arrows; the others are dots where they began and ended. */
const MOST_ARROWS = 150;

/** @param {View} view */
const movesShown = ({ run, from, to }) =>
  run.facts.marks.reduce((count, { kind, at }) => count + (kind === "Move" && at >= from && at <= to ? 1 : 0), 0);

/** An arrow from row to row. @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} target @param {number} rowHeight @param {Palette} palette @param {Mark} mark */
function paintMove(context, x, y, target, rowHeight, palette, mark) {
  const head = rowHeight >= 8 ? 3.5 : 2;
  const failed = mark.kind === "Move" && (mark.outcome === "RolledBack" || mark.outcome === "Lost");
  for (const [colour, width] of /** @type {[string, number][]} */ ([
    [palette.surface, 3.5],
    [palette.move, 1.5],
  ])) {
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = rowHeight >= 8 ? width : width / 2;
    context.setLineDash(failed ? [3, 3] : []);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x, target);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(x, y, head * 0.7, 0, 7);
    context.fill();
    const back = target > y ? -head * 1.6 : head * 1.6;
    context.beginPath();
    context.moveTo(x, target + back * -0.3);
    context.lineTo(x - head, target + back);
    context.lineTo(x + head, target + back);
    context.fill();
  }
}

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Layout} layout @param {Rows} rows @param {Palette} palette */
function paintNames(context, view, layout, { first, last }, palette) {
  context.clearRect(0, layout.top, layout.left - 1, layout.height);
  if (layout.rowHeight < 11) return;
  context.font = `${Math.min(12, layout.rowHeight - 2)}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  for (let row = first; row < last; row++) {
    const node = layout.order[row] ?? -1;
    const y = rowTop(layout, row) + layout.rowHeight / 2;
    context.fillStyle = node === view.node ? palette.accent : palette.ink;
    context.fillText(fitted(context, view.run.facts.nodes[node]?.name ?? "", layout.left - 10), 2, y);
  }
}

/** A long name keeps its end: that is where nodes' names differ. @param {CanvasRenderingContext2D} context @param {string} name @param {number} width */
function fitted(context, name, width) {
  if (context.measureText(name).width <= width) return name;
  let cut = name.slice(1);
  while (cut.length > 1 && context.measureText(`…${cut}`).width > width) cut = cut.slice(1);
  return `…${cut}`;
}

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Layout} layout @param {Palette} palette */
function paintChosen(context, view, layout, palette) {
  const row = layout.order.indexOf(view.node);
  const y = rowTop(layout, row);
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(layout.left - 1, y - 0.5, layout.width - layout.left, Math.max(3, layout.rowHeight));
  if (layout.rowHeight >= 11) return;
  context.fillStyle = palette.accent;
  context.beginPath();
  context.moveTo(layout.left - 3, y + layout.rowHeight / 2);
  context.lineTo(layout.left - 10, y + layout.rowHeight / 2 - 5);
  context.lineTo(layout.left - 10, y + layout.rowHeight / 2 + 5);
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Layout} layout @param {Palette} palette */
function paintTime(context, view, layout, palette) {
  const { step, ticks } = timeTicks(view.from, view.to, Math.max(2, (layout.width - layout.left) / 90));
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "top";
  for (const at of ticks) {
    const x = xOf(view, layout, at);
    const label = tickLabel(at, step);
    const half = context.measureText(label).width / 2;
    context.textAlign = "left";
    context.fillText(label, Math.max(layout.left, Math.min(layout.width - 2 * half, x - half)), 2);
    context.fillRect(x, layout.top - 5, 1, 4);
  }
}

/** What is under the pointer, in words. @param {Run} run @param {number} node @param {number} seconds @param {number} used */
export function reading(run, node, seconds, used) {
  return `${run.facts.nodes[node]?.name ?? ""}, ${clock(seconds)}: ${percent(used)} used`;
}
