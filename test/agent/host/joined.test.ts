import { describe, expect, test } from "vitest";
import { Joined } from "../../../src/agent/host/joined.ts";

describe("work that is asked for again", () => {
  test("is done once while it is under way, and once more afterwards", async () => {
    const joined = new Joined<number>();
    let begun = 0;
    let finish: (value: number) => void = () => {};
    const begin = () => {
      begun++;
      return new Promise<number>((resolve) => {
        finish = resolve;
      });
    };
    const answers = [joined.join("c1", begin), joined.join("c1", begin)];
    expect(begun).toBe(1);
    finish(7);
    expect(await Promise.all(answers)).toEqual([7, 7]);
    void joined.join("c1", begin).catch(() => undefined);
    expect(begun).toBe(2);
  });

  test("does not hold up other work, and a failure is not kept", async () => {
    const joined = new Joined<number>();
    const failing = joined.join("c1", () => Promise.reject(new Error("no")));
    expect(await joined.join("c2", async () => 2)).toBe(2);
    await expect(failing).rejects.toThrow("no");
    expect(await joined.join("c1", async () => 1)).toBe(1);
  });
});
