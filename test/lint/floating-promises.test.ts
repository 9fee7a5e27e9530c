/** The linter refuses promises that nobody waits for: a failure of theirs would be lost. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const BIOME = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
const CONFIGURATION = fileURLToPath(new URL("../../biome.json", import.meta.url));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "headroom-lint-"));
  copyFileSync(CONFIGURATION, join(folder, "biome.json"));
  writeFileSync(join(folder, "work.ts"), "export async function work(): Promise<void> {}\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What the project's own rules say against a file. */
function complaints(source: string): string {
  writeFileSync(join(folder, "planted.ts"), source);
  try {
    execFileSync(process.execPath, [BIOME, "lint", "--vcs-enabled=false", "."], { cwd: folder, stdio: "pipe" });
    return "";
  } catch (error) {
    return String(
      error instanceof Error && "stdout" in error ? `${error.stdout}${"stderr" in error && error.stderr}` : error,
    );
  }
}

const around = (statement: string) => `import { work } from "./work.ts";
class Worker {
  async #quietly(): Promise<void> {}
  start(other: { run(): Promise<void> }): void {
    ${statement}
  }
}
export const worker = new Worker();
`;

describe("the linter", () => {
  test.each([
    ["a call of an imported function", "work();"],
    ["a call of a private method", "this.#quietly();"],
    ["a call through an interface", "other.run();"],
    ["a chain without a catch", "work().then(() => other.run());"],
    ["a finally", "work().finally(() => {});"],
    ["several together", "Promise.all([work(), other.run()]);"],
  ])("refuses a promise that nobody waits for: %s", (_about, statement) => {
    expect(complaints(around(statement))).toContain("noFloatingPromises");
  });

  test("has nothing against one whose failure is handled", () => {
    expect(complaints(around("work().catch(() => this.#quietly());\n    other.run().then(work, work);"))).not.toContain(
      "noFloatingPromises",
    );
  });
});
