/** The decision table of docs/moves.md, and what must hold of it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decide } from "../../../src/controllers/pod-migration/decision/decide.ts";
import {
  COPIES,
  ENDINGS,
  IMAGES,
  type Situation,
  SOURCES,
} from "../../../src/controllers/pod-migration/decision/situation.ts";

interface Row {
  facts: string[][];
  action: string;
  loses: boolean;
}

/** The rows below the table's heading; a cell is a list of values, `*` admits all. */
function documentedRows(): Row[] {
  const text = readFileSync(new URL("../../../docs/moves.md", import.meta.url), "utf8");
  const table = text.split("| API | Committed |")[1]?.split("\n\n")[0] ?? "";
  return table
    .split("\n")
    .slice(2)
    .map((line) => {
      const cells = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return {
        facts: cells.slice(0, 6).map((cell) => cell.split(", ")),
        action: cells[6] ?? "",
        loses: cells[7] !== "",
      };
    });
}

const SITUATIONS: Situation[] = (["there", "away"] as const).flatMap((api) =>
  [false, true].flatMap((committed) =>
    ENDINGS.flatMap((ending) =>
      SOURCES.flatMap((source) =>
        COPIES.flatMap((copy) => IMAGES.map((images) => ({ api, committed, ending, source, copy, images }))),
      ),
    ),
  ),
);

function valuesOf({ api, committed, ending, source, copy, images }: Situation): string[] {
  return [api, committed ? "yes" : "no", ending, source, copy, images];
}

function rowFor(rows: Row[], situation: Situation): Row | undefined {
  const values = valuesOf(situation);
  return rows.find(({ facts }) =>
    facts.every((wanted, fact) => wanted[0] === "*" || wanted.includes(values[fact] ?? "")),
  );
}

/** Situations, one line each, for which a decision breaks a rule. */
function offending(breaks: (situation: Situation, action: string, lost: string | undefined) => boolean): string[] {
  return SITUATIONS.flatMap((situation) => {
    const { action, lost } = decide(situation);
    return breaks(situation, action, lost) ? [`${valuesOf(situation).join(" ")}: ${action}`] : [];
  });
}

describe("the decision table", () => {
  it("is what docs/moves.md shows, in every situation", () => {
    const rows = documentedRows();
    expect(rows.length).toBeGreaterThan(30);
    const different = SITUATIONS.flatMap((situation) => {
      const row = rowFor(rows, situation);
      const { action, lost } = decide(situation);
      const same = row?.action === action && row.loses === (lost !== undefined);
      return same
        ? []
        : [
            `${valuesOf(situation).join(" ")}: ${action}${lost ? " with a loss" : ""}, documented: ${JSON.stringify(row)}`,
          ];
    });
    expect(different).toEqual([]);
  });

  it("has no row that never decides", () => {
    const rows = documentedRows();
    const used = new Set(SITUATIONS.map((situation) => rowFor(rows, situation)));
    expect(rows.filter((row) => !used.has(row))).toEqual([]);
  });

  it("releases only after the commit, and only a copy that is held", () => {
    expect(offending(({ committed, copy }, action) => action === "release" && !(committed && copy === "held"))).toEqual(
      [],
    );
  });

  it("releases nothing while the source runs or may run", () => {
    const runs = ["running", "restarted"];
    expect(offending(({ source }, action) => action === "release" && runs.includes(source))).toEqual([]);
  });

  it("lets a source go on only when its copy can be ruled out", () => {
    const goesOn = ["stand down", "revert"];
    const open = ["released", "silent"];
    expect(offending(({ copy }, action) => goesOn.includes(action) && open.includes(copy))).toEqual([]);
    expect(offending(({ committed }, action) => action === "roll back" && committed)).toEqual([]);
    expect(offending(({ copy }, action) => action === "roll back" && copy === "released")).toEqual([]);
  });

  it("gives nothing up while a source can go on, a copy is held or a checkpoint is whole", () => {
    const saved = ({ source, copy, images }: Situation) =>
      ["running", "frozen"].includes(source) || copy === "held" || copy === "released" || images === "whole";
    expect(offending((situation, action) => action === "give up" && saved(situation))).toEqual([]);
  });

  it("says what is lost only where the source cannot go on, or the API is away", () => {
    const intact = ["running", "frozen"];
    expect(
      offending(({ api, source }, _, lost) => lost !== undefined && api === "there" && intact.includes(source)),
    ).toEqual([]);
  });

  it("commits whatever else speaks against the move when only the held copy can go on", () => {
    const lost = ["ended", "restarted", "disrupted", "silent"];
    const only = ({ api, committed, source, copy }: Situation) =>
      api === "there" && !committed && copy === "held" && lost.includes(source);
    expect(offending((situation, action) => only(situation) && action !== "commit")).toEqual([]);
  });
});
