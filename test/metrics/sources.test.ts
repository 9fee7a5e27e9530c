import { describe, expect, test } from "vitest";
import { Secret } from "../../src/config/secret.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { createMetricsSources } from "../../src/metrics/sources.ts";

const REQUEST = { nowMs: 0, nodes: [], pods: [] };
const kube = { getRaw: () => Promise.reject(new Error("nobody should ask")) };

describe("A source that isn't configured", () => {
  const sources = createMetricsSources({ kube, clock: systemClock, influx: undefined, kubeletSummary: false });

  test.each([
    ["InfluxDB", "INFLUXDB_URL"],
    ["KubeletSummary", "switched off"],
  ] as const)("%s says so, and what to do, each time it is asked", async (name, words) => {
    expect(sources[name].name).toBe(name);
    const result = await sources[name].collect(REQUEST);
    expect(result).toMatchObject({
      ok: false,
      error: { reason: "NotConfigured", message: expect.stringContaining(words) },
    });
  });
});

test("A source that is configured is asked", async () => {
  const influx = { url: "http://127.0.0.1:9", org: "o", bucket: "b", token: new Secret("t") };
  const sources = createMetricsSources({ kube, clock: systemClock, influx, kubeletSummary: true });
  expect(await sources.KubeletSummary.collect(REQUEST)).toMatchObject({ ok: true });
  expect(await sources.InfluxDB.collect(REQUEST)).toMatchObject({ ok: false, error: { reason: "Unreachable" } });
});
