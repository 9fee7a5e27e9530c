import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { InfluxSource } from "../../../src/metrics/influxdb/influx-source.ts";
import type { CollectRequest, LivePod, Reading } from "../../../src/metrics/source.ts";
import { FakeInfluxDB } from "../../support/fake-influxdb.ts";

const T0 = Date.parse("2026-01-01T12:00:00Z");
const at = (seconds: number) => T0 + seconds * 1000;
const GI = 2 ** 30;

let influx: FakeInfluxDB;
beforeEach(async () => {
  influx = new FakeInfluxDB();
  await influx.start();
});
afterEach(() => influx.stop());

function livePod(name: string, node = "z1", changes: Partial<LivePod> = {}): LivePod {
  return { namespace: "default", name, uid: `uid-${name}`, node, startedAtMs: at(-3000), ...changes };
}

function request(seconds: number, pods: LivePod[] = [], nodes = ["z1", "z2"]): CollectRequest {
  return { nowMs: at(seconds), nodes: nodes.map((name) => ({ name, capacityBytes: 100 * GI })), pods };
}

function source(timeoutMs = 10_000): InfluxSource {
  return new InfluxSource(influx.connection, systemClock, { timeoutMs });
}

async function reading(from: InfluxSource, asked: CollectRequest): Promise<Reading> {
  const result = await from.collect(asked);
  if (!result.ok) throw new Error(result.error.message);
  return result.reading;
}

function usedGi(found: Reading, node: string): number | undefined {
  const used = found.nodes.get(node)?.usedBytes;
  return used === undefined ? undefined : used / GI;
}

function podGi(found: Reading, name: string): number | undefined {
  const used = found.pods.get(`uid-${name}`)?.usedBytes;
  return used === undefined ? undefined : used / GI;
}

/** The start of each query's range, in seconds after T0. */
function starts(): number[] {
  return influx.queries.map((query) => (Date.parse(/start: ([^,]+),/.exec(query)?.[1] ?? "") - T0) / 1000);
}

describe("Memory from InfluxDB", () => {
  test("comes with one query for all nodes and one for all pods", async () => {
    const nodes = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const pods = nodes.map((node) => livePod(`on-${node}`, node));
    for (const node of nodes) {
      influx.node(at(-5), node, { memory_available_bytes: 60 * GI, memory_working_set_bytes: 40 * GI });
      influx.container(at(-5), node, `on-${node}`, "main", 7 * GI);
    }
    const found = await reading(source(), request(0, pods, nodes));
    expect(influx.queries).toHaveLength(2);
    expect(nodes.map((node) => usedGi(found, node))).toEqual(nodes.map(() => 40));
    expect(nodes.map((node) => podGi(found, `on-${node}`))).toEqual(nodes.map(() => 7));
  });

  test("is asked only for what is new, with an overlap, and keeps what it knows", async () => {
    const asked = source();
    influx.node(at(-3000), "z1", { memory_available_bytes: 80 * GI });
    await reading(asked, request(0));
    influx.points = [];
    influx.node(at(10), "z1", { memory_available_bytes: 70 * GI });
    const found = await reading(asked, request(15));
    expect(starts()).toEqual([-3600, -3600, -60, -60]);
    expect(found.nodes.get("z1")?.series.timesMs).toEqual(Float64Array.of(at(-3000), at(10)));
  });

  test("is asked for the whole past of a pod that comes into view late", async () => {
    const asked = source();
    await reading(asked, request(0));
    influx.container(at(-2000), "z1", "old", "main", GI);
    const found = await reading(asked, request(15, [livePod("old")]));
    expect(starts().slice(2)).toEqual([-3585, -3585]);
    expect(podGi(found, "old")).toBe(1);
  });

  test("takes samples that arrive late and out of order, and repeats change nothing", async () => {
    const asked = source();
    influx.node(at(-5), "z1", { memory_available_bytes: 70 * GI });
    await reading(asked, request(0));
    influx.node(at(-20), "z1", { memory_available_bytes: 75 * GI });
    influx.node(at(10), "z1", { memory_available_bytes: 60 * GI });
    const found = await reading(asked, request(15));
    expect(found.nodes.get("z1")?.series).toEqual({
      timesMs: Float64Array.of(at(-20), at(-5), at(10)),
      bytes: Float64Array.of(25 * GI, 30 * GI, 40 * GI),
    });
  });

  test("sums a pod's containers", async () => {
    influx.container(at(-20), "z1", "w", "main", 3 * GI);
    influx.container(at(-20), "z1", "w", "side", 1 * GI);
    influx.container(at(-5), "z1", "w", "main", 4 * GI);
    const found = await reading(source(), request(0, [livePod("w")]));
    expect(found.pods.get("uid-w")?.series.bytes).toEqual(Float64Array.of(4 * GI, 5 * GI));
  });

  test("leaves out pods that are gone, other namespaces, and a predecessor of the same name", async () => {
    influx.container(at(-5), "z1", "gone", "main", GI);
    influx.container(at(-300), "z1", "w", "main", 50 * GI);
    influx.container(at(-5), "z1", "w", "main", 2 * GI);
    influx.container(at(-4), "z2", "w", "main", 60 * GI);
    const found = await reading(
      source(),
      request(0, [
        livePod("w", "z1", { startedAtMs: at(-100) }),
        livePod("gone", "z1", { namespace: "other", uid: "uid-other" }),
      ]),
    );
    expect([...found.pods.keys()]).toEqual(["uid-w", "uid-other"]);
    expect(found.pods.get("uid-w")?.series.bytes).toEqual(Float64Array.of(2 * GI));
    expect(found.pods.get("uid-other")?.usedBytes).toBeUndefined();
  });

  test.each([
    ["by its host", { host: "z1" }],
    ["by its host name", { host: "z1.example.org" }],
  ])("knows a node %s where inputs.mem runs alone", async (_, { host }) => {
    influx.mem(at(-5), host, { available_percent: 30, used: 60, total: 100 });
    const nodes = [{ name: "z1", capacityBytes: 100 * GI, hostname: "z1.example.org" }];
    const found = await reading(source(), { nowMs: at(0), nodes, pods: [] });
    expect(usedGi(found, "z1")).toBeCloseTo(70);
  });

  test("prefers the kubelet's figure to inputs.mem's, without mixing them", async () => {
    influx.mem(at(-4), "z1", { available_percent: 90 });
    influx.node(at(-5), "z1", { memory_available_bytes: 40 * GI });
    const found = await reading(source(), request(0));
    expect(found.nodes.get("z1")?.series.bytes).toEqual(Float64Array.of(60 * GI));
  });

  test("is the fuller figure where two agents measure one node at one moment", async () => {
    influx.node(at(-5), "z1", { memory_available_bytes: 40 * GI, memory_working_set_bytes: 55 * GI }, "a");
    influx.node(at(-5), "z1", { memory_available_bytes: 50 * GI, memory_working_set_bytes: 50 * GI }, "b");
    expect(usedGi(await reading(source(), request(0)), "z1")).toBe(60);
  });

  test.each([
    ["an empty value", { type: "long", value: "" }],
    ["not a number", { type: "double", value: "NaN" }],
    ["infinity", { type: "double", value: "+Inf" }],
    ["a negative figure", { type: "long", value: "-1" }],
    ["more than there is", { type: "long", value: String(101 * GI) }],
  ] as const)("%s makes no node look safer", async (_, value) => {
    influx.node(at(-20), "z1", { memory_available_bytes: 10 * GI });
    influx.points.push({
      measurement: "kubernetes_node",
      tags: { host: "x", node_name: "z1" },
      fields: { memory_available_bytes: value },
      timeMs: at(-5),
    });
    const found = await reading(source(), request(0));
    expect(found.nodes.get("z1")).toMatchObject({ usedBytes: 90 * GI, sampledAtMs: at(-20), suspect: true });
  });

  test("of a node that nothing is known of is missing, and marked by its absence", async () => {
    influx.node(at(-5), "unknown", { memory_available_bytes: 40 * GI });
    const found = await reading(source(), request(0));
    expect(found.nodes.get("z2")).toMatchObject({ usedBytes: undefined, suspect: false, rejections: [] });
    expect([...found.nodes.keys()]).toEqual(["z1", "z2"]);
  });
});

describe("An InfluxDB that fails", () => {
  const csv = (...lines: string[]) => `${lines.join("\r\n")}\r\n`;
  const oneRow = csv(
    "#datatype,string,long,dateTime:RFC3339,long,string,string,string",
    "#group,false,false,false,false,true,true,true",
    "#default,_result,,,,,,",
    ",result,table,_time,_value,_measurement,_field,node_name",
    `,,0,2026-01-01T11:59:55Z,${60 * GI},kubernetes_node,memory_available_bytes,z1`,
  );
  const fluxError = csv("", "#datatype,string,string", "#group,true,true", "#default,,", ",error,reference", ",boom,1");

  test.each([
    ["that is overloaded", "Unreachable", { status: 503, body: "busy" }],
    ["that refuses", "Unauthorized", { status: 401, body: "no" }],
    ["that doesn't understand", "BadAnswer", { status: 400, body: "syntax error" }],
    ["that fails in the middle of a table", "BadAnswer", { body: oneRow + fluxError }],
    ["that breaks off", "Unreachable", { body: oneRow, cut: true }],
    ["that isn't one", "BadAnswer", { body: "<html>\n<body>Welcome</body>\n</html>\n" }],
  ])("%s gives no reading, and recovers by itself", async (_, reason, answer) => {
    const asked = source();
    influx.behaviour = answer;
    expect(await asked.collect(request(0))).toMatchObject({ ok: false, error: { reason } });
    influx.behaviour = "points";
    influx.node(at(-5), "z1", { memory_available_bytes: 60 * GI });
    expect(usedGi(await reading(asked, request(15)), "z1")).toBe(40);
  });

  test("that fails in the middle of a table is quoted", async () => {
    influx.behaviour = { body: oneRow + fluxError };
    expect(await source().collect(request(0))).toMatchObject({ error: { message: expect.stringContaining("boom") } });
  });

  test("that goes on for ever, a little at a time, is given up in time", async () => {
    influx.behaviour = { body: oneRow, trickle: true };
    expect(await source(100).collect(request(0))).toMatchObject({ ok: false, error: { reason: "Timeout" } });
  });

  test("that doesn't answer is given up in time", async () => {
    influx.behaviour = "hang";
    expect(await source(50).collect(request(0))).toMatchObject({ ok: false, error: { reason: "Timeout" } });
  });

  test("that is down gives a sentence; the gap is filled when it is back", async () => {
    const asked = source();
    await reading(asked, request(0));
    influx.behaviour = { status: 503, body: "down" };
    for (const seconds of [15, 30, 300]) await asked.collect(request(seconds));
    influx.behaviour = "points";
    influx.node(at(20), "z1", { memory_available_bytes: 60 * GI });
    const found = await reading(asked, request(315));
    expect(found.nodes.get("z1")?.sampledAtMs).toBe(at(20));
    expect(starts().slice(-2)).toEqual([-60, -60]);
  });

  test("that is not there is named, without what else is in its URL", async () => {
    const url = influx.url.replace("://", "://user:pa55@");
    await influx.stop();
    const result = await new InfluxSource({ ...influx.connection, url }, systemClock).collect(request(0));
    expect(result).toMatchObject({ ok: false, error: { reason: "Unreachable" } });
    expect(JSON.stringify(result)).toMatch(/InfluxDB at http:\/\/127\.0\.0\.1:\d+ can't be reached/);
    expect(JSON.stringify(result)).not.toMatch(/pa55|user/);
  });

  test.each([
    ["a wrong token", { token: new Secret("mistyped-token") }, "Unauthorized"],
    ["an unknown organisation", { org: "nobody" }, "NotFound"],
    ["an unknown bucket", { bucket: 'x") |> drop() //' }, "NotFound"],
  ])("because of %s says so without the token", async (_, wrong, reason) => {
    const result = await new InfluxSource({ ...influx.connection, ...wrong }, systemClock).collect(request(0));
    expect(result).toMatchObject({ ok: false, error: { reason } });
    expect(JSON.stringify(result)).not.toMatch(/mistyped-token|the-very-secret-token/);
  });

  test("and repeats the token in its answer does not get it into the sentence", async () => {
    influx.behaviour = { status: 500, body: `bad header: Token ${influx.token}` };
    const result = await source().collect(request(0));
    expect(result).toMatchObject({ ok: false, error: { message: expect.stringContaining("Token [secret]") } });
    expect(JSON.stringify(result)).not.toContain(influx.token);
  });
});
