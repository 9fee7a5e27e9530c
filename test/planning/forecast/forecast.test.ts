import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstAbove } from "../../../src/planning/forecast/first-above.ts";
import { Fits, SeriesFits } from "../../../src/planning/forecast/fits.ts";
import { forecastHistory, forecastSeries } from "../../../src/planning/forecast/forecast.ts";
import { boundAtAGlance } from "../../../src/planning/forecast/glance.ts";
import { toHistory } from "../../../src/planning/forecast/history.ts";
import { linear } from "../../../src/planning/forecast/linear.ts";
import type { Past } from "../../../src/planning/forecast/model.ts";
import { MODEL_NAMES } from "../../../src/planning/forecast/models.ts";
import type { Series } from "../../../src/planning/snapshot.ts";
import { GIB, generate, SHAPES, START_MS, windowOf } from "./generated.ts";

const NOW_MS = START_MS + 3_600_000;
const model = fc.constantFrom(...MODEL_NAMES);
const confidence = fc.constantFrom(0.5, 0.8, 0.95, 0.99);
const horizonSeconds = fc.constantFrom(1, 60, 300, 3600, 1e9);

/** Anything a source could hand over, in any order. */
const absurdSample = fc.record({
  time: fc.oneof(
    fc.double({ min: NOW_MS - 4e6, max: NOW_MS + 60_000, noNaN: true }),
    fc.constantFrom(NOW_MS, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1e308, 0, NOW_MS + 9_999),
  ),
  bytes: fc.oneof(
    fc.double({ min: 0, max: 1e12, noNaN: true }),
    fc.constantFrom(0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e308, Number.MIN_VALUE, 2 ** 53 - 1, 2 ** 60),
  ),
});
const absurdSeries: fc.Arbitrary<Series> = fc.array(absurdSample, { maxLength: 60 }).map(seriesOf);

/** At irregular steps, up to an hour back; at times with jumps and repeats. */
const plausibleSeries: fc.Arbitrary<Series> = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 120_000 }), bytes: fc.integer({ min: 0, max: 64 * GIB }) }), {
    minLength: 1,
    maxLength: 50,
  })
  .map((steps) => {
    let time = NOW_MS;
    const samples = steps.map(({ gap, bytes }) => {
      time -= gap;
      return { time, bytes };
    });
    return seriesOf(samples.reverse());
  });

function seriesOf(samples: readonly { time: number; bytes: number }[]): Series {
  return {
    timesMs: Float64Array.from(samples, ({ time }) => time),
    bytes: Float64Array.from(samples, ({ bytes }) => bytes),
  };
}

describe("a forecast", () => {
  it("is a number whatever the samples, and its bound is nowhere below it and descends nowhere relative to it", () => {
    fc.assert(
      fc.property(absurdSeries, model, confidence, horizonSeconds, (series, name, level, horizon) => {
        const foreseen = forecastSeries(series, {
          nowMs: NOW_MS,
          horizonSeconds: horizon,
          confidence: level,
          model: name,
        });
        if (foreseen === undefined) return;
        let margin = 0;
        const leads = [0, 1, horizon / 3, horizon, 2 * horizon, Number.POSITIVE_INFINITY].sort((a, b) => a - b);
        for (const ahead of leads) {
          const [point, upper] = [foreseen.point(ahead), foreseen.upper(ahead)];
          expect(Number.isFinite(point) && point >= 0 && Number.isFinite(upper)).toBe(true);
          expect(upper).toBeGreaterThanOrEqual(point);
          expect(upper - point).toBeGreaterThanOrEqual(margin * (1 - 1e-9) - 1e-6 * (upper + 1));
          margin = upper - point;
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is absent only when no sample can be used", () => {
    const options = { nowMs: NOW_MS, horizonSeconds: 300, confidence: 0.95, model: "Linear" } as const;
    expect(forecastSeries(seriesOf([]), options)).toBeUndefined();
    expect(
      forecastSeries(
        seriesOf([
          { time: NOW_MS, bytes: -1 },
          { time: Number.NaN, bytes: 1 },
          { time: NOW_MS + 20_000, bytes: 5 },
        ]),
        options,
      ),
    ).toBeUndefined();
    expect(forecastSeries(seriesOf([{ time: NOW_MS, bytes: 0 }]), options)?.upper(300)).toBe(0);
  });

  it("does not depend on the order of the samples", () => {
    fc.assert(
      fc.property(absurdSeries, model, fc.infiniteStream(fc.nat()), (series, name, stream) => {
        const samples = [...series.timesMs].map((time, index) => ({ time, bytes: series.bytes[index] ?? 0 }));
        const shuffled = samples
          .map((sample) => ({ sample, key: stream.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ sample }) => sample);
        const options = { nowMs: NOW_MS, horizonSeconds: 300, confidence: 0.95, model: name };
        const [one, other] = [forecastSeries(series, options), forecastSeries(seriesOf(shuffled), options)];
        expect(other?.upper(300)).toBe(one?.upper(300));
        expect(other?.dropped).toBe(one?.dropped);
      }),
    );
  });

  it("refuses options that no schema admits", () => {
    const series = seriesOf([{ time: NOW_MS, bytes: 1 }]);
    const options = { nowMs: NOW_MS, horizonSeconds: 300, confidence: 0.95, model: "Linear" } as const;
    expect(() => forecastSeries(series, { ...options, confidence: 1 })).toThrow(RangeError);
    expect(() => forecastSeries(series, { ...options, horizonSeconds: 0 })).toThrow(RangeError);
    expect(() => forecastSeries(series, { ...options, nowMs: Number.NaN })).toThrow(RangeError);
  });
});

describe("the bound widens", () => {
  const shapes = Object.keys(SHAPES);
  const options = { horizonSeconds: 300, confidence: 0.95 } as const;
  const marginOf = (series: Series, nowMs: number, name: (typeof MODEL_NAMES)[number]) => {
    const foreseen = forecastSeries(series, { ...options, nowMs, model: name });
    return foreseen === undefined ? Number.NaN : foreseen.upper(300) - foreseen.point(300);
  };

  it.each(MODEL_NAMES)("%s: with the age of the newest sample", (name) => {
    for (const shape of shapes) {
      const series = generate(100, SHAPES[shape]?.() ?? (() => 0), 3);
      const newest = series.timesMs.at(-1) ?? 0;
      const ages = [0, 30, 120, 600].map((age) => marginOf(series, newest + age * 1000, name));
      expect(ages, shape).toEqual([...ages].sort((a, b) => a - b));
      // Percentile may foresee so much that no error speaks for a margin.
      if (name !== "Percentile") expect(ages[3], shape).toBeGreaterThan(ages[0] ?? 0);
    }
  });

  it.each(MODEL_NAMES)("%s: when the series is short, on average", (name) => {
    const mean = (length: number) => {
      const margins = Array.from({ length: 20 }, (_, seed) => {
        const series = generate(100, SHAPES["steady with noise"]?.() ?? (() => 0), seed);
        return marginOf(windowOf(series, 100 - length, 100), series.timesMs.at(-1) ?? 0, name);
      });
      return margins.reduce((sum, margin) => sum + margin, 0) / margins.length;
    };
    expect(mean(10)).toBeGreaterThan(1.5 * mean(100));
    expect(mean(2)).toBeGreaterThan(1.5 * mean(100));
  });

  it.each(MODEL_NAMES)("%s: when samples are missing, on average", (name) => {
    let [whole, gaps] = [0, 0];
    for (let seed = 0; seed < 20; seed++) {
      const series = generate(100, SHAPES["random walk"]?.() ?? (() => 0), seed);
      const kept = [...series.timesMs.keys()].filter((index) => index < 8 || index > 92);
      const nowMs = series.timesMs.at(-1) ?? 0;
      whole += marginOf(series, nowMs, name);
      gaps += marginOf(
        {
          timesMs: Float64Array.from(kept, (index) => series.timesMs[index] ?? 0),
          bytes: Float64Array.from(kept, (index) => series.bytes[index] ?? 0),
        },
        nowMs,
        name,
      );
    }
    expect(gaps).toBeGreaterThan(whole);
  });
});

describe("the bound at a glance", () => {
  const glance = (series: Series, nowMs: number) =>
    boundAtAGlance(series, { nowMs, horizonSeconds: 300, confidence: 0.95 });
  const evenSeries = fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 64 * GIB }), { minLength: 12, maxLength: 80 }),
      fc.integer({ max: 40_000 }),
    )
    .map(([bytes, ageMs]) => ({
      timesMs: Float64Array.from(
        bytes,
        (_, index) => NOW_MS - Math.max(0, ageMs) - (bytes.length - 1 - index) * 15_000,
      ),
      bytes: Float64Array.from(bytes),
    }));

  it("is nowhere below the bound of any model, with or without calibration", () => {
    let told = 0;
    fc.assert(
      fc.property(
        fc.oneof(evenSeries, plausibleSeries, absurdSeries),
        model,
        confidence,
        horizonSeconds,
        fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        (series, name, level, horizon, part) => {
          const key = { model: name, confidence: level, horizonSeconds: Math.min(horizon, 366 * 86_400) };
          const alpha = (part ?? 0) * Math.min(1, 2 * (1 - level));
          const calibration = part === null ? undefined : { ...key, alpha, throughMs: NOW_MS - 600_000 };
          const bound = boundAtAGlance(series, { ...key, nowMs: NOW_MS });
          const foreseen = forecastSeries(series, { ...key, nowMs: NOW_MS, calibration });
          if (bound === Number.POSITIVE_INFINITY || foreseen === undefined) return;
          told += 1;
          for (const ahead of [0, 0.1, 0.5, 1].map((share) => share * key.horizonSeconds)) {
            expect(foreseen.upper(ahead)).toBeLessThanOrEqual(bound * (1 + 1e-9));
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(told).toBeGreaterThan(200);
  });

  it("tells of a steady series that it stays near, and says nothing where samples are missing", () => {
    const series = generate(40, (_, normal) => (50 + 0.05 * normal()) * GIB, 5);
    const nowMs = series.timesMs.at(-1) ?? 0;
    expect(glance(series, nowMs)).toBeLessThan(56 * GIB);
    const gap = {
      timesMs: series.timesMs.map((time, index) => (index < 20 ? time - 600_000 : time)),
      bytes: series.bytes,
    };
    expect(glance(gap, nowMs)).toBe(Number.POSITIVE_INFINITY);
    expect(glance(windowOf(series, 30, 40), nowMs)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the first moment above a limit", () => {
  const line = (ahead: number) => 15 + 2 * ahead;

  it("is when the curve reaches it, not later", () => {
    expect(firstAbove(line, 80, 1000)).toBeCloseTo(32.5, 3);
    expect(firstAbove(line, 80, 1000)).toBeLessThanOrEqual(32.5);
  });

  it("is undefined beyond the time asked for", () => {
    expect(firstAbove(line, 80, 20)).toBeUndefined();
  });

  it("is now where there is no room now, and where there is no number", () => {
    expect(firstAbove(line, 10, 1000)).toBe(0);
    expect(firstAbove(() => Number.NaN, 5, 100)).toBe(0);
  });

  it("never comes later for the bound than for the forecast", () => {
    fc.assert(
      fc.property(plausibleSeries, model, fc.integer({ min: 1, max: 128 }), (series, name, gib) => {
        const foreseen = forecastSeries(series, { nowMs: NOW_MS, horizonSeconds: 300, confidence: 0.9, model: name });
        if (foreseen === undefined) return;
        const limit = (gib - 1) * GIB;
        const earliest = firstAbove((ahead) => foreseen.upper(ahead), limit, 600);
        const expected = firstAbove((ahead) => foreseen.point(ahead), limit, 600);
        if (expected !== undefined) expect(earliest).toBeLessThanOrEqual(expected);
      }),
    );
  });
});

describe("fits that were kept", () => {
  /** What happens to a series from one forecast to the next. */
  const change = fc.record({
    dropped: fc.integer({ min: 0, max: 12 }),
    added: fc.array(fc.record({ gap: fc.integer({ min: 1, max: 60_000 }), bytes: fc.integer({ min: 0, max: GIB }) }), {
      maxLength: 6,
    }),
    /** A sample that turns out to be another, or to be missing. */
    mended: fc.option(fc.record({ at: fc.nat(), bytes: fc.option(fc.integer({ min: 0, max: GIB })) }), { freq: 3 }),
  });

  function changed(
    { timesMs, bytes }: Series,
    { dropped, added, mended }: typeof change extends fc.Arbitrary<infer T> ? T : never,
  ) {
    const samples = [...timesMs].map((time, index) => ({ time, bytes: bytes[index] ?? 0 })).slice(dropped);
    let last = samples.at(-1)?.time ?? timesMs.at(-1) ?? NOW_MS;
    for (const { gap, bytes: value } of added) {
      last += gap;
      samples.push({ time: last, bytes: value });
    }
    const place = (mended?.at ?? 0) % Math.max(1, samples.length);
    if (mended?.bytes === null) samples.splice(place, 1);
    else if (mended) samples.splice(place, 1, { time: samples[place]?.time ?? last, bytes: mended.bytes ?? 0 });
    return seriesOf(samples);
  }

  it("give the forecast that fitting anew gives, whatever happened to the series", () => {
    fc.assert(
      fc.property(
        plausibleSeries,
        fc.array(change, { minLength: 1, maxLength: 6 }),
        model,
        fc.constantFrom(20, 300),
        (first, changes, name, horizon) => {
          const kept = new SeriesFits(horizon);
          let series = first;
          let calibration: unknown;
          for (const one of changes) {
            series = changed(series, one);
            const nowMs = series.timesMs.at(-1) ?? NOW_MS;
            const history = toHistory(series, nowMs);
            if (history === undefined) return;
            const options = { nowMs, horizonSeconds: horizon, confidence: 0.9, model: name, calibration };
            const [sooner, anew] = [forecastHistory(history, options, kept), forecastHistory(history, options)];
            for (const ahead of [0, horizon / 2, 2 * horizon]) {
              expect(sooner.point(ahead)).toBe(anew.point(ahead));
              expect(sooner.upper(ahead)).toBe(anew.upper(ahead));
            }
            expect(sooner.calibration).toEqual(anew.calibration);
            calibration = anew.calibration;
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("are not made again for samples that stay", () => {
    const fitted: number[] = [];
    const counting = {
      ...linear,
      fit(past: Past) {
        fitted.push(past.end);
        return linear.fit(past);
      },
    };
    const series = generate(120, (index) => index * GIB, 3);
    const fits = new Fits(counting, 300);
    const historyOf = (from: number, to: number) => toHistory(windowOf(series, from, to), START_MS + 3_600_000);
    const forecastAll = (from: number, to: number) => {
      const history = historyOf(from, to);
      if (history === undefined) throw new Error("no samples");
      fits.follow(history);
      // Four horizons are 80 samples: those whose past is cut off are left alone.
      for (let last = 0; last < to - from; last++) if (from === 0 || last >= 80) fits.ahead(last, 300);
    };
    forecastAll(0, 100);
    expect(fitted.length).toBe(100);
    forecastAll(10, 104);
    expect(fitted.length).toBe(104);
  });
});
