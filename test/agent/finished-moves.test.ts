import { expect, test } from "vitest";
import { FinishedMoves } from "../../src/agent/finished-moves.ts";

const end = (moveUID: string, atMs: number) => ({ moveUID, role: "target" as const, results: {}, atMs });

test("an end is forgotten after an hour, once another comes", () => {
  const moves = new FinishedMoves([end("old", 0), end("young", 3_000_000)]);
  moves.add(end("new", 3_600_001));
  expect(moves.list().map(({ moveUID }) => moveUID)).toEqual(["young", "new"]);
});

test("a thousand ends are kept, the latest", () => {
  const moves = new FinishedMoves();
  for (let count = 0; count < 1_100; count++) moves.add(end(`move ${count}`, count));
  expect(moves.list()).toHaveLength(1_000);
  expect(moves.get("move 99", "target")).toBeUndefined();
  expect(moves.get("move 100", "target")).toBeDefined();
  expect(moves.get("move 100", "source")).toBeUndefined();
});

test("a second cleaning up, which finds no record, doesn't make forgotten how the move ended", () => {
  const moves = new FinishedMoves();
  moves.add({ ...end("move", 0), state: "released", results: { release: { releasedAtMs: 5 } } });
  moves.add(end("move", 9));
  expect(moves.list()).toEqual([
    { moveUID: "move", role: "target", state: "released", results: { release: { releasedAtMs: 5 } }, atMs: 9 },
  ]);
});
