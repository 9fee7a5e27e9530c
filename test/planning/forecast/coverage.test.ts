import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calibrationSchema, isCalibration, usableCalibration } from "../../../src/planning/forecast/calibration.ts";
import { forecastSeries } from "../../../src/planning/forecast/forecast.ts";
import { MODEL_NAMES } from "../../../src/planning/forecast/models.ts";
import { coverageOf } from "./coverage.ts";
import { GIB, generate, SHAPES } from "./generated.ts";

const shaped = (name: string, length: number, seed = 7) => generate(length, SHAPES[name]?.() ?? (() => 0), seed);
const FIVE_MINUTES = { horizonSteps: 20, windowSamples: 120, every: 4 };
/** As many samples as the metrics sources keep. */
const AN_HOUR_KEPT = { horizonSteps: 20, windowSamples: 240, every: 5 };

describe("memory stays below the bound with the confidence asked for", () => {
  it.each(MODEL_NAMES)("%s on steady series", (model) => {
    const { covered } = coverageOf(shaped("steady with noise", 420), { ...FIVE_MINUTES, model, confidence: 0.95 });
    expect(covered).toBeGreaterThanOrEqual(0.93);
  });

  it.each(MODEL_NAMES)("%s on growing series", (model) => {
    const { covered } = coverageOf(shaped("growing with noise", 420), { ...FIVE_MINUTES, model, confidence: 0.95 });
    expect(covered).toBeGreaterThanOrEqual(0.93);
  });

  // Errors of one shape go together for as long as the horizon, so a hundred forecasts are some twenty independent ones: ±5 %.
  it("Auto on an hour's drift: each nearly, all together fully", { timeout: 60_000 }, () => {
    const shapes = ["growth that comes and goes", "growing ever faster", "daily-like wave", "random walk"];
    const options = { ...AN_HOUR_KEPT, model: "Auto", confidence: 0.95 } as const;
    const covered = shapes.map((shape) => coverageOf(shaped(shape, 660), options).covered);
    expect(Math.min(...covered)).toBeGreaterThanOrEqual(0.88);
    expect(covered.reduce((sum, value) => sum + value, 0) / covered.length).toBeGreaterThanOrEqual(0.94);
  });

  it("and does not just stay as wide as possible: less confidence, a tighter bound", () => {
    const at = (confidence: number) =>
      coverageOf(shaped("steady with noise", 420), { ...FIVE_MINUTES, every: 2, model: "Linear", confidence });
    const [low, high] = [at(0.7), at(0.95)];
    expect(low.covered).toBeLessThan(0.85);
    expect(low.covered).toBeGreaterThan(0.62);
    expect(low.slackBytes).toBeLessThan(0.6 * high.slackBytes);
  });

  it.each(MODEL_NAMES)("%s with twenty samples only", (model) => {
    const { covered } = coverageOf(shaped("growing with noise", 220), {
      ...FIVE_MINUTES,
      windowSamples: 20,
      model,
      confidence: 0.95,
    });
    expect(covered).toBeGreaterThanOrEqual(0.95);
  });
});

describe("calibration", () => {
  const series = shaped("random walk", 120);
  const nowMs = series.timesMs.at(-1) ?? 0;
  const key = { model: "Linear", confidence: 0.95, horizonSeconds: 300 } as const;
  const upperWith = (calibration: unknown) => forecastSeries(series, { ...key, nowMs, calibration })?.upper(300) ?? 0;

  it("lost never makes the bound narrower", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.1, noNaN: true }),
        fc.integer({ min: 0, max: 1_800_000 }),
        (alpha, ageMs) => {
          expect(upperWith(undefined)).toBeGreaterThanOrEqual(upperWith({ ...key, alpha, throughMs: nowMs - ageMs }));
        },
      ),
    );
  });

  it("that has seen much of a steady series makes it tighter", () => {
    expect(upperWith({ ...key, alpha: 0.1, throughMs: nowMs })).toBeLessThan(upperWith(undefined));
  });

  it("counts a sample once", () => {
    const first = forecastSeries(series, {
      ...key,
      nowMs,
      calibration: { ...key, alpha: 0.05, throughMs: nowMs - 60_000 },
    });
    const again = forecastSeries(series, { ...key, nowMs, calibration: first?.calibration });
    expect(first?.calibration.alpha).not.toBe(0.05);
    expect(again?.calibration).toEqual(first?.calibration);
  });

  it.each([
    ["another model", { ...key, model: "Holt", alpha: 0.05, throughMs: 0 }],
    ["another confidence", { ...key, confidence: 0.9, alpha: 0.05, throughMs: 0 }],
    ["the future", { ...key, alpha: 0.05, throughMs: Number.MAX_SAFE_INTEGER }],
    ["nowhere", { ...key, alpha: Number.NaN, throughMs: 0 }],
    ["more than it may leave out", { ...key, alpha: 0.5, throughMs: 0 }],
    ["something else altogether", "α"],
  ])("of %s is not used", (_, state) => {
    expect(usableCalibration(state, key, nowMs)).toBeUndefined();
  });

  it("is told from what is none as its schema tells it", () => {
    const number = fc.oneof(
      fc.double(),
      fc.constantFrom(0, 1, -1, 0.95, 300, Number.NaN, Number.POSITIVE_INFINITY, 5e-324),
    );
    const states = fc.oneof(
      fc.record({
        model: fc.oneof(fc.string({ maxLength: 40 }), fc.constant(3)),
        confidence: fc.oneof(number, fc.constant("0.95")),
        horizonSeconds: number,
        alpha: number,
        throughMs: number,
      }),
      fc.record({ model: fc.string(), alpha: number }),
      fc.anything(),
    );
    fc.assert(
      fc.property(states, (state) => {
        expect(isCalibration(state)).toBe(calibrationSchema.safeParse(state).success);
      }),
      { numRuns: 2000 },
    );
    expect(isCalibration({ ...key, alpha: 0.05, throughMs: 0 })).toBe(true);
  });

  it("survives being written down, and stays small", () => {
    const { calibration } = forecastSeries(series, { ...key, nowMs }) ?? {};
    const written = JSON.stringify(calibration);
    expect(calibrationSchema.parse(JSON.parse(written))).toEqual(calibration);
    expect(written.length).toBeLessThan(150);
  });
});

describe("Auto", () => {
  it.each(Object.keys(SHAPES))("errs hardly more than the best of the others: %s", (shape) => {
    const error = (model: (typeof MODEL_NAMES)[number]) =>
      coverageOf(shaped(shape, 360), { ...FIVE_MINUTES, every: 13, model, confidence: 0.95 }).errorBytes;
    const best = Math.min(...MODEL_NAMES.filter((model) => model !== "Auto").map(error));
    expect(error("Auto")).toBeLessThan(1.5 * best + 0.02 * GIB);
  });
});
