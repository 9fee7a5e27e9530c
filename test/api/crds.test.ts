import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { structural } from "../../src/api/crd.ts";
import { crdFiles } from "../../src/api/resources.ts";

const folder = fileURLToPath(new URL("../../crds/", import.meta.url));

interface Node {
  type?: string;
  description?: string;
  properties?: Record<string, Node>;
  items?: Node;
  additionalProperties?: Node;
}

function undescribed(node: Node, path: string): string[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([name, member]) => [
    ...(member.description === undefined && name !== "metadata" ? [`${path}.${name}`] : []),
    ...undescribed(member, `${path}.${name}`),
  ]);
  return [...own, ...(node.items ? undescribed(node.items, `${path}[]`) : [])];
}

function openApi(content: string): Node {
  // The generated files are known to have this shape; a wrong one fails the tests below.
  const crd = load(content) as { spec: { versions: [{ schema: { openAPIV3Schema: Node } }] } };
  return crd.spec.versions[0].schema.openAPIV3Schema;
}

describe("the checked-in CRDs", () => {
  it("are what the schemas generate: run `npm run generate` after changing src/api", () => {
    const written = readdirSync(folder).map((name) => ({ name, content: readFileSync(`${folder}${name}`, "utf8") }));
    expect(written).toEqual(crdFiles().sort((a, b) => a.name.localeCompare(b.name)));
  });

  it.each(crdFiles())("describe every field for kubectl explain: $name", ({ content }) => {
    const loose = undescribed(openApi(content), "").filter((path) => !path.includes("ownerReferences"));
    expect(loose).toEqual([]);
  });

  it("show the columns that people look for", () => {
    const columns = crdFiles().map(({ content }) =>
      [...content.matchAll(/- name: (\w+)\n +type: \w+\n +jsonPath/g)].map((match) => match[1]),
    );
    expect(columns[0]).toEqual(["Mode", "Nodes", "Pressured", "Moving", "Moved", "Ready", "Reason", "Age"]);
    expect(columns[1]).toEqual("Pod From To Phase Reason Memory Freeze Policy Message Age".split(" "));
  });
});

describe("a structural schema", () => {
  const of = (schema: z.ZodType) => structural(z.toJSONSchema(schema, { io: "input" }));

  it("drops the bounds of safe integers and keeps real ones", () => {
    expect(of(z.int())).toEqual({ type: "integer", format: "int64" });
    expect(of(z.int().min(1).max(5))).toEqual({ type: "integer", format: "int64", minimum: 1, maximum: 5 });
  });

  it("keeps unknown fields only where the schema says so", () => {
    expect(of(z.strictObject({}))).toEqual({ type: "object", properties: {} });
    expect(of(z.looseObject({}))).toMatchObject({ "x-kubernetes-preserve-unknown-fields": true });
  });

  it("refuses what a CRD cannot say, naming the place", () => {
    expect(() => of(z.object({ a: z.union([z.string(), z.number()]) }))).toThrow(/^spec\.a: .*types/);
    expect(() => of(z.object({ a: z.union([z.string(), z.object({})]) }))).toThrow(/^spec\.a: .*anyOf/);
  });
});
