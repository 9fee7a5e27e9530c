/** The signs of what happened, on canvas and, the same paths, as SVG in text. Shapes differ, not only colours. */
import { svg } from "./elements.js";

/** @import { Mark } from "../page-data.ts" */

/** @typedef {"Kill" | "LimitKill" | "Eviction" | "MoveOut" | "MoveIn" | "MoveFailed" | "Gate" | "NodesFull"} Glyph */

/** In a square from -5 to 5. @type {Record<Glyph, { path: string, filled: boolean, colour: "kill" | "muted" | "evict" | "move" | "gate" | "full", text: string }>} */
export const GLYPHS = {
  Kill: { path: "M-4-4L4 4M4-4L-4 4", filled: false, colour: "kill", text: "killed" },
  LimitKill: {
    path: "M-4.5-4.5H4.5M-3-1.5L3 4.5M3-1.5L-3 4.5",
    filled: false,
    colour: "muted",
    text: "killed at its limit",
  },
  Eviction: { path: "M-4.5-3.5H4.5L0 4.5Z", filled: true, colour: "evict", text: "evicted" },
  MoveOut: { path: "M-4 4L4-4M-1.5-4H4V1.5", filled: false, colour: "move", text: "moved away" },
  MoveIn: { path: "M4-4L-4 4M1.5 4H-4V-1.5", filled: false, colour: "move", text: "moved here" },
  MoveFailed: { path: "M0-4.5L4.5 0L0 4.5L-4.5 0Z", filled: false, colour: "move", text: "move failed" },
  Gate: { path: "M-4-4V4M0-4V4M4-4V4M-5-1H5", filled: false, colour: "gate", text: "gate closed" },
  NodesFull: {
    path: "M-4.5-4.5H4.5V4.5H-4.5ZM-4.5 4.5L4.5-4.5",
    filled: false,
    colour: "full",
    text: "no node had room",
  },
};

/** @param {Mark} mark @param {number} node Where it is seen from. @returns {Glyph} */
export function glyphOf(mark, node) {
  if (mark.kind !== "Move") return mark.kind;
  if (mark.outcome === "RolledBack" || mark.outcome === "Lost") return "MoveFailed";
  return mark.from === node ? "MoveOut" : "MoveIn";
}

/** @param {Glyph} glyph */
export function glyphInText(glyph) {
  const { path, filled, colour } = GLYPHS[glyph];
  const shape = svg("path", { d: path, class: filled ? "filled" : "" });
  return svg("svg", { viewBox: "-6 -6 12 12", class: `glyph ${colour}`, "aria-hidden": "true" }, shape);
}

/** @type {Map<Glyph, Path2D>} */
const paths = new Map();

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Glyph} glyph
 * @param {number} x
 * @param {number} y
 * @param {number} size Its width.
 * @param {ReturnType<typeof import("./theme.js").colours>} palette
 */
export function drawGlyph(context, glyph, x, y, size, palette) {
  const { path, filled, colour } = GLYPHS[glyph];
  const shape = paths.get(glyph) ?? new Path2D(path);
  paths.set(glyph, shape);
  context.save();
  context.translate(x, y);
  context.scale(size / 10, size / 10);
  context.setLineDash([]);
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = palette.surface;
  context.lineWidth = 5;
  context.stroke(shape);
  context.strokeStyle = palette[colour];
  context.fillStyle = palette[colour];
  context.lineWidth = 2;
  if (filled) context.fill(shape);
  context.stroke(shape);
  context.restore();
}
