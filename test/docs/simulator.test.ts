import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addSimulateCommand } from "../../src/cli/simulate.ts";
import { SCORE_DESCRIPTIONS } from "../../src/simulator/scores/scores.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (name: string) => readFileSync(`${root}docs/${name}`, "utf8");
const page = read("simulator.md");

/** A table's rows, cell by cell. */
function rows(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("docs/simulator.md", () => {
  it("has every score, in order, with its unit, direction and meaning", () => {
    const direction = { Lower: "lower", Higher: "higher", Neither: "" };
    expect(rows("Scores")).toEqual(
      SCORE_DESCRIPTIONS.map(({ name, unit, better, doc }) => [`\`${name}\``, unit, direction[better], doc]),
    );
  });

  it("explains every flag, here or where workloads are explained, and no other", () => {
    const program = new Command();
    addSimulateCommand(program);
    const flags = program.commands[0]?.options.flatMap(({ long }) => long ?? []) ?? [];
    const explained = page + read("simulator-workloads.md");
    expect(flags.length).toBeGreaterThan(20);
    expect(flags.filter((flag) => !explained.includes(flag))).toEqual([]);
    expect(
      rows("Conditions")
        .map(([flag]) => flag?.slice(1, -1))
        .filter((flag) => !flags.includes(flag ?? "")),
    ).toEqual([]);
  });

  it("gives the defaults that the command's help gives", () => {
    const program = new Command();
    addSimulateCommand(program);
    const options = program.commands[0]?.options ?? [];
    for (const [flag, value = ""] of rows("Conditions")) {
      const option = options.find(({ long }) => `\`${long}\`` === flag);
      const told = option?.defaultValue ?? /default: ([^)\s]+)/.exec(option?.description ?? "")?.[1];
      if (value !== "absent" && flag !== "`--gaps`") expect([flag, `\`${told}\``]).toEqual([flag, value]);
    }
  });
});
