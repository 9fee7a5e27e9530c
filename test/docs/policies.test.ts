import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";
import { PACING_STRATEGIES } from "../../src/planning/pacing/strategies.ts";
import { PLACEMENT_STRATEGIES } from "../../src/planning/placement/strategies.ts";
import { PRESSURE_STRATEGIES } from "../../src/planning/pressure/strategies.ts";
import { SELECTION_STRATEGIES } from "../../src/planning/selection/strategies.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/policies.md`, "utf8");

interface Schema {
  properties?: Record<string, Schema>;
  default?: unknown;
  required?: string[];
}

/** Options as the page should have them; selectors are Kubernetes' own and one option each. */
function options(schema: Schema, path = ""): { option: string; default: string }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const own = `${path}${name}`;
    const optional = member.default === undefined && !schema.required?.includes(name);
    if (name.endsWith("Selector")) return [{ option: own, default: member.default ? "`{}`" : "required" }];
    const inner = options(member, `${own}.`);
    // The options of a strategy are absent unless they are written; their table row is that of their members.
    if (inner.length > 0) return optional && path === "" ? [{ option: own, default: "absent" }, ...inner] : inner;
    return [{ option: own, default: optional ? "absent" : `\`${member.default}\`` }];
  });
}

const spec = z.toJSONSchema(migrationPolicySpecSchema, { io: "input" }) as Schema; // as far as it is read here
const table = page.slice(page.indexOf("## Every option"), page.indexOf("## Strategies"));
const rows = [...table.matchAll(/^\| `([\w.]+)` \| ([^|]+) \|/gm)].map(([, option, value]) => ({
  option,
  default: value?.trim(),
}));

describe("docs/policies.md", () => {
  it("has every option of the schema with its default, in the schema's order, and no other", () => {
    expect(rows).toEqual(options(spec));
  });

  it("explains every strategy", () => {
    const names = [PRESSURE_STRATEGIES, SELECTION_STRATEGIES, PLACEMENT_STRATEGIES, PACING_STRATEGIES].flatMap((list) =>
      list.map(({ name }) => name as string),
    );
    expect(names.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it("explains every reason that planning gives", () => {
    const sources = globSync("src/planning/**/*.ts", { cwd: root }).map((file) =>
      readFileSync(`${root}${file}`, "utf8"),
    );
    const given = /(?:reason: |wait\(|problem\(|none\([^"]*"\w+", |obstacleIf\([^"]*|^ {4})"([A-Z][A-Za-z]+)"/gm;
    const reasons = new Set(sources.flatMap((source) => [...source.matchAll(given)].map((match) => match[1])));
    expect(reasons.size).toBeGreaterThan(40);
    // A gate's reason is nowhere shown; a pod's phase is none.
    const others = ["FiguresUnreliable", "Running"];
    expect([...reasons].filter((reason) => !page.includes(`\`${reason}\``) && !others.includes(reason ?? ""))).toEqual(
      [],
    );
  });
});
