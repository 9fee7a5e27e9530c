/** What the reader looks at; every part of the page draws again when it changes. */

/** @import { Run } from "./run.js" */
/** @import { Mark } from "../page-data.ts" */

/**
 * @typedef {object} View
 * @property {Run} run
 * @property {Run | null} beside Drawn beside it in the node's chart.
 * @property {number} node Index.
 * @property {number} from Seconds: the part of the run that is shown.
 * @property {number} to
 * @property {number | null} decision Index.
 * @property {Mark | null} mark
 */

/** @typedef {(view: View, changed: Set<keyof View>) => void} Watcher */

/** @param {View} first */
export function createView(first) {
  let view = first;
  /** @type {Watcher[]} */
  const watchers = [];
  return {
    get: () => view,
    /** @param {Partial<View>} change */
    set(change) {
      const keys = /** @type {(keyof View)[]} */ (Object.keys(change));
      const changed = new Set(keys.filter((key) => change[key] !== view[key]));
      if (changed.size === 0) return;
      view = { ...view, ...change };
      for (const watch of watchers) watch(view, changed);
    },
    /** @param {Watcher} watcher */
    watch(watcher) {
      watchers.push(watcher);
    },
  };
}

/** @typedef {ReturnType<typeof createView>} ViewStore */

/**
 * Another stretch of time, inside the run, not shorter than a few figures.
 * @param {View} view
 * @param {number} from
 * @param {number} to
 */
export function stretch(view, from, to) {
  const { endSeconds, bucketSeconds } = view.run.facts;
  const length = Math.min(endSeconds, Math.max(to - from, bucketSeconds * 4));
  const start = Math.max(0, Math.min(from, endSeconds - length));
  return { from: start, to: start + length };
}

/**
 * Closer (above 1) or farther, around a moment.
 * @param {View} view
 * @param {number} factor
 * @param {number} [around]
 */
export function zoomed(view, factor, around = (view.from + view.to) / 2) {
  const length = (view.to - view.from) / factor;
  const part = (around - view.from) / (view.to - view.from);
  return stretch(view, around - length * part, around + length * (1 - part));
}

/** Later (above 0) or earlier, by a part of what is shown. @param {View} view @param {number} part */
export function panned(view, part) {
  const by = (view.to - view.from) * part;
  return stretch(view, view.from + by, view.to + by);
}
