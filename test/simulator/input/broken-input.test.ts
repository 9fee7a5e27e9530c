import { expect, it } from "vitest";
import { BrokenInputError, collectFlaws } from "../../../src/simulator/input/broken-input.ts";

it("flaws of all files are told together, also more of them than a call takes arguments", () => {
  const broken = (file: string, count: number) =>
    new BrokenInputError(Array.from({ length: count }, () => ({ file, message: "expected bytes" })));
  const collect = () =>
    collectFlaws([broken("big.json", 300_000), broken("small.json", 1)], (error) => {
      throw error;
    });
  expect(collect).toThrow(/^(big\.json: expected bytes\n){10}big\.json: and 299990 more of such\nsmall\.json: /);
});
