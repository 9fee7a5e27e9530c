import { describe, expect, test } from "vitest";
import { type CollectRequest, freshness, type LivePod } from "../../src/metrics/source.ts";
import { DEFAULT_LIMITS, UsageStore } from "../../src/metrics/usage-store.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => T0 + seconds * 1000;
const GI = 2 ** 30;

function pod(uid: string, changes: Partial<LivePod> = {}): LivePod {
  return { namespace: "default", name: "w", uid, node: "z1", startedAtMs: at(0), ...changes };
}

function request(seconds: number, pods: LivePod[] = []): CollectRequest {
  return { nowMs: at(seconds), nodes: [{ name: "z1", capacityBytes: 100 * GI }], pods };
}

function begun(seconds: number, pods: LivePod[] = []): UsageStore {
  const store = new UsageStore();
  store.begin(request(seconds, pods), at(seconds - 60));
  return store;
}

const node = (store: UsageStore) => store.read(["best", "second"]).nodes.get("z1");
const podOf = (store: UsageStore, uid: string) => store.read([]).pods.get(uid);

describe("What is remembered of a node", () => {
  test("is its newest use and the series that led to it", () => {
    const store = begun(100);
    store.addNode("z1", "best", at(90), { availableBytes: 60 * GI });
    store.addNode("z1", "best", at(75), { availableBytes: 70 * GI });
    expect(node(store)).toEqual({
      series: { timesMs: Float64Array.of(at(75), at(90)), bytes: Float64Array.of(30 * GI, 40 * GI) },
      usedBytes: 40 * GI,
      sampledAtMs: at(90),
      suspect: false,
      rejections: [],
    });
  });

  test("is an entry without figures when nothing was measured", () => {
    expect(node(begun(100))).toMatchObject({ usedBytes: undefined, sampledAtMs: undefined, suspect: false });
  });

  test("is not polluted by a rejected sample, which makes it suspect when it is the newest", () => {
    const store = begun(100);
    store.addNode("z1", "best", at(85), { workingSetBytes: 50 * GI });
    store.addNode("z1", "best", at(95), { availableBytes: 101 * GI });
    expect(node(store)).toMatchObject({
      usedBytes: 50 * GI,
      sampledAtMs: at(85),
      suspect: true,
      rejections: [{ reason: "Implausible", count: 1, newestAtMs: at(95) }],
    });
    store.addNode("z1", "best", at(99), { availableBytes: 40 * GI });
    expect(node(store)).toMatchObject({ usedBytes: 60 * GI, suspect: false });
  });

  test("a sample of the future is counted, not used", () => {
    const store = begun(100);
    store.addNode("z1", "best", at(106), { workingSetBytes: 1 * GI });
    expect(node(store)).toMatchObject({
      usedBytes: undefined,
      suspect: true,
      rejections: [{ reason: "Future", count: 1 }],
    });
  });

  test("never mixes two ways of measuring, and falls back when the better one has long been silent", () => {
    const store = begun(1000);
    store.addNode("z1", "second", at(700), { availablePercent: 10 });
    store.addNode("z1", "best", at(700), { availableBytes: 50 * GI });
    store.addNode("z1", "second", at(1000), { availablePercent: 10 });
    expect(node(store)).toMatchObject({ usedBytes: 50 * GI, sampledAtMs: at(700) });
    store.begin(request(1001), at(940));
    store.addNode("z1", "second", at(1001), { availablePercent: 10 });
    expect(node(store)).toMatchObject({ usedBytes: 90 * GI, sampledAtMs: at(1001) });
  });

  test("is forgotten after the retention, and with the node", () => {
    const store = begun(100);
    store.addNode("z1", "best", at(90), { workingSetBytes: 1 * GI });
    store.begin(request(90 + DEFAULT_LIMITS.retentionMs / 1000 + 1), at(0));
    expect(node(store)?.usedBytes).toBeUndefined();
    store.addNode("z1", "best", at(90), { workingSetBytes: 1 * GI });
    expect(node(store)?.usedBytes).toBeUndefined();
    store.addNode("other", "best", at(90), { workingSetBytes: 1 * GI });
    expect([...store.read(["best"]).nodes.keys()]).toEqual(["z1"]);
  });
});

describe("What is remembered of a pod", () => {
  test("is the sum of its containers, from one collection to the next", () => {
    const store = begun(100, [pod("a")]);
    store.addContainer("a", "main", at(90), 3 * GI);
    store.begin(request(115, [pod("a")]), at(40));
    store.addContainer("a", "side", at(90), 1 * GI);
    store.addContainer("a", "main", at(105), 5 * GI);
    expect(podOf(store, "a")?.series).toEqual({
      timesMs: Float64Array.of(at(90), at(105)),
      bytes: Float64Array.of(4 * GI, 6 * GI),
    });
  });

  test("has nothing from before its start: that was a predecessor of the same name", () => {
    const store = begun(100, [pod("a", { startedAtMs: at(50) })]);
    store.addContainer("a", "main", at(49), 3 * GI);
    store.addContainer("a", "main", at(50), 1 * GI);
    expect(podOf(store, "a")).toMatchObject({
      usedBytes: 1 * GI,
      suspect: false,
      rejections: [{ reason: "BeforeStart", count: 1 }],
    });
  });

  test("is missing, not suspect, while only its predecessor's samples are there", () => {
    const store = begun(100, [pod("a", { startedAtMs: at(98) })]);
    store.addContainer("a", "main", at(90), 3 * GI);
    expect(podOf(store, "a")).toMatchObject({ usedBytes: undefined, suspect: false });
  });

  test("starts anew with a new UID", () => {
    const store = begun(100, [pod("a")]);
    store.addContainer("a", "main", at(90), 3 * GI);
    store.begin(request(115, [pod("b", { startedAtMs: at(110) })]), at(40));
    expect([...store.read([]).pods.keys()]).toEqual(["b"]);
    expect(podOf(store, "b")?.usedBytes).toBeUndefined();
  });

  test("is nothing before it has started, and nothing larger than its node", () => {
    const store = begun(100, [pod("a", { startedAtMs: undefined }), pod("b")]);
    store.addContainer("a", "main", at(90), 3 * GI);
    store.addContainer("b", "main", at(90), 300 * GI);
    expect(podOf(store, "a")).toMatchObject({ usedBytes: undefined, rejections: [] });
    expect(podOf(store, "b")).toMatchObject({ usedBytes: undefined, suspect: true });
  });

  test("stays within its bound when containers are sampled at different moments", () => {
    const store = new UsageStore({ ...DEFAULT_LIMITS, maxSamples: 10, toleranceMs: 0 });
    store.begin(request(100, [pod("a")]), at(0));
    for (let second = 0; second < 100; second++) store.addContainer("a", `c${second % 3}`, at(second), GI);
    const series = podOf(store, "a")?.series;
    expect(series?.timesMs.length).toBe(10);
    expect(series?.timesMs.at(-1)).toBe(at(99));
  });
});

describe("A past that has to be asked for", () => {
  const store = new UsageStore();
  test.each([
    ["a node for the first time", request(100), true],
    ["the same again", request(115), false],
    ["a pod that has run for long", request(130, [pod("old", { startedAtMs: at(0) })]), true],
    ["that pod again", request(145, [pod("old")]), false],
    ["a pod that has just started", request(160, [pod("old"), pod("new", { startedAtMs: at(150) })]), false],
    ["a pod that has not started", request(175, [pod("old"), pod("next", { startedAtMs: undefined })]), false],
  ])("%s", (_, asked, unknownHistory) => {
    expect(store.begin(asked, asked.nowMs - 60_000)).toEqual({ unknownHistory });
  });
});

describe("A measurement's freshness", () => {
  test.each([
    ["Missing", undefined, false],
    ["Stale", at(9), false],
    ["Fresh", at(10), false],
    ["Suspect", at(10), true],
    ["Stale", at(9), true],
  ])("%s", (expected, sampledAtMs, suspect) => {
    expect(freshness({ sampledAtMs, suspect }, at(100), 90)).toBe(expected);
  });
});
