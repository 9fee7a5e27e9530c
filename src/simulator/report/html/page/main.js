/** Puts the page together: scores first, then sweeps, then the memory of one run. */
import { renderDecision } from "./decision.js";
import { byId, choice, h } from "./elements.js";
import { renderEventList } from "./event-list.js";
import { bytes, counted, duration, losses, percent } from "./format.js";
import { renderNodeChart } from "./node-chart.js";
import { renderOverview } from "./overview.js";
import { runOf, tally } from "./run.js";
import { renderScores } from "./score-table.js";
import { renderSweeps } from "./sweep-chart.js";
import { setUpTheme } from "./theme.js";
import { createView } from "./view.js";

/** @import { PageData } from "../page-data.ts" */
/** @import { Run } from "./run.js" */
/** @import { ViewStore } from "./view.js" */

const data = /** @type {PageData} */ (JSON.parse(byId("data").textContent ?? ""));

/** @type {(() => void)[]} */
const redraws = [];
showFacts();
renderScores(data, byId("scores"));
redraws.push(renderSweeps(data, byId("sweeps")));
setUpTheme(() => {
  for (const redraw of redraws) redraw();
});
if (data.runs.length > 0) await showRun().catch(sayWhyNot);
else byId("run").append(h("p", { class: "empty" }, `No run was recorded: ${whyNone()}.`));
document.documentElement.dataset.ready = "true";

/** Browsers from before 2023 cannot unpack runs. @param {unknown} error */
function sayWhyNot(error) {
  byId("run").append(h("p", { class: "empty" }, `This browser cannot show the runs: ${error}`));
}

function whyNone() {
  return data.seeds < data.seedsAsked
    ? "the simulation was interrupted before every variant had run with the first seed"
    : "the page was written without timelines";
}

function showFacts() {
  const { nodes, pods, endSeconds, reserveFraction } = data.scenario;
  byId("facts").textContent = [
    counted(nodes, "node"),
    counted(pods, "pod"),
    duration(endSeconds),
    counted(data.seeds, "seed"),
    `reserve ${percent(reserveFraction)} of a node`,
  ].join(" · ");
  byId("facts").after(conditions());
}

function conditions() {
  const { tickSeconds, metrics, scheduler, kubelet, restartSeconds, moves } = data.conditions;
  const facts = [
    ["Memory followed", `every ${duration(tickSeconds)}`],
    [
      "Samples",
      `every ${duration(metrics.intervalSeconds)}, seen ${duration(metrics.delaySeconds)} later, ${percent(metrics.lossRate)} lost`,
    ],
    ["Scheduler", scheduler],
    ["Kubelet", `evicts below ${bytes(kubelet.evictionBytes)} free, looks every ${duration(kubelet.intervalSeconds)}`],
    ["Restart", `${duration(restartSeconds)} after a kill`],
    [
      "Moves",
      `${duration(moves.fixedSeconds)} and ${bytes(1 / moves.secondsPerByte)} a second; noise ${moves.noise}; ${percent(moves.failureRate)} fail`,
    ],
  ];
  const list = facts.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
  return h("details", {}, h("summary", {}, "Conditions"), h("dl", { class: "meanings" }, list));
}

/** The first policy's run, or what there is. */
function firstRun() {
  const policies = new Set(data.variants.filter(({ role }) => role === "Policy").map(({ name }) => name));
  return Math.max(
    0,
    data.runs.findIndex(({ variant }) => policies.has(variant)),
  );
}

async function showRun() {
  const first = firstRun();
  const run = await runOf(data, first);
  const node = mostTroubled(run);
  const store = createView({ run, beside: null, node, from: 0, to: run.facts.endSeconds, decision: null, mark: null });
  const section = byId("run");
  const told = h("p", { class: "lead" });
  const tell = () => {
    told.textContent = runText(store.get().run);
  };
  store.watch((_, changed) => changed.has("run") && tell());
  tell();
  section.append(runChoices(store, first), told);
  const overview = renderOverview(store, section, data.scenario.reserveFraction);
  const left = h("div", { class: "panel wide" });
  const right = h("div", { class: "panel narrow" });
  section.append(h("div", { class: "detail" }, left, right));
  const nodeChart = renderNodeChart(store, left, data.scenario.reserveFraction);
  renderEventList(store, left);
  renderDecision(store, right);
  redraws.push(overview, nodeChart);
}

/** @param {Run} run */
function mostTroubled(run) {
  const trouble = run.marksOf.map((marks) => {
    const { kills, evictions, moves } = tally(marks);
    return (kills + evictions) * 1e6 + moves;
  });
  return Math.max(0, trouble.indexOf(Math.max(...trouble)));
}

/** @param {Run} run */
function runText({ seed, facts }) {
  const counts = tally(facts.marks);
  return `Run of seed ${seed}: ${losses(counts).join(", ")}, ${counted(counts.moves, "move")}, ${counted(counts.gates, "gate")} closed. Each figure is the highest use in ${duration(facts.bucketSeconds)}.${leftOutText(facts)}`;
}

/** @param {Run["facts"]} facts */
function leftOutText({ marksLeftOut, decisionsLeftOut }) {
  const parts = [
    ...(marksLeftOut > 0 ? [counted(marksLeftOut, "event")] : []),
    ...(decisionsLeftOut > 0 ? [counted(decisionsLeftOut, "decision")] : []),
  ];
  if (parts.length === 0) return "";
  return ` Left out of the page, and not counted here: ${parts.join(" and ")}. What is left is from the whole run, kills first.`;
}

/** @param {ViewStore} store @param {number} first */
function runChoices(store, first) {
  const state = { variant: data.runs[first]?.variant ?? "", seed: data.runs[first]?.seed ?? 0, beside: "" };
  const names = [...new Set(data.runs.map(({ variant }) => variant))];
  const seeds = [...new Set(data.runs.map(({ seed }) => seed))];
  const find = (/** @type {string} */ variant) =>
    data.runs.findIndex((run) => run.variant === variant && run.seed === state.seed);
  const apply = async () => {
    const [index, besideIndex] = [find(state.variant), find(state.beside)];
    if (index < 0) return;
    byId("run").setAttribute("aria-busy", "true");
    const run = await runOf(data, index);
    const beside = besideIndex < 0 ? null : await runOf(data, besideIndex);
    // What was chosen while these were unpacked is what is shown.
    if (find(state.variant) !== index || find(state.beside) !== besideIndex) return;
    byId("run").removeAttribute("aria-busy");
    const other = run !== store.get().run;
    store.set({ run, beside, ...(other ? { decision: null, mark: null } : {}) });
  };
  const options = names.map((name) => ({ value: name, text: name }));
  const variant = choice("Variant", options, state.variant, (value) => {
    state.variant = value;
    void apply();
  });
  const seed = choice(
    "Seed",
    seeds.map((value) => ({ value: String(value), text: String(value) })),
    String(state.seed),
    (value) => {
      state.seed = Number(value);
      void apply();
    },
  );
  const beside = choice("Beside it", [{ value: "", text: "nothing" }, ...options], "", (value) => {
    state.beside = value;
    void apply();
  });
  return h("div", { class: "toolbar" }, variant.field, seeds.length > 1 && seed.field, beside.field);
}
