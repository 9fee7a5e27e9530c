/**
 * The Flux queries against a real InfluxDB 2: HEADROOM_INFLUXD names its program (npm run test:e2e builds one). Skipped without.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InfluxDB, Point } from "@influxdata/influxdb-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { InfluxConnection } from "../../../src/config/controller-config.ts";
import { Secret } from "../../../src/config/secret.ts";
import { systemClock } from "../../../src/kube/clock.ts";

import { InfluxSource } from "../../../src/metrics/influxdb/influx-source.ts";
import type { CollectRequest } from "../../../src/metrics/source.ts";

const PROGRAM = process.env.HEADROOM_INFLUXD ?? "";
/** InfluxDB allows it, and Flux would take it for an expression. */
const BUCKET = "b$" + "{1}\\";
const GI = 2 ** 30;
// InfluxDB refuses points outside of a bucket's retention only if it has one; any past will do.
const T0 = Date.parse("2026-01-01T12:00:00Z");
const at = (seconds: number) => T0 + seconds * 1000;

let folder = "";
let influxd: ChildProcess | undefined;
let connection: InfluxConnection;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Asks until the server answers; the test's own time limit ends it otherwise. */
async function setUp(url: string): Promise<void> {
  const body = JSON.stringify({ username: "u", password: "p4ssw0rd", org: "o", bucket: BUCKET, token: "t0ken" });
  for (;;) {
    const answer = await fetch(`${url}/api/v2/setup`, { method: "POST", body }).catch(() => undefined);
    if (answer?.ok) return;
    if (answer !== undefined && answer.status < 500) throw new Error(await answer.text());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function write(...points: Point[]): Promise<void> {
  const { url, token, org, bucket } = connection;
  const api = new InfluxDB({ url, token: token.reveal() }).getWriteApi(org, bucket, "ms");
  api.writePoints(points);
  await api.close();
}

/** As inputs.kubernetes writes it, the tags that come and go included. */
function container(seconds: number, pod: string, name: string, bytes: number, image = "i1"): Point {
  return new Point("kubernetes_pod_container")
    .tag("host", "telegraf")
    .tag("node_name", "z1")
    .tag("namespace", "default")
    .tag("pod_name", pod)
    .tag("container_name", name)
    .tag("image", image)
    .intField("memory_working_set_bytes", bytes)
    .intField("memory_usage_bytes", 99 * GI)
    .timestamp(at(seconds));
}

/** As inputs.kube_inventory writes it: the same measurement, nothing that was measured. */
function inventory(seconds: number, pod: string): Point {
  return new Point("kubernetes_pod_container")
    .tag("host", "inventory")
    .tag("node_name", "z1")
    .tag("namespace", "default")
    .tag("pod_name", pod)
    .tag("container_name", "main")
    .tag("state", "running")
    .intField("resource_requests_memory_bytes", 77 * GI)
    .stringField("state_reason", "")
    .timestamp(at(seconds));
}

function node(seconds: number, name: string, available: number): Point {
  return new Point("kubernetes_node")
    .tag("host", `on-${name}`)
    .tag("node_name", name)
    .intField("memory_available_bytes", available)
    .intField("memory_working_set_bytes", 100 * GI - available)
    .intField("memory_usage_bytes", 99 * GI)
    .timestamp(at(seconds));
}

function mem(seconds: number, host: string, percent: number): Point {
  return new Point("mem")
    .tag("host", host)
    .floatField("available_percent", percent)
    .intField("used", 1)
    .intField("total", 100)
    .timestamp(at(seconds));
}

function request(seconds: number): CollectRequest {
  const pod = (name: string) => ({ namespace: "default", name, uid: name, node: "z1", startedAtMs: at(-3000) });
  return {
    nowMs: at(seconds),
    nodes: ["z1", "z2", "z3"].map((name) => ({ name, capacityBytes: 100 * GI })),
    pods: [pod("w"), pod("q")],
  };
}

describe.skipIf(PROGRAM === "")("A real InfluxDB", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "headroom-influxdb-"));
    const port = await freePort();
    connection = { url: `http://127.0.0.1:${port}`, org: "o", bucket: BUCKET, token: new Secret("t0ken") };
    const files = ["--bolt-path", join(folder, "i.bolt"), "--engine-path", join(folder, "engine")];
    const more = ["--sqlite-path", join(folder, "i.sqlite"), "--reporting-disabled", "--log-level", "error"];
    influxd = spawn(PROGRAM, ["--http-bind-address", `127.0.0.1:${port}`, ...files, ...more], { stdio: "ignore" });
    await setUp(connection.url);
  }, 60_000);

  afterAll(async () => {
    const ended = new Promise((resolve) => influxd?.once("exit", resolve));
    influxd?.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  });

  test("answers the two queries with all nodes and pods, and later with what is new", async () => {
    await write(
      ...[
        node(-20, "z1", 70 * GI),
        node(-5, "z1", 60 * GI),
        node(-5, "z2", 20 * GI),
        mem(-5, "z2", 99),
        mem(-5, "z3", 40),
      ],
      ...[container(-20, "w", "main", 3 * GI, "i1"), container(-5, "w", "main", 4 * GI, "i2")],
      ...[container(-20, "w", "side", GI), container(-5, "w", "side", GI), inventory(-4, "w"), inventory(-4, "q")],
      container(-5, "gone", "main", 50 * GI),
    );
    const source = new InfluxSource(connection, systemClock);
    const first = await source.collect(request(0));
    if (!first.ok) throw new Error(first.error.message);
    const { nodes, pods } = first.reading;
    expect([...nodes.values()].map(({ usedBytes }) => Math.round((usedBytes ?? 0) / GI))).toEqual([40, 80, 60]);
    expect(nodes.get("z1")?.series.timesMs).toEqual(Float64Array.of(at(-20), at(-5)));
    expect(pods.get("w")?.series.bytes).toEqual(Float64Array.of(4 * GI, 5 * GI));
    expect(pods.get("q")?.usedBytes).toBeUndefined();
    expect(pods.has("gone")).toBe(false);

    await write(container(10, "w", "main", 6 * GI, "i2"), container(10, "w", "side", GI), node(10, "z1", 10 * GI));
    const second = await source.collect(request(15));
    if (!second.ok) throw new Error(second.error.message);
    expect(second.reading.nodes.get("z1")).toMatchObject({ usedBytes: 90 * GI, sampledAtMs: at(10) });
    expect(second.reading.pods.get("w")?.series.bytes).toEqual(Float64Array.of(4 * GI, 5 * GI, 7 * GI));
  });

  test.each([
    ["a wrong token", { token: new Secret("wr0ng") }, "Unauthorized"],
    ["an unknown organisation", { org: "nobody" }, "NotFound"],
    ["an unknown bucket", { bucket: 'x") |> yield() //' }, "NotFound"],
  ])("names %s", async (_, wrong, reason) => {
    const result = await new InfluxSource({ ...connection, ...wrong }, systemClock).collect(request(0));
    expect(result).toMatchObject({ ok: false, error: { reason } });
    expect(JSON.stringify(result)).not.toMatch(/t0ken|wr0ng/);
  });
});
