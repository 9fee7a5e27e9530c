import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadAll } from "js-yaml";
import { describe, expect, it } from "vitest";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";
import { podMigrationSpecSchema } from "../../src/api/v1alpha1/pod-migration.ts";
import { toPolicy } from "../../src/planning/policy.ts";

const folder = fileURLToPath(new URL("../../config/", import.meta.url));
const documents = readdirSync(folder)
  .filter((file) => file.endsWith(".yaml"))
  .flatMap((file) =>
    loadAll(readFileSync(`${folder}${file}`, "utf8")).map((document) => {
      // A sample is an object with these; what is not fails the tests.
      const { kind, metadata, spec } = document as { kind: string; metadata: { name?: string }; spec: object };
      return { file, kind, name: metadata.name, spec };
    }),
  );

describe("the samples", () => {
  it.each(documents.filter(({ kind }) => kind === "MigrationPolicy"))(
    "$file is a policy that can be evaluated",
    (sample) => {
      const parsed = migrationPolicySpecSchema.strict().parse(sample.spec);
      expect(toPolicy(sample.name ?? "", parsed).name).toBe(sample.name);
    },
  );

  it.each(documents.filter(({ kind }) => kind === "PodMigration"))(
    "$file is a move that kubectl apply takes",
    (sample) => {
      expect(sample.name).toBeDefined();
      expect(podMigrationSpecSchema.parse(sample.spec)).toMatchObject(sample.spec);
    },
  );

  it("move the pod that comes with them, and the policy selects it", () => {
    const pods = documents.filter(({ kind }) => kind === "Pod").map(({ name }) => name);
    const moved = documents.filter(({ kind }) => kind === "PodMigration").map(({ spec }) => Object.entries(spec));
    expect(moved.every((fields) => fields.some(([key, value]) => key === "podName" && pods.includes(value)))).toBe(
      true,
    );
  });
});
