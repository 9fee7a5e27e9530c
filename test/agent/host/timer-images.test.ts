/** Timers in CRIU's images, written here byte by byte after its definitions. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rearmTimers } from "../../../src/agent/host/timer-images.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "timers-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push((left % 128) + (left >= 128 ? 128 : 0));
    if (left < 128) return bytes;
  }
}
const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const message = (field: number, bytes: number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];

interface Timer {
  ticks: number;
  value: [seconds: number, nanoseconds: number];
  interval: [seconds: number, nanoseconds: number];
}

const OWNER = message(3, [...number(1, 0), ...number(2, 0)]);
function timer({ ticks, value, interval }: Timer): number[] {
  const times = [...value, ...interval].flatMap((part, index) => number(7 + index, part));
  const entry = [
    ...number(1, 300),
    ...number(2, 0o4002),
    ...OWNER,
    ...number(4, 1),
    ...number(5, ticks),
    ...number(6, 0),
  ];
  return [...number(1, 17), ...number(2, 300), ...message(12, [...entry, ...times])];
}
const regular = (): number[] => [
  ...number(1, 1),
  ...number(2, 8),
  ...message(3, [...number(1, 8), ...message(7, [47, 97])]),
];

function image(entries: number[][]): Buffer {
  const sized = entries.map((entry) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(entry.length);
    return Buffer.concat([size, Buffer.from(entry)]);
  });
  const magics = Buffer.alloc(8);
  magics.writeUInt32LE(0x54564319, 0);
  magics.writeUInt32LE(0x56303138, 4);
  return Buffer.concat([magics, ...sized]);
}

/** What is in the file afterwards. */
function mended(before: Buffer): { count: number; after: Buffer } {
  writeFileSync(join(folder, "files.img"), before);
  return { count: rearmTimers(folder), after: readFileSync(join(folder, "files.img")) };
}

const EXPIRED: Timer = { ticks: 3, value: [0, 0], interval: [0, 5_000_000] };
const ARMED: Timer = { ticks: 0, value: [0, 1], interval: [0, 5_000_000] };

describe("timers in the images of a dump", () => {
  test("a periodic one that has expired and was not read is given a nanosecond, and nothing else changes", () => {
    const { count, after } = mended(image([regular(), timer(EXPIRED), regular(), timer(ARMED)]));
    expect(count).toBe(1);
    expect(after).toEqual(image([regular(), timer({ ...EXPIRED, value: [0, 1] }), regular(), timer(ARMED)]));
  });

  test.each<[string, Timer]>([
    ["runs", ARMED],
    ["runs, and has a whole number of seconds left", { ...EXPIRED, value: [7, 0] }],
    ["was disarmed, and keeps its interval", { ...EXPIRED, ticks: 0 }],
    ["expires once, and has", { ...EXPIRED, interval: [0, 0] }],
  ])("one that %s is left as it is", (_what, of) => {
    const before = image([timer(of)]);
    expect(mended(before)).toEqual({ count: 0, after: before });
  });

  test("none where there is no such image", () => {
    expect(rearmTimers(folder)).toBe(0);
  });

  test("a file that is none, or is cut short or damaged, keeps its size and never fails", () => {
    const whole = image([regular(), timer(EXPIRED), timer(ARMED)]);
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), (length, at, byte) => {
        const before = Buffer.from(whole.subarray(0, length));
        if (at < length) before[at] = byte;
        expect(mended(before).after).toHaveLength(length);
      }),
    );
  });
});
