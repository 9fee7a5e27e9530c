import { describe, expect, test } from "vitest";
import type { FileEntry } from "../../../src/agent/criu-images/definitions.ts";
import { withTimersArmed } from "../../../src/agent/criu-images/timers.ts";

type Timer = NonNullable<FileEntry["tfd"]>;
const timer = (more: Partial<Timer>): FileEntry => {
  const base = { id: 300, flags: 0o4002, fown: {}, clockid: 1, ticks: 3n, settime_flags: 0, vsec: 0n, vnsec: 0n };
  return { type: 17, id: 300, tfd: { ...base, isec: 0n, insec: 5_000_000n, ...more } };
};
const OTHER: FileEntry = { type: 1, id: 8, reg: { id: 8, name: "/a" } };

describe("timers in the images of a dump", () => {
  test("a periodic one that has expired and was not read is given a nanosecond, and nothing else changes", () => {
    const running = timer({ ticks: 0n, vnsec: 1n });
    const after = [OTHER, timer({ vnsec: 1n }), OTHER, running];
    expect(withTimersArmed([OTHER, timer({}), OTHER, running])).toEqual(after);
    const slow = { isec: 1n, insec: 0n };
    expect(withTimersArmed([timer(slow)])).toEqual([timer({ ...slow, vnsec: 1n })]);
  });

  test.each<[string, Partial<Timer>]>([
    ["runs", { ticks: 0n, vnsec: 1n }],
    ["runs, and has a whole number of seconds left", { vsec: 7n }],
    ["was disarmed, and keeps its interval", { ticks: 0n }],
    ["expires once, and has", { insec: 0n }],
  ])("one that %s is left as it is", (_what, more) => {
    expect(withTimersArmed([timer(more)])).toEqual([timer(more)]);
  });
});
