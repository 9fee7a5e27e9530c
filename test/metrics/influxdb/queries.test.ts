import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodesQuery, podsQuery } from "../../../src/metrics/influxdb/queries.ts";
import { windowStart } from "../../../src/metrics/influxdb/query-window.ts";

const RANGE = { startMs: Date.parse("2026-01-01T00:00:00Z"), stopMs: Date.parse("2026-01-01T01:00:00Z") };

/** What Flux takes the first string literal to mean; a `${` that isn't escaped would be an expression. */
function firstLiteral(query: string): { meaning: string; rest: string } {
  const [literal = ""] = /"(?:[^"\\]|\\.)*"/s.exec(query) ?? [];
  expect(literal.replace(/\\./gs, "_")).not.toContain("${");
  const meaning = literal.slice(1, -1).replace(/\\(.)/gs, (_, escaped: string) => unescaped(escaped));
  return { meaning, rest: query.slice(query.indexOf(literal) + literal.length) };
}

function unescaped(escaped: string): string {
  return { n: "\n", r: "\r", t: "\t" }[escaped] ?? escaped;
}

describe("A Flux query", () => {
  test.each([
    ["for nodes", nodesQuery],
    ["for pods", podsQuery],
  ])("%s keeps a bucket's name in its quotes, whatever the name", (_, query) => {
    const plain = firstLiteral(String(query({ ...RANGE, bucket: "plain" }))).rest;
    const names = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', "\\", "$", "{", "}", "\n", "x") }));
    fc.assert(
      fc.property(names, (bucket) => {
        const { meaning, rest } = firstLiteral(String(query({ ...RANGE, bucket })));
        expect(meaning).toBe(bucket);
        expect(rest).toBe(plain);
      }),
    );
  });

  test("for pods filters by field: another input writes the same measurement", () => {
    expect(String(podsQuery({ ...RANGE, bucket: "b" }))).toContain('r._field == "memory_working_set_bytes"');
  });

  test("has its range in UTC", () => {
    expect(String(nodesQuery({ ...RANGE, bucket: "b" }))).toContain(
      "range(start: 2026-01-01T00:00:00.000Z, stop: 2026-01-01T01:00:00.000Z)",
    );
  });
});

describe("The window of a query", () => {
  test.each([
    ["everything kept, at first", undefined, 1000 - 600],
    ["what is new, with an overlap", 985, 985 - 60],
    ["everything kept, after a long absence", 100, 1000 - 600],
    ["nothing in the future, when the clock was set back", 5000, 1000 - 60],
  ])("is %s", (_, answeredAtMs, start) => {
    expect(windowStart(1000, answeredAtMs, { retentionMs: 600, overlapMs: 60 })).toBe(start);
  });
});
