/**
 * Bitbrains GWA-T-12 (fastStorage and Rnd): one file for each virtual machine, columns separated by `;` and tabs. `Timestamp [ms]` holds
 * seconds since 1970 in the published files, whatever its header says, and is taken as what its size shows it to be. KB are KiB: provisioned
 * memory comes in powers of two of them. A machine requests what was provisioned; with a request factor, that part of its peak.
 */
import { BrokenInputError, FileFlaws } from "../../input/broken-input.ts";
import { isBytes, notBytes } from "../../input/fields.ts";
import type { LineSource } from "../../input/lines.ts";
import type { RecordedPod } from "../recorded-pod.ts";
import { Samples } from "../samples.ts";

const KiB = 1024;
const TIME = "Timestamp [ms]";
const USED = "Memory usage [KB]";
const PROVISIONED = "Memory capacity provisioned [KB]";

/** By the first lines of a file. */
export function isBitbrains(head: string): boolean {
  const header = head.split("\n", 1)[0] ?? "";
  return /^\uFEFF?\s*"?timestamp/i.test(header) && header.includes(";");
}

interface Columns {
  count: number;
  time: number;
  used: number;
  /** Below 0: the file has none. */
  provisioned: number;
}

/** Throws with what is wrong in any of the rows. */
export function readBitbrains(source: LineSource): RecordedPod {
  const [samples, flaws] = [new Samples(), new FileFlaws(source.name)];
  let [columns, number, provisionedBytes]: [Columns | undefined, number, number] = [undefined, 0, 0];
  let msPerUnit = 1;
  for (const line of source.lines()) {
    number++;
    if (line.trim() === "") continue;
    if (columns === undefined) {
      columns = readHeader(line, source.name);
      continue;
    }
    const row = readRow(line, columns, (field, message) => flaws.add({ line: number, field, message }));
    if (row === undefined) continue;
    if (samples.length === 0) msPerUnit = millisecondsPerUnit(row.time);
    samples.add(row.time * msPerUnit, row.usedBytes);
    provisionedBytes = Math.max(provisionedBytes, row.provisionedBytes);
  }
  flaws.refuse();
  if (samples.length === 0)
    throw new BrokenInputError([{ file: source.name, message: "expected at least one row below the header" }]);
  return {
    namespace: "default",
    name: `vm-${source.stem.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`,
    ...samples.series(),
    finishes: "WhenGone",
    labels: {},
    annotations: {},
    ...(provisionedBytes > 0 && { requestBytes: provisionedBytes }),
  };
}

/** Some copies of the data set have quotes. */
const bare = (cell: string) => cell.trim().replace(/^"(.*)"$/, "$1");

function readHeader(line: string, file: string): Columns {
  const names = line
    .replace(/^\uFEFF/, "")
    .split(";")
    .map((name) => bare(name).toLowerCase());
  const place = (name: string) => names.indexOf(name.toLowerCase());
  const missing = [TIME, USED].filter((name) => place(name) < 0);
  const twice = [TIME, USED, PROVISIONED].filter((name) => place(name) !== names.lastIndexOf(name.toLowerCase()));
  const flaws = [
    ...missing.map((field) => ({ file, line: 1, field, message: "expected a column of this name" })),
    ...twice.map((field) => ({ file, line: 1, field, message: "expected one column of this name, there are several" })),
  ];
  if (flaws.length > 0) throw new BrokenInputError(flaws);
  return { count: names.length, time: place(TIME), used: place(USED), provisioned: place(PROVISIONED) };
}

interface Row {
  /** In the file's unit. */
  time: number;
  usedBytes: number;
  provisionedBytes: number;
}

type Tell = (field: string, message: string) => void;

/** Undefined: something is wrong with it, and was told. */
function readRow(line: string, columns: Columns, tell: Tell): Row | undefined {
  const found = line.split(";");
  if (found.length < columns.count) {
    tell("", `expected ${columns.count} columns, there are ${found.length}: is the file cut off?`);
    return undefined;
  }
  const read = (column: number, field: string) => {
    const text = bare(found[column] ?? "");
    const value = text === "" ? Number.NaN : Number(text);
    // Times have the same bound: far beyond any calendar.
    if (isBytes(value * KiB)) return value;
    const is = field === TIME ? `not ${JSON.stringify(text)}` : notBytes(text, value * KiB);
    tell(field, `expected a number from 0 on; ${is}`);
    return undefined;
  };
  const [time, used] = [read(columns.time, TIME), read(columns.used, USED)];
  const provisioned = columns.provisioned < 0 ? 0 : read(columns.provisioned, PROVISIONED);
  if (time === undefined || used === undefined || provisioned === undefined) return undefined;
  return { time, usedBytes: used * KiB, provisionedBytes: provisioned * KiB };
}

/** Seconds since 1970 lie between these for the next thousand years; milliseconds since then are more, a count from 0 is less. */
const [SECONDS_FROM, SECONDS_BELOW] = [1e8, 1e11];

function millisecondsPerUnit(first: number): number {
  return first >= SECONDS_FROM && first < SECONDS_BELOW ? 1000 : 1;
}
