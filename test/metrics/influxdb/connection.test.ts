import { describe, expect, test } from "vitest";
import { influxConnectionFromEnv, influxIsWanted } from "../../../src/metrics/influxdb/connection.ts";

const GOOD = {
  INFLUXDB_URL: "http://influxdb.monitoring:8086",
  INFLUXDB_ORG: "headroom",
  INFLUXDB_BUCKET: "telegraf",
  INFLUXDB_TOKEN: "s3cret==",
};

describe("The connection to InfluxDB", () => {
  test("is read from the environment", () => {
    expect(influxConnectionFromEnv({ ...GOOD, INFLUXDB_TOKEN: " s3cret==\n" })).toEqual({
      ok: true,
      connection: { url: GOOD.INFLUXDB_URL, org: "headroom", bucket: "telegraf", token: "s3cret==" },
    });
  });

  test.each([
    [{}, "not set: INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET, INFLUXDB_TOKEN"],
    [{ ...GOOD, INFLUXDB_TOKEN: " " }, "not set: INFLUXDB_TOKEN"],
    [{ ...GOOD, INFLUXDB_URL: "influxdb:8086" }, "INFLUXDB_URL must be an http:// or https:// URL"],
    [{ ...GOOD, INFLUXDB_URL: "not a url" }, "INFLUXDB_URL must be an http:// or https:// URL"],
    [{ ...GOOD, INFLUXDB_TOKEN: "two s3cret\r\nlines" }, "INFLUXDB_TOKEN must be one line without blanks"],
  ])("that is missing or wrong is one line without the token", (env, message) => {
    const result = influxConnectionFromEnv(env);
    expect(result).toEqual({
      ok: false,
      error: { reason: "NotConfigured", message: `InfluxDB is not configured: ${message}` },
    });
    expect(JSON.stringify(result)).not.toContain("s3cret");
  });

  test.each([
    [{}, false],
    [{ INFLUXDB_URL: "" }, false],
    [{ INFLUXDB_BUCKET: "b" }, true],
  ])("is wanted when any part of it is given", (env, wanted) => expect(influxIsWanted(env)).toBe(wanted));
});
