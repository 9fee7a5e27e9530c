/**
 * The reference: the same planner, given the true future of every series in place of a forecast. It watches and moves what the first
 * policy does, under the same eligibility, and does the rest as well as planning can: it looks ten minutes ahead, moves what
 * costs least, and starts moves side by side. No policy can know more; one can still be luckier.
 */
const SCOPE = [
  "podSelector",
  "namespaceSelector",
  "nodeLabelSelector",
  "evaluationInterval",
  "metrics",
  "eligibility",
  "migration",
];

const PLANNING = {
  pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "10m" } },
  selection: { strategy: "Cheapest" },
  placement: { strategy: "MostHeadroom", margin: "2%" },
  pacing: { strategy: "Concurrent", maxMovesPerEvaluation: 5 },
};

/** @param object a policy as it was written */
export function clairvoyantObject(object: unknown): unknown {
  const written = membersOf(object);
  const spec = membersOf(written.spec);
  const scope = SCOPE.filter((member) => Object.hasOwn(spec, member)).map((member) => [member, spec[member]]);
  return { ...written, spec: { ...Object.fromEntries(scope), ...PLANNING } };
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
