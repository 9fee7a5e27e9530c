import { describe, expect, it } from "vitest";
import { barText, progressBar } from "../../../src/cli/simulate/progress-bar.ts";

describe("the progress bar", () => {
  it("says how far it is and what is left at this pace", () => {
    expect(barText(15, 60, 10_000)).toBe("[#######.......................] 15/60 runs, 30 s left");
    expect(barText(0, 60, 0)).toBe("[..............................] 0/60 runs");
  });

  it("writes nothing but to a terminal", () => {
    const written: string[] = [];
    const bar = progressBar({ isTTY: false, write: (text) => written.push(text) }, () => 0);
    bar.update(1, 2);
    bar.end();
    expect(written).toEqual([]);
  });

  it("is drawn no more often than ten times a second, the last time always, and never wider than the terminal", () => {
    const written: string[] = [];
    let now = 0;
    const bar = progressBar({ isTTY: true, columns: 20, write: (text) => written.push(text) }, () => now);
    bar.update(1, 100);
    now = 50;
    bar.update(2, 100);
    now = 100;
    bar.update(3, 100);
    bar.update(100, 100);
    bar.end();
    expect(written).toHaveLength(4);
    expect(written.every((text) => text.replace("\r", "").replace("\u001b[K", "").length < 20)).toBe(true);
  });
});
