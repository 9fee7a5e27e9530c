import { existsSync, globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readClusterFile } from "../../src/simulator/clusters/read-cluster-file.ts";
import { generatedWorkloadSchema } from "../../src/simulator/workloads/generator/generated-workload.ts";
import { SHAPES } from "../../src/simulator/workloads/generator/shapes.ts";
import { readTraceFiles } from "../../src/simulator/workloads/read-trace-files.ts";
import { readWorkload } from "../../src/simulator/workloads/read-workload.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/simulator-workloads.md`, "utf8");
const HEAD = { apiVersion: "headroom.dev/v1alpha1", kind: "GeneratedWorkload" } as const;

describe("docs/simulator-workloads.md", () => {
  it("has every field of a generated workload, and its defaults are those", () => {
    const table = page.slice(page.indexOf("| field | default |"), page.indexOf("| kind | its memory |"));
    const rows = [...table.matchAll(/^\| (`[^|]+`) \| ([^|]+) \|/gm)].flatMap(([, names = "", defaults = ""]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = ""], index) => [
        name,
        [...defaults.matchAll(/`([^`]+)`/g)][index]?.[1],
      ]),
    );
    const schema = z.toJSONSchema(generatedWorkloadSchema, { io: "input", unrepresentable: "any" });
    const fields = Object.keys(schema.properties ?? {}).filter(
      (name) => !["apiVersion", "kind", "metadata"].includes(name),
    );
    expect(rows.map(([name]) => name).sort()).toEqual(fields.sort());
    const written = rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])).join("\n");
    const text = `apiVersion: ${HEAD.apiVersion}\nkind: ${HEAD.kind}\n${written}\n`;
    expect(readWorkload(text, { fileName: "docs" })).toEqual(readWorkload(JSON.stringify(HEAD), { fileName: "docs" }));
  });

  it("tells of every kind", () => {
    for (const kind of Object.keys(SHAPES)) expect(page).toContain(`| \`${kind}\` |`);
  });

  it("names every sample, and every sample can be read", () => {
    const clusters = ["nodes.yaml", "recorded-nodes.yaml", "predecessor-cluster.yaml", "snapshot.yaml"];
    for (const path of globSync("config/simulator/*", { cwd: root })) {
      const name = basename(path);
      expect(page, name).toContain(name);
      if (!clusters.includes(name))
        expect(readTraceFiles([`${root}${path}`]).podsOf(0).length, name).toBeGreaterThan(0);
    }
    for (const name of clusters) expect(readClusterFile(`${root}config/simulator/${name}`).length).toBeGreaterThan(0);
    expect(existsSync(`${root}config/simulator/bitbrains/1.csv`)).toBe(true);
  });
});
