import { describe, expect, it } from "vitest";
import { keptFromSwap } from "../../../src/agent/host/staging.ts";

const HEADING = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
const SWAPPING = `${HEADING}/dev/sda2 partition 1048572 0 -2\n`;

describe("staged memory", () => {
  it.each([
    ["6.4.0", SWAPPING, ["noswap"]],
    ["6.12.9-cloud-amd64", HEADING, ["noswap"]],
    ["7.0.1", SWAPPING, ["noswap"]],
    ["6.1.0-30-amd64", HEADING, []],
  ])("is never swapped out on Linux %s", (kernel, swaps, options) => {
    expect(keptFromSwap(kernel, swaps)).toEqual(options);
  });

  it.each(["5.15.0", "6.3.9"])("is refused on Linux %s with swap", (kernel) => {
    expect(() => keptFromSwap(kernel, SWAPPING)).toThrow(/turn swap off/);
  });
});
