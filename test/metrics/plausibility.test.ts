import { describe, expect, test } from "vitest";
import { judgeContainer, judgeNode, judgeTime, type NodeFigures } from "../../src/metrics/plausibility.ts";

const CAPACITY = 1000;

describe("A node's figures", () => {
  const believed: [string, NodeFigures, number][] = [
    ["what is available is taken from the capacity", { availableBytes: 300 }, 700],
    ["the working set is the use", { workingSetBytes: 650 }, 650],
    ["of two figures the fuller counts", { availableBytes: 300, workingSetBytes: 650 }, 700],
    ["of two figures the fuller counts, the other way round", { availableBytes: 400, workingSetBytes: 650 }, 650],
    ["a percentage is of the capacity", { availablePercent: 25 }, 750],
    ["a full node is full", { availableBytes: 0, workingSetBytes: 1000 }, 1000],
    ["nothing available is believed alone", { availableBytes: 0 }, 1000],
    ["used of a total is scaled to the capacity", { usedOfTotal: { usedBytes: 30, totalBytes: 60 } }, 500],
    ["a little more than the capacity is the agent reading it elsewhere", { workingSetBytes: 1040 }, 1040],
  ];
  test.each(believed)("%s", (_, figures, usedBytes) => {
    expect(judgeNode(figures, CAPACITY)).toEqual({ ok: true, usedBytes });
  });

  const rejected: [string, NodeFigures, string][] = [
    ["no figure", {}, "Missing"],
    ["two zeros, as an agent writes what it was not told", { availableBytes: 0, workingSetBytes: 0 }, "Missing"],
    ["a working set of zero", { workingSetBytes: 0 }, "Missing"],
    ["more available than there is", { availableBytes: 1001 }, "Implausible"],
    ["all of it available", { availableBytes: 1000 }, "Implausible"],
    ["a hundred percent available", { availablePercent: 100 }, "Implausible"],
    ["more than a hundred percent", { availablePercent: 130 }, "Implausible"],
    ["a negative percentage", { availablePercent: -2 }, "Implausible"],
    ["less than nothing available", { availableBytes: -1, workingSetBytes: 990 }, "Implausible"],
    ["a negative working set", { workingSetBytes: -1 }, "Implausible"],
    ["a plausible figure beside an absurd one", { workingSetBytes: 500, availableBytes: 5000 }, "Implausible"],
    ["far more than the node has", { workingSetBytes: 1100 }, "Implausible"],
    ["not a number", { availableBytes: Number.NaN }, "Implausible"],
    ["not a number beside a number", { availableBytes: Number.NaN, workingSetBytes: 5 }, "Implausible"],
    ["infinity", { workingSetBytes: Number.POSITIVE_INFINITY }, "Implausible"],
    ["a part of nothing", { usedOfTotal: { usedBytes: 0, totalBytes: 0 } }, "Implausible"],
  ];
  test.each(rejected)("%s is rejected", (_, figures, reason) => {
    expect(judgeNode(figures, CAPACITY)).toEqual({ ok: false, reason });
  });

  test("of a node without a known capacity are not believed", () => {
    expect(judgeNode({ workingSetBytes: 5 }, 0)).toEqual({ ok: false, reason: "Implausible" });
  });
});

describe("A container's figure", () => {
  test.each([
    [1, { ok: true, usedBytes: 1 }],
    [1000, { ok: true, usedBytes: 1000 }],
    [0, { ok: false, reason: "Missing" }],
    [-5, { ok: false, reason: "Implausible" }],
    [Number.NaN, { ok: false, reason: "Implausible" }],
    [2000, { ok: false, reason: "Implausible" }],
  ])("%d", (bytes, judgement) => expect(judgeContainer(bytes, CAPACITY)).toEqual(judgement));
});

describe("A sample's time", () => {
  test.each([
    ["now", 100, undefined],
    ["within the tolerance of clocks", 105, undefined],
    ["ahead of it", 106, "Future"],
    ["at the pod's start", 50, undefined],
    ["before the pod's start", 49, "BeforeStart"],
    ["unreadable", Number.NaN, "Implausible"],
  ])("%s", (_, timeMs, reason) => {
    expect(judgeTime(timeMs, { nowMs: 100, futureToleranceMs: 5, startedAtMs: 50 })).toBe(reason);
  });
});
