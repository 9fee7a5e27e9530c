import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PROGRAMS } from "../e2e/apps/programs.ts";

test("docs/compatibility.md has a row for each of the programs that are tried", () => {
  const text = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
  const section = text.split("## Programs\n")[1]?.split("\n## ")[0] ?? "";
  const titles = [...section.matchAll(/^\| ([^|]+) \| [^|]+ \|$/gm)].map(([, title]) => title);
  expect(titles.slice(1)).toEqual(Object.values(PROGRAMS).map(({ title }) => title));
});
