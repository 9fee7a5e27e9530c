import { describe, expect, it } from "vitest";
import { renderCsv } from "../../../src/simulator/report/csv.ts";
import { comparisonOf, variant } from "../comparing/fixtures.ts";

describe("a comparison as CSV", () => {
  const comparison = comparisonOf([
    [variant("none", "None"), [{ kills: 3 }, { kills: 5 }]],
    [
      variant('a, "b" x=5%', "Policy", { policy: "a", parameters: [{ path: "x", value: "5%" }] }),
      [{ kills: 1.5 }, { kills: null }],
    ],
  ]);
  const lines = renderCsv({ ...comparison, sweeps: [{ path: "x", values: ["5%"] }] }).split("\n");

  it("has a row for each variant, seed and score, and a column for each swept option", () => {
    expect(lines[0]).toBe("variant,role,policy,x,seed,score,unit,value");
    expect(lines).toContain("none,None,none,,2,kills,,5");
    expect(lines.filter((line) => line !== "")).toHaveLength(1 + 2 * 2 * comparison.scores.length);
  });

  it("quotes what needs it, and leaves empty what is not defined", () => {
    expect(lines).toContain('"a, ""b"" x=5%",Policy,a,5%,1,kills,,1.5');
    expect(lines).toContain('"a, ""b"" x=5%",Policy,a,5%,2,kills,,');
  });
});
