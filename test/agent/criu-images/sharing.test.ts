import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROCESSES, pagemapOf } from "../../../src/agent/criu-images/definitions.ts";
import { encodeImage, writeImage } from "../../../src/agent/criu-images/image-file.ts";
import { common, isMemoryShared, type Range } from "../../../src/agent/criu-images/sharing.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sharing-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Pages = [page: number, count: number][];
/** Processes by PID: parent, and its pages; none: it has ended. */
function dumped(processes: Record<number, [parent: number, pages?: Pages]>): void {
  const tree = Object.entries(processes).map(([pid, [ppid]]) => ({ pid: Number(pid), ppid, pgid: 1, sid: 1 }));
  writeImage(folder, PROCESSES, encodeImage(PROCESSES, tree));
  for (const [pid, [, pages]] of Object.entries(processes)) {
    if (pages === undefined) continue;
    const kind = pagemapOf(Number(pid));
    const entries = pages.map(([page, count], index) => ({
      vaddr: BigInt(page) * 4096n,
      compat_nr_pages: count,
      flags: 4,
      ...(index % 2 ? { nr_pages: BigInt(count) } : {}),
    }));
    writeImage(folder, kind, encodeImage(kind, [{ vaddr: 1n }, ...entries]));
  }
}

describe("memory of a container's processes", () => {
  test.each<[string, boolean, Parameters<typeof dumped>[0]]>([
    ["of one process is not shared", false, { 1: [0, [[0, 1000]]] }],
    ["of a child with the same pages is", true, { 1: [0, [[0, 1000]]], 7: [1, [[0, 1000]]] }],
    ["of a child with half of the same pages is", true, { 1: [0, [[0, 1000]]], 7: [1, [[500, 500]]] }],
    [
      "of grandchildren is",
      true,
      {
        1: [0, [[9, 1]]],
        7: [1, [[100, 900]]],
        8: [
          7,
          [
            [100, 400],
            [500, 500],
          ],
        ],
      },
    ],
    ["of a child that runs another program is not", false, { 1: [0, [[0, 1000]]], 7: [1, [[5000, 1000]]] }],
    [
      "of brothers that are not each other's children is not",
      false,
      { 1: [0, [[9, 1]]], 7: [1, [[100, 900]]], 8: [1, [[100, 900]]] },
    ],
    ["that is shared by a few pages is not", false, { 1: [0, [[0, 1000]]], 7: [1, [[990, 500]]] }],
    ["of a child that has ended is not", false, { 1: [0, [[0, 1000]]], 7: [1] }],
  ])("%s", (_what, shared, processes) => {
    dumped(processes);
    expect(isMemoryShared(folder)).toBe(shared);
  });

  test("ranges have in common what each of both holds", () => {
    const ranges = fc
      .uniqueArray(fc.nat(60), { maxLength: 20 })
      .map((ends) => ends.sort((a, b) => a - b))
      .map((ends) =>
        ends.flatMap((end, index): Range[] => (index % 2 ? [[BigInt(ends[index - 1] ?? 0), BigInt(end)]] : [])),
      );
    const numbers = (some: readonly Range[]) =>
      some.flatMap(([from, to]) => Array.from({ length: Number(to - from) }, (_, index) => Number(from) + index));
    fc.assert(
      fc.property(ranges, ranges, (some, others) => {
        const there = new Set(numbers(others));
        expect(numbers(common(some, others))).toEqual(numbers(some).filter((one) => there.has(one)));
      }),
    );
  });
});
