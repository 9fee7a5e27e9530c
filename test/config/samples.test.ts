import { readdirSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";
import { podMigrationSpecSchema } from "../../src/api/v1alpha1/pod-migration.ts";

const folder = new URL("../../config/", import.meta.url);
const objectSchema = z.looseObject({ apiVersion: z.string(), kind: z.string(), spec: z.unknown() });
const specs: Record<string, z.ZodType> = {
  MigrationPolicy: migrationPolicySpecSchema,
  PodMigration: podMigrationSpecSchema,
};

const samples = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({ name, object: objectSchema.parse(load(readFileSync(new URL(name, folder), "utf8"))) }));

describe("the samples in config/", () => {
  it.each(samples.filter(({ object }) => object.kind in specs))("are valid: $name", ({ object }) => {
    expect(object.apiVersion).toBe("headroom.dev/v1alpha1");
    expect(() => specs[object.kind]?.parse(object.spec)).not.toThrow();
  });

  it("are there for both resources", () => {
    expect(new Set(samples.map(({ object }) => object.kind))).toEqual(
      new Set(["MigrationPolicy", "PodMigration", "Pod"]),
    );
  });
});
