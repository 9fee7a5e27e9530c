import type { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { isWorthMeasuring, linkRefusal, measureLink } from "../../src/agent/link.ts";

const GB = 1e9;
const MB = 1e6;
const never = new AbortController().signal;

describe("the link is measured before a freeze", () => {
  test.each([
    ["that is expected to be long", { expectedMs: 21_000, allowedMs: 600_000 }, 2 * GB, true],
    ["that comes near to what is allowed", { expectedMs: 6_000, allowedMs: 16_000 }, GB, true],
    ["not when it is short", { expectedMs: 1_500, allowedMs: 16_000 }, 100 * MB, false],
    ["not when there is next to nothing to send", { expectedMs: 550, allowedMs: 1_300 }, 5 * MB, false],
  ])("%s", (_, limits, bytes, worth) => {
    expect(isWorthMeasuring({ ...limits, filesBytes: 0 }, bytes)).toBe(worth);
  });
});

describe("a freeze over the measured link", () => {
  const limits = { expectedMs: 8_500, allowedMs: 16_000, filesBytes: 0 };

  test.each([
    ["may begin when it ends in time", { bytesPerSecond: 100 * MB, atLeast: false }, false],
    ["is refused when it does not", { bytesPerSecond: 20 * MB, atLeast: false }, true],
    ["may begin when an agent, not the link, was the limit", { bytesPerSecond: 20 * MB, atLeast: true }, false],
  ])("%s", (_, link, refused) => {
    expect(linkRefusal(limits, GB, link) !== undefined).toBe(refused);
  });

  test("is refused for good, in figures", () => {
    const refusal = linkRefusal(limits, GB, { bytesPerSecond: 20 * MB, atLeast: false });
    expect(refusal).toMatchObject({ reason: "LinkTooSlow", retryable: false });
    expect(refusal?.message).toBe(
      "the link to the target carries 19.07Mi/s now: sending 953.67Mi would freeze the pod for 50.0 s, and 16.0 s are allowed",
    );
  });
});

/** A target that takes 20 MB/s. */
async function slowly(body: Readable): Promise<void> {
  for await (const chunk of body) await new Promise((resolve) => setTimeout(resolve, chunk.length / 20_000));
}

describe("a measurement", () => {
  test("counts what the target has taken", async () => {
    const { bytesPerSecond, atLeast } = await measureLink(async (body) => {
      await slowly(body);
      return { busy: 0.2 };
    }, never);
    expect(bytesPerSecond).toBeGreaterThan(2 * MB);
    expect(bytesPerSecond).toBeLessThan(25 * MB);
    expect(atLeast).toBe(false);
  });

  test("of an agent that has its hands full says what the link carries at the least", async () => {
    const measured = await measureLink(async (body) => {
      await slowly(body);
      return { busy: 0.95 };
    }, never);
    expect(measured.atLeast).toBe(true);
  });

  test("fails with the target's refusal", async () => {
    await expect(measureLink(() => Promise.reject(new Error("no")), never)).rejects.toThrow("no");
  });
});
