import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forecastSeries } from "../../../src/planning/forecast/forecast.ts";
import { MODEL_NAMES } from "../../../src/planning/forecast/models.ts";
import { medianOf, selectRank } from "../../../src/planning/forecast/order-statistics.ts";
import type { Series } from "../../../src/planning/snapshot.ts";
import { GIB, generate, START_MS } from "./generated.ts";

const HORIZON_SECONDS = 300;

/** What a model foresees five minutes after the newest sample. */
function foreseen(model: string, series: Series): number {
  const name = MODEL_NAMES.find((known) => known === model);
  if (name === undefined) throw new Error(`no model ${model}`);
  const options = { nowMs: series.timesMs.at(-1) ?? 0, horizonSeconds: HORIZON_SECONDS, confidence: 0.95, model: name };
  return forecastSeries(series, options)?.point(HORIZON_SECONDS) ?? Number.NaN;
}

const flat = generate(60, () => 8 * GIB, 1);
const growing = generate(60, (index) => (2 + index * 0.05) * GIB, 1);

describe("every model", () => {
  it.each(MODEL_NAMES)("%s foresees what never changed", (name) => {
    expect(foreseen(name, flat) / GIB).toBeCloseTo(8, 9);
  });

  it.each(MODEL_NAMES)("%s takes a single sample for the future", (name) => {
    expect(
      foreseen(
        name,
        generate(1, () => 3 * GIB, 1),
      ) / GIB,
    ).toBeCloseTo(3, 9);
  });
});

describe("LastValue", () => {
  it("foresees the newest sample", () => {
    expect(foreseen("LastValue", growing)).toBe(growing.bytes.at(-1));
  });
});

describe("Linear", () => {
  const true5Minutes = (2 + 79 * 0.05) * GIB;

  it("goes on along a straight line", () => {
    expect(foreseen("Linear", growing) / true5Minutes).toBeCloseTo(1, 9);
  });

  it("is not misled by a quarter of nonsense", () => {
    const spiked = { ...growing, bytes: growing.bytes.map((value, index) => (index % 4 === 1 ? 60 * GIB : value)) };
    expect(Math.abs(foreseen("Linear", spiked) / true5Minutes - 1)).toBeLessThan(0.1);
  });

  it("looks at the recent past of a long series only", () => {
    const bent = generate(240, (index) => (index < 120 ? 2 : 2 + (index - 120) * 0.05) * GIB, 1);
    expect(foreseen("Linear", bent) / ((2 + (239 + 20 - 120) * 0.05) * GIB)).toBeCloseTo(1, 9);
  });

  it("takes irregular steps as they are", () => {
    const timesMs = Float64Array.from([0, 15, 20, 80, 95, 200, 290, 300], (seconds) => START_MS + seconds * 1000);
    const bytes = timesMs.map((time) => ((time - START_MS) / 1000) * 1e6);
    expect(foreseen("Linear", { timesMs, bytes })).toBeCloseTo(600e6, 0);
  });
});

describe("Holt", () => {
  it("follows growth, a little damped", () => {
    const grown = foreseen("Holt", growing) - (growing.bytes.at(-1) ?? 0);
    expect(grown / (20 * 0.05 * GIB)).toBeGreaterThan(0.7);
    expect(grown / (20 * 0.05 * GIB)).toBeLessThan(1);
  });

  it("notices the end of growth sooner than Linear", () => {
    const ended = generate(90, (index) => (2 + Math.min(index, 70) * 0.05) * GIB, 1);
    const level = ended.bytes.at(-1) ?? 0;
    expect(Math.abs(foreseen("Holt", ended) - level)).toBeLessThan(Math.abs(foreseen("Linear", ended) - level) / 2);
  });
});

describe("Percentile", () => {
  it("foresees the usual peak, not the last value", () => {
    const wave = generate(120, (index) => (index % 5 === 4 ? 3 : 6) * GIB, 1);
    expect(foreseen("Percentile", wave) / GIB).toBeCloseTo(6, 1);
  });

  it("forgets a peak of long ago", () => {
    const past = generate(240, (index) => (index < 60 ? 20 : 5) * GIB, 1);
    expect(foreseen("Percentile", past) / GIB).toBeLessThan(5.5);
  });
});

describe("Auto", () => {
  it("chooses a model that grows for what grows", () => {
    expect(foreseen("Auto", growing) / ((2 + 79 * 0.05) * GIB)).toBeCloseTo(1, 2);
  });

  it("turns away from a line when it no longer holds", () => {
    const jumps = generate(200, (index) => (10 + (Math.floor(index / 5) % 2)) * GIB, 1);
    expect(Math.abs(foreseen("Auto", jumps) - 10.5 * GIB)).toBeLessThan(0.6 * GIB);
  });
});

describe("order statistics", () => {
  const values = fc.array(fc.double({ noNaN: true, min: -1e15, max: 1e15 }), { minLength: 1, maxLength: 40 });

  it("are those of the sorted values", () => {
    fc.assert(
      fc.property(values, fc.nat(), (list, seed) => {
        const sorted = [...list].sort((a, b) => a - b);
        const rank = seed % list.length;
        expect(selectRank(Float64Array.from(list), list.length, rank)).toBe(sorted[rank]);
        const middle = sorted.length >> 1;
        const median =
          sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
        expect(medianOf(Float64Array.from(list), list.length)).toBeCloseTo(median ?? 0, 0);
      }),
    );
  });
});
