/** One decision with its reasons: what was found, what was decided, and what was passed over. */
import { h } from "./elements.js";
import { moreText, nodesText } from "./event-list.js";
import { bytes, clock, counted, duration, percent } from "./format.js";
import { GLYPHS, glyphInText, glyphOf } from "./glyphs.js";
import { chooseMark } from "./node-chart.js";

/** @import { Mark, PageDecision } from "../page-data.ts" */
/** @import { View, ViewStore } from "./view.js" */

/** @param {ViewStore} store @param {HTMLElement} section */
export function renderDecision(store, section) {
  const title = h("h3", {}, "Decision");
  const before = h("button", { type: "button", onclick: () => step(store, -1) }, "◀ Earlier decision");
  const after = h("button", { type: "button", onclick: () => step(store, 1) }, "Later decision ▶");
  const body = h("div", { class: "decision", "aria-live": "polite" });
  section.append(title, h("div", { class: "buttons" }, before, after), body);
  const update = () => {
    const view = store.get();
    const count = view.run.facts.decisions.length;
    before.disabled = count === 0;
    after.disabled = count === 0;
    title.textContent = view.decision === null ? "Decision" : `Decision ${view.decision + 1} of ${count}`;
    body.replaceChildren(...content(view));
  };
  store.watch((_, changed) => {
    if (!changed.has("decision") && !changed.has("mark") && !changed.has("run")) return;
    update();
    const below = window.matchMedia("(max-width: 900px)").matches;
    if (below && store.get().mark !== null) section.scrollIntoView({ block: "nearest" });
  });
  update();
}

/** To the next decision, or from the time shown when none is chosen. @param {ViewStore} store @param {1 | -1} by */
function step(store, by) {
  const { run, decision, from, to } = store.get();
  const { decisions } = run.facts;
  const first =
    by > 0
      ? decisions.findIndex(({ seconds }) => seconds >= from)
      : decisions.findLastIndex(({ seconds }) => seconds <= to);
  const next = decision === null ? first : Math.max(0, Math.min(decisions.length - 1, decision + by));
  if (next < 0) return;
  const mark = run.facts.marks.find((one) => one.decision === next);
  if (mark === undefined) store.set({ decision: next, mark: null });
  else chooseMark(store, mark);
}

/** @param {View} view @returns {Node[]} */
function content(view) {
  const decision = view.decision === null ? undefined : view.run.facts.decisions[view.decision];
  const parts = [];
  if (view.mark !== null) parts.push(markText(view, view.mark));
  if (decision !== undefined) parts.push(...decisionParts(decision));
  else parts.push(h("p", { class: "empty" }, hint(view)));
  return parts;
}

/** @param {View} view */
function hint({ run, mark }) {
  const { decisions, decisionsLeftOut } = run.facts;
  if (mark?.kind === "Kill" || mark?.kind === "Eviction")
    return "No policy decides this. The decisions before it say what was tried.";
  if (mark?.kind === "LimitKill")
    return "No policy decides this, and no move prevents it: a pod takes its limit along.";
  if (mark !== null)
    return decisionsLeftOut > 0
      ? `Its decision is one of ${decisionsLeftOut} left out of the page.`
      : "No decision is on record for it.";
  return decisions.length === 0
    ? "This run has no decisions."
    : `Choose a mark or an event to see why it happened. ${counted(decisions.length, "decision")} on record.`;
}

/** @param {View} view @param {Mark} mark */
function markText({ run, node }, mark) {
  const glyph = glyphOf(mark, node);
  const pod = "pod" in mark ? ` ${mark.pod}` : "";
  return h(
    "p",
    { class: "chosen" },
    glyphInText(glyph),
    `${clock(mark.at)}${pod} ${GLYPHS[glyph].text}: ${nodesText(run, mark)}; ${moreText(mark)}.`,
  );
}

/** @param {PageDecision} decision @returns {Node[]} */
function decisionParts(decision) {
  return [
    h("p", { class: "when" }, `Evaluation at ${clock(decision.seconds)}`),
    h("h4", {}, decision.moves.length === 0 ? "No moves" : counted(decision.moves.length, "move")),
    h("ul", { class: "reasons" }, decision.moves.map(moveItem)),
    h(
      "h4",
      {},
      decision.nodes.length === 0 ? "No node was short" : `${counted(decision.nodes.length, "node")} short of memory`,
    ),
    h("ul", { class: "reasons" }, decision.nodes.map(nodeItem)),
    ...refusalParts(decision),
  ];
}

/** @param {PageDecision["moves"][number]} move */
function moveItem({ namespace, pod, from, to, bytes: size, policy, reason, message, expectedSeconds }) {
  return h(
    "li",
    {},
    h("b", {}, `${namespace}/${pod}`),
    ` ${from} → ${to}, ${bytes(size)}, expected to take ${duration(expectedSeconds)} `,
    tag(reason),
    h("span", { class: "message" }, message),
    h("small", {}, `policy ${policy}`),
  );
}

/** @param {PageDecision["nodes"][number]} node */
function nodeItem({ name, policy, capacityBytes, freeBytes, pressureBytes, reason, message }) {
  const free =
    freeBytes === undefined
      ? "free memory not known"
      : `${bytes(freeBytes)} free (${percent(freeBytes / capacityBytes)})`;
  const short = pressureBytes > 0 ? `, must free ${bytes(pressureBytes)} ` : " ";
  return h(
    "li",
    {},
    h("b", {}, name),
    ` ${free}${short}`,
    tag(reason),
    h("span", { class: "message" }, message),
    h("small", {}, `policy ${policy}`),
  );
}

/** @param {string} reason */
const tag = (reason) => h("code", { class: "tag" }, reason);

/** Grouped by reason, most frequent first. @param {PageDecision} decision @returns {Node[]} */
function refusalParts({ refusals, refusalsLeftOut }) {
  if (refusals.length === 0) return [];
  const groups = [...Map.groupBy(refusals, ({ reason }) => reason)].sort((a, b) => b[1].length - a[1].length);
  const details = groups.map(([reason, list]) =>
    h(
      "details",
      { open: groups.length === 1 },
      h("summary", {}, tag(reason), ` ${list.length}`),
      h("ul", { class: "reasons" }, list.map(refusalItem)),
    ),
  );
  const leftOut =
    refusalsLeftOut > 0
      ? h("p", { class: "hint" }, `${counted(refusalsLeftOut, "other")} left out of the page.`)
      : null;
  return [h("h4", {}, "Passed over"), ...details, ...(leftOut ? [leftOut] : [])];
}

/** @param {PageDecision["refusals"][number]} refusal */
function refusalItem({ namespace, pod, node, from, message }) {
  const who = pod === undefined ? "any pod" : `${namespace}/${pod}`;
  const where = [from === undefined ? "" : `from ${from}`, node === undefined ? "" : `to ${node}`]
    .filter((text) => text !== "")
    .join(" ");
  return h("li", {}, h("b", {}, who), where === "" ? "" : ` ${where}`, h("span", { class: "message" }, message));
}
