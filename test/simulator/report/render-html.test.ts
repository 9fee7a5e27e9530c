import { inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PageData, PageRun } from "../../../src/simulator/report/html/page-data.ts";
import { renderHtml } from "../../../src/simulator/report/html/render-html.ts";
import type { RunRecord } from "../../../src/simulator/run-record.ts";
import { fabricatedReport } from "./fabricated-report.ts";

const HOSTILE = `"><script>globalThis.broken = true</script><!--<img src=x onerror="broken=1">&amp;\u2028`;

/** What is in the element of that id, as the browser would read it. */
function elementText(html: string, id: string): string {
  const match = new RegExp(`<script[^>]* id="${id}">(.*?)</script>`, "s").exec(html);
  return match?.[1] ?? "";
}

const dataOf = (html: string): PageData => JSON.parse(elementText(html, "data"));
const runOf = (html: string, index: number): PageRun =>
  JSON.parse(inflateRawSync(Buffer.from(elementText(html, `run-${index}-facts`), "base64")).toString());

describe("the page of a comparison", () => {
  it("holds the scores, the sweep and every run with a timeline", () => {
    const report = fabricatedReport({ swept: ["5%", "10%"] });
    const data = dataOf(renderHtml(report));
    expect(data.variants.map(({ name }) => name)).toEqual(report.comparison.variants.map(({ name }) => name));
    expect(data.scores).toEqual(report.comparison.scores);
    expect(data.sweeps).toEqual([{ path: "pressure.freeBelow", values: ["5%", "10%"] }]);
    expect(data.runs).toEqual(report.runs.map(({ variant, seed }) => ({ variant, seed })));
    expect(data.variants[0]?.scores.kills?.estimate?.mean).toBeCloseTo(
      report.comparison.variants[0]?.scores.kills?.estimate?.mean ?? -1,
    );
  });

  it("leaves out a run without a timeline, and keeps its scores", () => {
    const { comparison, runs } = fabricatedReport();
    const { recordedSeconds: _, ...bare } = runs[0] as RunRecord;
    const data = dataOf(renderHtml({ comparison, runs: [bare, ...runs.slice(1)] }));
    expect(data.runs).toHaveLength(runs.length - 1);
    expect(data.variants).toHaveLength(runs.length);
  });

  it("carries decisions with their reasons, and marks that point to them", () => {
    const report = fabricatedReport();
    const page = runOf(renderHtml(report), 3);
    const move = page.marks.find((mark) => mark.kind === "Move" && mark.decision !== undefined);
    expect(move).toMatchObject({ reason: "NodeShortOfMemory" });
    const decision = page.decisions[move?.decision ?? -1];
    expect(decision?.seconds).toBe(move?.at);
    expect(decision?.refusals.map(({ reason }) => reason)).toContain("NotEnoughRoom");
  });

  it("is the same for the same comparison", () => {
    expect(renderHtml(fabricatedReport())).toBe(renderHtml(fabricatedReport()));
  });
});

describe("what the page loads", () => {
  const html = renderHtml(fabricatedReport());

  it("is nothing: no element refers to anything outside it", () => {
    const markup = html.replace(/<(script|style)([^>]*)>.*?<\/\1>/gs, "<$1$2>");
    expect(markup).not.toMatch(/\s(src|srcset|href|action|data|poster)\s*=\s*"(?!data:,")/i);
    expect(/<style>(.*?)<\/style>/s.exec(html)?.[1]).not.toMatch(/url\(|@import/);
  });

  it("is nothing: its policy lets the browser connect to nowhere and run only these scripts", () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/script-src 'sha256-[^ ]+' 'sha256-[^ ]+';/);
    expect(policy).not.toContain("unsafe");
  });
});

describe("names that try to break out", () => {
  const html = renderHtml(
    fabricatedReport({
      scenario: HOSTILE,
      pod: `default/${HOSTILE}`,
      policies: [HOSTILE],
      node: (at) => `${HOSTILE}${at}`,
    }),
  );

  it("stay text in the page's markup and in its data", () => {
    const scripts = [...html.matchAll(/<script\b/g)];
    expect(scripts).toHaveLength([...renderHtml(fabricatedReport({ policies: ["p"] })).matchAll(/<script\b/g)].length);
    expect(html).not.toContain("<script>globalThis");
    expect(html).not.toContain("<img");
    expect(elementText(html, "data")).not.toMatch(/[<>&\u2028\u2029]/);
  });

  it("come back whole", () => {
    expect(dataOf(html).scenario.name).toBe(HOSTILE);
    expect(runOf(html, 0).nodes[3]?.name).toBe(`${HOSTILE}3`);
  });
});

describe("the page's size", { timeout: 120_000 }, () => {
  it("stays below 20 MB with 500 nodes over 24 hours, in four variants", () => {
    const html = renderHtml(fabricatedReport({ nodes: 500, hours: 24, tickSeconds: 60 }));
    expect(Buffer.byteLength(html)).toBeLessThan(20e6);
    expect(runOf(html, 0).nodes).toHaveLength(500);
    expect(runOf(html, 0).buckets).toBeGreaterThan(240);
  });

  it("stays below 20 MB when forty variants share it", () => {
    const swept = Array.from({ length: 19 }, (_, at) => `${at + 1}%`);
    const html = renderHtml(fabricatedReport({ nodes: 120, hours: 6, tickSeconds: 60, swept }));
    expect(dataOf(html).runs).toHaveLength(40);
    expect(Buffer.byteLength(html)).toBeLessThan(20e6);
  });
});
