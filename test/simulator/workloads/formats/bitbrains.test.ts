import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTraceFiles } from "../../../../src/simulator/workloads/read-trace-files.ts";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { refusal } from "./refusal.ts";

const HEAD = "Timestamp [ms];\tCPU cores;\tMemory capacity provisioned [KB];\tMemory usage [KB]";
const row = (time: number | string, used: number | string, provisioned: number | string = 8388608) =>
  `${time};\t4;\t${provisioned};\t${used}`;
const file = (...rows: string[]) => [HEAD, ...rows].join("\n");
const read = (text: string) => readWorkload(text, { fileName: "some/where/12.csv" });
const first = (text: string) => {
  const [pod] = read(text);
  return { ...pod, seconds: [...(pod?.trace.seconds ?? [])], bytes: [...(pod?.trace.bytes ?? [])] };
};

describe("a Bitbrains file", () => {
  it("is a machine whose KB are KiB and which requests what was provisioned", () => {
    const pod = first(file(row(1376314846, "1024.0"), row(1376315146, 2048)));
    expect(pod).toMatchObject({
      name: "vm-12",
      requestBytes: 8 * 1024 ** 3,
      arrivalSeconds: 0,
      seconds: [0, 300],
      bytes: [1024 ** 2, 2 * 1024 ** 2],
    });
    expect(pod.durationSeconds).toBeUndefined();
  });

  it.each([
    ["seconds since 1970, as published", 1376314846, 1376315146],
    ["milliseconds since 1970, as the header says", 1376314846000, 1376315146000],
    ["milliseconds since the start", 0, 300_000],
  ])("its times are %s", (_, from, to) => {
    expect(first(file(row(from, 5), row(to, 6))).seconds).toEqual([0, 300]);
  });

  it("may have its rows in any order, twice the same time, empty lines, carriage returns and a byte order mark", () => {
    const text = `\uFEFF${file(row(1376315146, 2), row(1376314846, 1), row(1376315146, 3), "")}\n`.replaceAll(
      "\n",
      "\r\n",
    );
    expect(first(text)).toMatchObject({ seconds: [0, 300], bytes: [1024, 3 * 1024] });
  });

  it("keeps only the ends of a level stretch", () => {
    const rows = [5, 5, 5, 5, 7].map((used, index) => row(1376314846 + 300 * index, used));
    expect(first(file(...rows)).seconds).toEqual([0, 900, 1200]);
  });

  it.each([
    [file(), "12.csv: expected at least one row below the header"],
    [file(row(1376314846, 1), row(1376315146, "")), 'line 3: Memory usage [KB]: expected a number from 0 on; not ""'],
    [file(row(1376314846, "NaN")), 'line 2: Memory usage [KB]: expected a number from 0 on; not "NaN"'],
    [file(row(1376314846, -5)), "line 2: Memory usage [KB]: expected a number from 0 on"],
    [file(row("2013-08-12", 5)), "line 2: Timestamp [ms]: expected a number from 0 on"],
    [file(row(1376314846, 5, "much")), "line 2: Memory capacity provisioned [KB]: expected a number from 0 on"],
    [file(row(1376314846, 5), "1376315146;\t4"), "line 3: expected 4 columns, there are 2: is the file cut off?"],
    [
      file(row(1376314846, "1e306")),
      'line 2: Memory usage [KB]: expected a number from 0 on; not "1e306", which is more than 8Ei',
    ],
    [file(row(1376314846, 5), row("1e306", 5)), "line 3: Timestamp [ms]: expected a number from 0 on"],
    [`${HEAD};\t${HEAD}\n`, "line 1: Memory usage [KB]: expected one column of this name, there are several"],
    ["Timestamp [ms];\tCPU cores\n1;\t2", "line 1: Memory usage [KB]: expected a column of this name"],
  ])("is refused with line and column: %j", (text, expected) => {
    expect(refusal(text, "12.csv")).toContain(expected);
  });
});

describe("a Bitbrains file that is wrong in several rows", () => {
  it("is refused with each of them, and with both columns of a row", () => {
    const text = file(row(1376314846, "x"), row(1376315146, 5), row("now", -1), "1376315446;\t4");
    expect(refusal(text, "12.csv").split("\n")).toEqual([
      '12.csv, line 2: Memory usage [KB]: expected a number from 0 on; not "x"',
      '12.csv, line 4: Timestamp [ms]: expected a number from 0 on; not "now"',
      '12.csv, line 4: Memory usage [KB]: expected a number from 0 on; not "-1"',
      "12.csv, line 5: expected 4 columns, there are 2: is the file cut off?",
    ]);
  });

  it("tells ten, and how many more there are", () => {
    const lines = refusal(file(...Array.from({ length: 5000 }, () => row(1376314846, "1,5"))), "12.csv").split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[9]).toContain("12.csv, line 11: ");
    expect(lines[10]).toBe("12.csv: and 4990 more of such");
  });
});

describe("a directory of Bitbrains files", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "headroom-traces-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is read at any depth; machines are named by their folders too", () => {
    for (const [month, start] of [
      ["2013-7", 1372629804],
      ["2013-8", 1375308204],
    ] as const) {
      mkdirSync(join(directory, month));
      writeFileSync(join(directory, month, "1.csv"), file(row(start, 1), row(start + 300, 2)));
    }
    writeFileSync(join(directory, "README"), "not a trace");
    mkdirSync(join(directory, "unpacked.csv"));
    const pods = readTraceFiles([directory]).podsOf(0);
    expect(pods.map(({ name, arrivalSeconds }) => [name, arrivalSeconds])).toEqual([
      ["vm-2013-7-1", 0],
      ["vm-2013-8-1", 1375308204 - 1372629804],
    ]);
  });

  it("a long file is read in pieces, cut anywhere", () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => row(1376314846 + 300 * index, 1000 + (index % 977)));
    writeFileSync(join(directory, "1.csv"), file(...rows));
    const [pod] = readTraceFiles([directory]).podsOf(0);
    expect(pod?.trace.bytes).toHaveLength(20_000);
    expect(pod?.trace.bytes.every((bytes, index) => bytes === 1024 * (1000 + (index % 977)))).toBe(true);
  });

  it("is refused as a whole if one file is broken, or there is none", () => {
    expect(() => readTraceFiles([directory])).toThrow("expected .csv, .json, .yaml or .yml files in this directory");
    writeFileSync(join(directory, "1.csv"), file(row(1376314846, 1)));
    writeFileSync(join(directory, "2.csv"), file(row(1376314846, "x")));
    writeFileSync(join(directory, "10.csv"), file());
    expect(() => readTraceFiles([directory])).toThrow(
      /2\.csv, line 2: Memory usage.*\n.*10\.csv: expected at least one row/,
    );
  });
});
