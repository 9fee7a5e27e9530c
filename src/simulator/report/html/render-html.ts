/** A comparison as one page of HTML that needs nothing else: no network, no file beside it. ADR 0015 says how it is made. */
import { createHash } from "node:crypto";
import type { Comparison, ComparisonReport, VariantResult } from "../../comparing/comparison.ts";
import type { RunRecord } from "../../run-record.ts";
import { boundsFor, packRun } from "./pack.ts";
import { pageAssets } from "./page-assets.ts";
import type { PageData, PageVariant } from "./page-data.ts";
import { rounded } from "./rounded.ts";
import { pageOf } from "./template.ts";

/** Runs without a timeline are left out: the page shows memory over time, and scores of all runs. */
export function renderHtml(report: ComparisonReport): string {
  const runs = report.runs.filter((run) => run.recordedSeconds !== undefined);
  const { styles, library, script } = pageAssets();
  return pageOf({
    title: inText(report.comparison.scenario.name),
    policy: contentPolicy([library, script], styles),
    styles,
    library,
    script,
    data: inScript(JSON.stringify(pageData(report.comparison, runs), rounded)),
    runs: packedRuns(runs),
  });
}

function pageData(
  { scenario, conditions, seeds, seedsAsked, scores, variants, differences, sweeps }: Comparison,
  runs: readonly RunRecord[],
): PageData {
  return {
    scenario,
    conditions,
    seeds: seeds.length,
    seedsAsked,
    scores,
    variants: variants.map(pageVariant),
    differences,
    sweeps,
    runs: runs.map(({ variant, seed }) => ({ variant, seed })),
  };
}

function pageVariant({ name, role, policy, parameters, scores }: VariantResult): PageVariant {
  const estimates = Object.entries(scores).map(([score, { estimate, againstNone }]) => [
    score,
    { estimate, againstNone },
  ]);
  return { name, role, policy, parameters, scores: Object.fromEntries(estimates) };
}

function packedRuns(runs: readonly RunRecord[]): string {
  const bounds = boundsFor(runs);
  const blocks = runs.map((run, index) => {
    const { facts, memory } = packRun(run, bounds);
    return `${block(`run-${index}-facts`, facts)}\n${block(`run-${index}-memory`, memory)}`;
  });
  return blocks.join("\n");
}

const block = (id: string, base64: string) => `<script type="text/plain" id="${id}">${base64}</script>`;

const inText = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** JSON inside a script element: nothing in it can end the element, nor begin a comment. */
const inScript = (json: string) =>
  json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** The browser runs these scripts and styles, loads nothing, and connects to nowhere. */
function contentPolicy(scripts: readonly string[], styles: string): string {
  const hash = (content: string) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
  return `default-src 'none'; script-src ${scripts.map(hash).join(" ")}; style-src ${hash(styles)}; img-src data:; base-uri 'none'; form-action 'none'`;
}
