/** Light, dark, or as the system has it. Colours are those of ./page.css, read for what is drawn on canvas. */
import { byId } from "./elements.js";

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const LABELS = { auto: "Theme: as system", light: "Theme: light", dark: "Theme: dark" };
const KEY = "headroom-theme";

/** @typedef {typeof THEMES[number]} Theme */

/** @returns {Theme} */
function remembered() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "auto";
  } catch {
    return "auto";
  }
}

/** @param {Theme} theme */
function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** @param {() => void} redraw */
export function setUpTheme(redraw) {
  const button = byId("theme");
  let theme = remembered();
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = LABELS[theme];
    redraw();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    remember(theme);
    apply();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

const NAMES = /** @type {const} */ ([
  "surface",
  "ink",
  "muted",
  "line",
  "accent",
  "kill",
  "evict",
  "move",
  "gate",
  "full",
  "heat-low",
  "heat-high",
  "heat-over",
  "heat-out",
  "band",
]);

/** @returns {Record<typeof NAMES[number], string>} */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const entries = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || "#888888"]);
  return Object.fromEntries(entries);
}

/** Told apart also by their dashes. */
export const CURVE_DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 4]];

/** @param {number} index */
export function curveColour(index) {
  return (
    getComputedStyle(document.documentElement)
      .getPropertyValue(`--curve-${index % 6}`)
      .trim() || "#888888"
  );
}
