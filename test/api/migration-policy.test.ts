import { describe, expect, it } from "vitest";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";

const problems = (spec: object): string[] =>
  (migrationPolicySpecSchema.safeParse({ podSelector: {}, ...spec }).error?.issues ?? []).map(
    (issue) => `${issue.path.join(".")}: ${issue.message}`,
  );

describe("a MigrationPolicy", () => {
  it("needs a podSelector and nothing else, and does nothing but look by default", () => {
    expect(migrationPolicySpecSchema.parse({ podSelector: {} })).toMatchObject({
      mode: "DryRun",
      pressure: { strategy: "Threshold", freeBelow: "20%" },
      pacing: { strategy: "Blocking", maxMovesPerEvaluation: 1 },
    });
    expect(migrationPolicySpecSchema.safeParse({}).success).toBe(false);
  });

  it.each([
    [{ pressure: { freeBelow: "120%" } }, "pressure.freeBelow: must be a percentage"],
    [{ pressure: { freeBelow: "20" } }, "pressure.freeBelow: must be a percentage"],
    [{ evaluationInterval: "0s" }, "evaluationInterval: must be from 1s to 1h"],
    [{ evaluationInterval: "15" }, "evaluationInterval: must be a duration"],
    [{ schedulingGate: { closeAbove: "60%", reopenBelow: "70%" } }, "schedulingGate.reopenBelow: reopenBelow must be"],
    [{ schedulingGate: { closeAbove: "60%" } }, "schedulingGate.reopenBelow: reopenBelow must be"],
    [{ pacing: { maxMovesPerEvaluation: 0 } }, "pacing.maxMovesPerEvaluation: "],
    [{ pacing: { blocking: { pause: "x1" } } }, "pacing.blocking.pause: must be a duration"],
    [{ pressure: { strategy: "Slop" } }, "pressure.strategy: "],
    [{ podSelector: { matchExpressions: [{ key: "a", operator: "In" }] } }, "podSelector.matchExpressions.0.values: "],
  ])("%j is refused, and the field is named", (spec, problem) => {
    expect(problems(spec)).toEqual([expect.stringContaining(problem)]);
  });
});
