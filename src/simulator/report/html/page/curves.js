/** What every chart with curves shares: the library, its axes in the page's colours, and a width that follows the page. */
import { oncePerFrame } from "./elements.js";
import { colours } from "./theme.js";

/** @typedef {import("uplot")} Plot */
/** @typedef {import("uplot").Options} PlotOptions */
/** @typedef {import("uplot").AlignedData} PlotData */
/** @typedef {import("uplot").Axis} PlotAxis */

/** The library's own script runs before this one and leaves this name. */
const { uPlot } = /** @type {{ uPlot: typeof import("uplot") }} */ (/** @type {unknown} */ (globalThis));

/** @param {PlotAxis} axis @returns {PlotAxis} */
export function axis(axis) {
  return {
    stroke: () => colours().muted,
    grid: { stroke: () => colours().line, width: 1 },
    ticks: { stroke: () => colours().line, width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    ...axis,
  };
}

/**
 * A chart in `parent`; `make` is asked again for other data, or when a theme's colours are other ones.
 * @param {HTMLElement} parent
 * @param {number} height
 * @param {() => { options: Omit<PlotOptions, "width" | "height">, data: PlotData }} make
 */
export function chart(parent, height, make) {
  /** @type {Plot | null} */
  let plot = null;
  const width = () => Math.max(200, parent.clientWidth);
  const draw = oncePerFrame(() => {
    plot?.destroy();
    const { options, data } = make();
    plot = new uPlot({ ...options, width: width(), height }, data, parent);
  });
  new ResizeObserver(() => {
    if (plot !== null && plot.width !== width()) plot.setSize({ width: width(), height });
  }).observe(parent);
  return { draw, plot: () => plot };
}

/**
 * A colour that lets through what is under it.
 * @param {string} colour `#rrggbb`
 * @param {number} opacity
 */
export function faint(colour, opacity) {
  const alpha = Math.round(opacity * 255);
  return `${colour}${alpha.toString(16).padStart(2, "0")}`;
}
