import { describe, expect, it } from "vitest";
import { changes, changeText, isRefused, type KeptScores } from "./judge.ts";
import { logEntry, readKept } from "./kept-file.ts";
import { currentScores, suiteSpecs } from "./suite.ts";

const kept = (kills: (number | null)[], jobsFinished = [1, 1, 1]): KeptScores => ({
  seeds: [1, 2, 3],
  workloads: { mixed: { forecast: { kills, jobsFinished } } },
});
const verdicts = (before: KeptScores, now: KeptScores) =>
  changes(before, now).map(({ score, verdict }) => [score, verdict]);

describe("kept scores", () => {
  it.each([
    ["more kills with every seed", [4, 9, 2], [5, 10, 3], "Worse"],
    ["fewer kills with every seed", [4, 9, 2], [3, 8, 1], "Better"],
    ["more with one seed, fewer with another", [4, 9, 2], [5, 8, 2], "Different"],
    ["more with one seed of three", [4, 9, 2], [4, 9, 3], "Different"],
  ])("tell %s as it is", (_, before, now, verdict) => {
    expect(verdicts(kept(before), kept(now))).toEqual([["kills", verdict]]);
  });

  it("know which way is better", () => {
    expect(verdicts(kept([1, 1, 1], [5, 6, 7]), kept([1, 1, 1], [4, 5, 6]))).toEqual([["jobsFinished", "Worse"]]);
  });

  it("say nothing of what is as it was, and call new what was not kept", () => {
    expect(changes(kept([1, null, 3]), kept([1, null, 3]))).toEqual([]);
    expect(verdicts({ seeds: [], workloads: {} }, kept([1, 2, 3]))).toEqual([
      ["kills", "New"],
      ["jobsFinished", "New"],
    ]);
  });

  it("of other seeds are told as they were, and not set against these", () => {
    const other = { ...kept([1, 2, 3]), seeds: [4, 5, 6] };
    expect(changes(other, kept([5, 6, 7])).map(changeText)).toEqual([
      "mixed, forecast: kills 2 → 6: OtherSeeds",
      "mixed, forecast: jobsFinished 1 → 1: OtherSeeds",
    ]);
  });

  it.each([
    ["a score", { mixed: { forecast: { kills: [1, 2, 3] } } }, ["jobsFinished"]],
    ["a variant", { mixed: {} }, ["kills", "jobsFinished"]],
    ["a workload", {}, ["kills", "jobsFinished"]],
  ])("miss %s that is gone, whatever the seeds", (_, workloads, gone) => {
    const expected = gone.map((score) => [score, "Gone"]);
    expect(verdicts(kept([1, 2, 3]), { seeds: [1, 2, 3], workloads })).toEqual(expected);
    const ofOthers = verdicts(kept([1, 2, 3]), { seeds: [4, 5, 6], workloads });
    expect(ofOthers.filter(([, verdict]) => verdict === "Gone")).toEqual(expected);
  });

  it("miss a figure where there was one, though the others are better", () => {
    expect(verdicts(kept([4, 9, 2]), kept([3, 8, null]))).toEqual([["kills", "Undefined"]]);
    expect(verdicts(kept([4, 9, null]), kept([4, 9, 2]))).toEqual([["kills", "Different"]]);
  });

  it.each([
    ["Worse", true],
    ["New", true],
    ["OtherSeeds", true],
    ["Gone", true],
    ["Undefined", true],
    ["Better", false],
    ["Different", false],
  ] as const)("that are %s are refused: %s", (verdict, refused) => {
    expect(isRefused({ verdict })).toBe(refused);
  });

  it("are told with old and new mean and by how much", () => {
    expect(changes(kept([4, 9, 2]), kept([5, 10, 3])).map(changeText)).toEqual([
      "mixed, forecast: kills 5 → 6, by +1 [1, 1]: Worse",
    ]);
  });

  it("are logged with old and new and why when they are accepted, those that are gone too", () => {
    const now: KeptScores = {
      seeds: [1, 2, 3],
      workloads: { mixed: { forecast: { kills: [5, 10, 3], regret: [1, 1, 1] } } },
    };
    expect(logEntry(changes(kept([4, 9, 2]), now), "Asked for", "2026-11-27")).toBe(`
## 2026-11-27: Asked for

- mixed, forecast: kills 5 → 6, by +1 [1, 1]: Worse
- mixed, forecast: jobsFinished 1 → -: Gone
- new: 1 scores
`);
  });
});

describe("planning", () => {
  it.each<[string, (spec: ReturnType<typeof suiteSpecs>[number]) => boolean]>([
    ["the default model", ({ pressure }) => pressure.strategy === "Forecast" && pressure.forecast?.model === "Auto"],
    ["a selection that fills from below", ({ selection }) => selection.strategy === "Optimal"],
    ["a scheduling gate", ({ schedulingGate }) => schedulingGate !== undefined],
  ])("is scored with %s", (_, has) => {
    expect(suiteSpecs().some(has)).toBe(true);
  });

  it('scores no worse than what is kept (accept on purpose: npm run scores -- --update "why")', () => {
    expect(changes(readKept(), currentScores()).filter(isRefused).map(changeText)).toEqual([]);
  }, 120_000);
});
