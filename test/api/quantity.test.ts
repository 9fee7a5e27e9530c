import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  amountBytes,
  formatBytes,
  parseAmount,
  parseDuration,
  parsePercent,
  parseQuantity,
  parseResourceQuantity,
} from "../../src/api/quantity.ts";

describe("a quantity", () => {
  it.each([
    ["1Gi", 2 ** 30],
    ["1.5G", 1.5e9],
    ["512Mi", 512 * 2 ** 20],
    ["10k", 10_000],
    ["0.5Ki", 512],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseQuantity(text)).toBe(bytes);
  });

  it.each(["20", "", "Gi", "-1Gi", "1 Gi", "1gi", "1e3", "1.Gi", "NaN"])("%j is refused", (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  it("is written so that it can be read again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        const again = parseQuantity(formatBytes(bytes)) ?? Number.NaN;
        expect(Math.abs(again - bytes)).toBeLessThanOrEqual(Math.max(6, bytes * 0.006));
      }),
    );
  });
});

describe("a percentage", () => {
  it.each([
    ["0%", 0],
    ["20%", 0.2],
    ["12.5%", 0.125],
    ["100%", 1],
  ])("%s is %d", (text, fraction) => {
    expect(parsePercent(text)).toBe(fraction);
  });

  it.each(["101%", "100.1%", "-1%", "20", "%", "1e1%"])("%j is refused", (text) => {
    expect(parsePercent(text)).toBeUndefined();
  });
});

describe("an amount of a node's memory", () => {
  it("is a part of its capacity or bytes", () => {
    expect(amountBytes(parseAmount("20%") ?? { bytes: -1 }, 1000)).toBe(200);
    expect(amountBytes(parseAmount("1Ki") ?? { bytes: -1 }, 1000)).toBe(1024);
    expect(parseAmount("20")).toBeUndefined();
  });
});

describe("a duration", () => {
  it.each([
    ["90s", 90],
    ["5m", 300],
    ["1h30m", 5400],
    ["0s", 0],
  ])("%s is %d seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(["", "90", "5m1h", "1.5h", "-5m", "5 m"])("%j is refused", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe("a quantity on a Kubernetes object", () => {
  it.each([
    ["128974848", 128974848],
    ["1e3", 1000],
    ["129M", 129e6],
    ["123Mi", 123 * 2 ** 20],
    ["500m", 0.5],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseResourceQuantity(text)).toBe(bytes);
  });

  it.each(["", "x", "1Zi", "--1"])("%j is not one", (text) => {
    expect(parseResourceQuantity(text)).toBeUndefined();
  });
});
