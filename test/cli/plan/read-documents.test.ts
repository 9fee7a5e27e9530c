import { describe, expect, it } from "vitest";
import { readPolicyTexts } from "../../../src/cli/plan/read-documents.ts";

const HEAD = "apiVersion: headroom.dev/v1alpha1\nkind: MigrationPolicy\n";

function refusal(text: string): string[] {
  const read = readPolicyTexts([{ name: "p.yaml", text }]);
  return read.ok ? [] : read.lines;
}

describe("what is wrong with a policy", () => {
  it.each([
    [
      `${HEAD}metadata: {name: a}\nspec:\n  podSelector: {}\n  mode: Sometimes\n`,
      "p.yaml, line 6: spec.mode: expected",
    ],
    [
      `${HEAD}metadata: {name: a}\nspec:\n  podSelector: {}\n  moode: x\n`,
      "p.yaml, line 6: spec.moode: is not a field",
    ],
    [`${HEAD}metadata: {name: a}\nspec:\n  mode: Enforce\n`, "p.yaml, line 5: spec.podSelector: expected"],
    [`---\n---\n${HEAD}metadata: {name: Q}\nspec: {podSelector: {}}\n`, "p.yaml, line 5: metadata.name: "],
    [
      `kind: List\nitems:\n- ${HEAD.replaceAll("\n", "\n  ")}metadata: {name: a}\n  spec:\n    podSelector: 7\n`,
      "p.yaml, line 7: spec.podSelector: expected",
    ],
  ])("is told with its line: %j", (text, line) => {
    expect(refusal(text)).toEqual([expect.stringContaining(line)]);
  });
});
