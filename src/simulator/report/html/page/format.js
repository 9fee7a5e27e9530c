/** Figures as people read them. */

const GIB = 1024 ** 3;
const UNITS = /** @type {const} */ ([
  ["TiB", 1024 ** 4],
  ["GiB", GIB],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
]);

/** @param {number | undefined} value */
export function bytes(value) {
  if (value === undefined) return "unknown";
  for (const [unit, size] of UNITS) if (Math.abs(value) >= size) return `${digits(value / size)} ${unit}`;
  return `${Math.round(value)} B`;
}

/** @param {number} value */
export const gib = (value) => value / GIB;

/**
 * Three digits that count, no exponent.
 * @param {number} value
 */
export function digits(value) {
  return value < 0 ? `−${magnitude(-value)}` : magnitude(value);
}

/** @param {number} size */
function magnitude(size) {
  if (size >= 1000) return Math.round(size).toLocaleString("en");
  if (size >= 100) return size.toFixed(0);
  if (size >= 10) return trimmed(size.toFixed(1));
  if (size >= 0.001 || size === 0) return trimmed(size.toFixed(size >= 1 ? 2 : 3));
  return size.toPrecision(2);
}

/** @param {string} text */
const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/**
 * `45 s`, `3 min 20 s`, `2 h 05 min`, `1 d 3 h`.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 60) return `${digits(seconds)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * A moment of the run: `02:05:10`, hours not bounded by a day.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** @param {number} fraction */
export const percent = (fraction) => `${digits(fraction * 100)} %`;

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** Losses in words; kills at a pod's own limit only where there are any. @param {{ kills: number, evictions: number, limitKills: number }} tally */
export const losses = ({ kills, evictions, limitKills }) => [
  counted(kills, "kill"),
  counted(evictions, "eviction"),
  ...(limitKills > 0 ? [counted(limitKills, "kill at a pod's own limit", "kills at a pod's own limit")] : []),
];

const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800,
  604_800,
];

/**
 * Moments for a time axis: at most `most` of them, at even distances.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 */
export function timeTicks(from, to, most) {
  const step =
    STEPS.find((seconds) => (to - from) / seconds <= most) ?? Math.ceil((to - from) / most / 604_800) * 604_800;
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return { step, ticks };
}

/**
 * A tick's label, with seconds only where steps are that small.
 * @param {number} seconds
 * @param {number} step
 */
export const tickLabel = (seconds, step) => (step % 60 === 0 ? clock(seconds).slice(0, -3) : clock(seconds));
