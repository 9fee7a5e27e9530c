import { describe, expect, it } from "vitest";
import { node, pod, run, scenario, trace } from "./world.ts";

/** When it was killed; it alone is on the node. */
function kills(course: ReturnType<typeof trace>, endSeconds: number): number[] {
  const record = run(scenario([node("z1")], [pod("a", course)], { endSeconds }));
  return record.events.filter(({ kind }) => kind === "Killed").map(({ seconds }) => seconds);
}

describe("a pod that is killed again and again", () => {
  it("starts again after 10, 20, 40, 80, 160 and then 300 s", () => {
    // It works for 10 s each time: then its memory is beyond its node's.
    expect(kills(trace([0, 0], [10, 200]), 1000)).toEqual([10, 30, 60, 110, 200, 370, 680, 990]);
  });

  it("starts again soon when it has run for ten minutes in between", () => {
    expect(kills(trace([0, 0], [600, 90], [610, 200]), 2000)).toEqual([610, 1230, 1850]);
  });
});
