import { afterEach, describe, expect, it, vi } from "vitest";
import type { ComparisonReport } from "../../../src/simulator/comparing/comparison.ts";
import type { RunEvent } from "../../../src/simulator/run-record.ts";
import { fabricatedReport } from "./fabricated-report.ts";
import { type OpenedPage, openPage } from "./opened-page.ts";

// A browser, even one without a screen, takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let page: OpenedPage;
const open = async (report: ComparisonReport) => {
  page = await openPage(report);
  return page.document;
};
afterEach(() => page.close());

const text = (selector: string) => page.document.querySelector(selector)?.textContent ?? "";
const rows = (selector: string) => [...page.document.querySelectorAll(`${selector} tbody tr`)];
const button = (label: string) =>
  [...page.document.querySelectorAll("button")].find((one) => one.textContent === label);
const overview = () => page.document.querySelector(".overview");

describe("the page, opened", () => {
  it("complains about nothing", async () => {
    await open(fabricatedReport({ swept: ["5%", "10%", "20%"] }));
    expect(page.complaints).toEqual([]);
    expect(page.document.documentElement.dataset.ready).toBe("true");
  });

  it("shows every variant's scores, better and worse than no policy in words", async () => {
    const report = fabricatedReport();
    await open(report);
    expect(text(".scores thead")).toContain("no policy at all");
    expect(text("td.better .verdict")).toMatch(/^▼ better, [−+]/);
    expect(text("td.worse .verdict")).toMatch(/^▲ worse, [−+]/);
    await page.choose("Scores", `all ${report.comparison.scores.length}`);
    expect(rows(".scores").length).toBeGreaterThan(12);
  });

  it("shows the pods that never started where there are any, before all scores are asked for", async () => {
    const report = fabricatedReport();
    await open(report);
    expect(text(".scores tbody")).not.toContain("Never started");
    const [none] = report.comparison.variants;
    if (none?.scores.podsNeverStarted) none.scores.podsNeverStarted.estimate = { mean: 3, low: 1, high: 5, seeds: 3 };
    await page.close();
    await open(report);
    expect(text(".scores tbody")).toContain("Never started");
  });

  it("says of a difference that may be by chance neither better nor worse", async () => {
    const report = fabricatedReport();
    for (const variant of report.comparison.variants) {
      for (const score of Object.values(variant.scores)) score.againstNone = { mean: -1, low: -3, high: 1, seeds: 3 };
    }
    await open(report);
    expect(page.document.querySelectorAll("td.better, td.worse")).toHaveLength(0);
  });

  it("judges against another variant when asked", async () => {
    const report = fabricatedReport();
    const lower = { mean: -5, low: -6, high: -4, seeds: 3 };
    report.comparison.differences.push({ variant: "forecast", minus: "threshold", scores: { kills: lower } });
    await open(report);
    const kills = () => [...(rows(".scores")[0]?.querySelectorAll("td") ?? [])].map((cell) => cell.className);
    await page.choose("Better or worse than", "threshold");
    expect(kills()).toEqual(["worse", "", "", "better"]);
    await page.choose("Better or worse than", "forecast");
    expect(kills()[2]).toBe("worse");
  });

  it("shows the sweep's figures beside its curves", async () => {
    await open(fabricatedReport({ swept: ["5%", "10%"] }));
    expect(page.document.querySelectorAll("#sweeps canvas")).toHaveLength(2);
    expect(rows("#sweeps .panel:first-child").map((row) => row.querySelector("th")?.textContent)).toEqual([
      "5%",
      "10%",
    ]);
  });

  it("has no sweep without one", async () => {
    await open(fabricatedReport());
    expect(page.document.getElementById("sweeps")?.hasAttribute("hidden")).toBe(true);
  });
});

describe("the memory of a run", () => {
  it("starts with a node on which something happened", async () => {
    await open(fabricatedReport());
    expect(rows(".events").length).toBeGreaterThan(0);
  });

  it("goes to another node by the arrow keys", async () => {
    await open(fabricatedReport());
    await page.press(overview(), "Home");
    expect(text("#node-title")).toBe("node-1");
    await page.press(overview(), "ArrowDown");
    expect(text("#node-title")).toBe("node-2");
    expect(text(".spoken")).toMatch(/^node-2: 64 GiB, peak/);
  });

  it("shows fewer events when zoomed in, and all for the whole run", async () => {
    await open(fabricatedReport({ hours: 24 }));
    await page.choose("Events of", "all nodes");
    const all = text(".events + .hint");
    await page.press(button("+"));
    expect(Number.parseInt(text(".events + .hint"), 10)).toBeLessThan(Number.parseInt(all, 10));
    await page.press(button("Whole run"));
    expect(text(".events + .hint")).toBe(all);
  });

  it("shows another variant's run, and one beside it", async () => {
    await open(fabricatedReport());
    await page.choose("Variant", "none");
    await page.choose("Beside it", "forecast");
    await page.choose("Show", "moves");
    expect(text(".events")).toContain("Nothing of this kind");
    expect(page.complaints).toEqual([]);
  });

  it("is that of another seed, where several were kept", async () => {
    const { comparison, runs } = fabricatedReport();
    await open({ comparison, runs: [...runs, ...runs.map((run) => ({ ...run, seed: 7, events: [] }))] });
    await page.choose("Seed", "7");
    expect(text("#run")).toContain("Run of seed 7: 0 kills");
  });

  it("counts kills at a pod's own limit apart, as the scores do", async () => {
    const { comparison, runs } = fabricatedReport();
    const [none] = runs;
    const [kill] = none?.events.filter(({ kind }) => kind === "Killed") ?? [];
    if (none === undefined || kill?.kind !== "Killed") throw new Error("without a policy pods are killed");
    const limited: RunEvent = { ...kill, node: "node-1", cause: "OverLimit" };
    await open({ comparison, runs: [{ ...none, events: [limited, limited] }] });
    await page.press(overview(), "Home");
    expect(text("#run .lead")).toContain("0 kills, 0 evictions, 2 kills at a pod's own limit, ");
    expect(text("#node-title + .lead")).toContain("0 kills · 0 evictions · 2 kills at a pod's own limit · ");
    expect(text(".legend")).toContain("killed at its limit");
    await page.choose("Show", "kills and evictions");
    expect(rows(".events")).toHaveLength(0);
    await page.choose("Show", "kills at a pod's own limit");
    expect(rows(".events").map((row) => row.querySelector(".what")?.textContent)).toEqual([
      "killed at its limit",
      "killed at its limit",
    ]);
    await page.press(page.document.querySelector(".events tbody button"));
    expect(text(".decision")).toContain("no move prevents it");
  });

  it("says what of it is left out of the page", async () => {
    const { comparison, runs } = fabricatedReport();
    const [none] = runs;
    const [kill] = none?.events.filter(({ kind }) => kind === "Killed") ?? [];
    const [decision] = runs[3]?.decisions ?? [];
    if (none === undefined || kill === undefined || decision === undefined)
      throw new Error("pods are killed and moved");
    const events = Array.from({ length: 30_012 }, (_, at) => ({ ...kill, seconds: at / 10 }));
    const decisions = Array.from({ length: 5001 }, (_, at) => ({ ...decision, seconds: at }));
    await open({ comparison, runs: [{ ...none, events, decisions }] });
    expect(text("#run .lead")).toContain("30,000 kills, ");
    expect(text("#run .lead")).toContain("Left out of the page, and not counted here: 12 events and 1 decision.");
    await page.close();
    await open(fabricatedReport());
    expect(text("#run .lead")).not.toContain("Left out");
  });

  it("is absent where the first seed's runs were interrupted, and says so", async () => {
    const { comparison } = fabricatedReport();
    await open({ comparison: { ...comparison, seedsAsked: 9 }, runs: [] });
    expect(text("#run")).toContain("interrupted before");
  });

  it("is absent without timelines, and says so", async () => {
    const { comparison } = fabricatedReport();
    await open({ comparison, runs: [] });
    expect(text("#run")).toContain("without timelines");
    expect(page.complaints).toEqual([]);
  });
});

describe("a decision", () => {
  it("is shown with its reasons when its move is chosen", async () => {
    await open(fabricatedReport());
    await page.choose("Show", "moves");
    await page.press(page.document.querySelector(".events tbody button"));
    expect(text(".decision")).toContain("is the biggest pod that may move");
    expect(text(".decision")).toContain("NotEnoughRoom");
    expect(page.document.querySelector(".events [aria-current]")).not.toBeNull();
  });

  it("is followed by the next one", async () => {
    await open(fabricatedReport());
    await page.press(button("Later decision ▶"));
    const first = text(".narrow h3");
    await page.press(button("Later decision ▶"));
    expect(first).toMatch(/^Decision \d+ of \d+$/);
    expect(text(".narrow h3")).not.toBe(first);
  });

  it("is not said to exist for a kill", async () => {
    await open(fabricatedReport());
    await page.choose("Variant", "none");
    await page.choose("Events of", "all nodes");
    await page.press(page.document.querySelector(".events tbody button"));
    expect(text(".decision")).toContain("No policy decides this");
  });
});

describe("hostile names, opened", () => {
  const hostile = `</script><script>document.title = "broken"</script><img src=x onerror="document.title='broken'">`;

  it("are shown as they are", async () => {
    await open(
      fabricatedReport({
        scenario: hostile,
        pod: `default/${hostile}`,
        policies: [hostile],
        node: (at) => `${hostile}${at}`,
      }),
    );
    await page.press(button("Later decision ▶"));
    expect(text("h1")).toBe(hostile);
    expect(text("#node-title")).toContain(hostile);
    expect(text(".decision")).toContain(hostile);
    expect(page.document.title).not.toBe("broken");
    expect(page.document.querySelectorAll("img")).toHaveLength(0);
  });
});
