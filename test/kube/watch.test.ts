import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type KubeClient, KubeError } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { HttpKubeClient } from "../../src/kube/http-client.ts";
import { PODS, type Pod } from "../../src/kube/resources.ts";
import { type Change, MemoryStore } from "../../src/kube/store.ts";
import { KubeConfigTransport, type Stream, type Transport } from "../../src/kube/transport.ts";
import { ResourceWatch } from "../../src/kube/watch.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { MemoryKube } from "../support/memory-kube.ts";
import { MisbehavingApiServer, type Mischief } from "../support/misbehaving-api-server.ts";
import { until } from "../support/until.ts";

let server: MisbehavingApiServer;
let transport: KubeConfigTransport;
let end: AbortController;
let running: Promise<void> | undefined;
let store: MemoryStore<Pod>;
let changes: string[];
let interruptions: string[];

beforeEach(async () => {
  server = await MisbehavingApiServer.start();
  transport = new KubeConfigTransport(server.config);
  end = new AbortController();
  store = new MemoryStore<Pod>();
  changes = [];
  interruptions = [];
});

afterEach(async () => {
  end.abort();
  await running;
  await transport.close();
  await server.close();
});

function watch(options: { silenceMs?: number; backoffMs?: number; timeoutMs?: number } = {}): void {
  const watched = new ResourceWatch<Pod>({
    kind: PODS,
    store,
    client: new HttpKubeClient(transport, { timeoutMs: options.timeoutMs ?? 2_000 }),
    transport,
    clock: systemClock,
    logger: silentLogger,
    silenceMs: options.silenceMs ?? 5_000,
    backoff: { firstMs: options.backoffMs ?? 2, limitMs: 20 },
    onChange: (change) => changes.push(inWords(change)),
    onInterrupted: (reason) => interruptions.push(reason),
  });
  running = watched.run(end.signal);
}

function inWords({ before, after }: Change<Pod>): string {
  if (!after) return `-${before?.metadata.name}`;
  return `${before ? "~" : "+"}${after.metadata.name}`;
}

const names = () =>
  store
    .list()
    .map((pod) => pod.metadata.name)
    .sort();

describe("a watch on a well-behaved server", () => {
  test("lists first, then follows additions, changes and deletions", async () => {
    server.put("a");
    watch();
    await until(() => server.watching === 1, "a watch");
    expect(store.synced).toBe(true);
    server.put("b");
    server.put("a");
    server.remove("b");
    await until(() => changes.length === 4, "four changes");
    expect(changes).toEqual(["+a", "+b", "~a", "-b"]);
    expect(store.get({ namespace: "default", name: "a" })).toMatchObject({ kind: "Pod", apiVersion: "v1" });
  });

  test("resumes after a bookmark from the bookmark, without a new list", async () => {
    watch();
    await until(() => server.watching === 1, "a watch");
    server.bookmark();
    server.compact();
    const bookmarked = server.version;
    server.put("a");
    await until(() => changes.includes("+a"), "the change");
    server.cutWatches();
    await until(() => server.count("watch") === 2 && server.watching === 1, "a second watch");
    expect(Number(server.seen.at(-1)?.resourceVersion)).toBeGreaterThanOrEqual(Number(bookmarked));
    expect(server.count("list")).toBe(1);
  });

  test("bookmarks alone keep it up to date over many resumptions", async () => {
    watch();
    for (let round = 1; round <= 3; round++) {
      await until(() => server.watching === 1, "a watch");
      server.bookmark();
      server.compact();
      await new Promise((resolve) => setImmediate(resolve));
      server.cutWatches();
      await until(() => server.count("watch") === round + 1, "the next watch");
    }
    expect(server.count("list")).toBe(1);
  });

  test("ends when its signal is aborted, also in the middle of a stream", async () => {
    watch();
    await until(() => server.watching === 1, "a watch");
    end.abort();
    await running;
    await until(() => server.watching === 0, "the stream's end");
  });
});

const WATCH_MISCHIEF: { name: string; mischief: Mischief; reason: string }[] = [
  { name: "410 as an answer", mischief: { kind: "status", code: 410 }, reason: "Expired" },
  { name: "410 as an event", mischief: { kind: "errorEvent", code: 410 }, reason: "Expired" },
  { name: "429", mischief: { kind: "status", code: 429 }, reason: "TooManyRequests" },
  { name: "500 as an event", mischief: { kind: "errorEvent", code: 500 }, reason: "Unavailable" },
  { name: "503 without a Status", mischief: { kind: "status", code: 503, plain: true }, reason: "Unavailable" },
  { name: "401", mischief: { kind: "status", code: 401 }, reason: "Unauthorized" },
  { name: "403", mischief: { kind: "status", code: 403 }, reason: "Forbidden" },
  { name: "a reset", mischief: { kind: "reset" }, reason: "Unavailable" },
  { name: "an event cut in the middle", mischief: { kind: "cutInTheMiddle" }, reason: "Unavailable" },
  { name: "garbage", mischief: { kind: "garbage" }, reason: "Unavailable" },
  { name: "an end at once", mischief: { kind: "hangUp" }, reason: "Unavailable" },
  { name: "silence", mischief: { kind: "silence" }, reason: "Timeout" },
];

describe.each(WATCH_MISCHIEF)("a watch that meets $name", ({ mischief, reason }) => {
  test("comes back and has missed nothing, a deletion included", async () => {
    server.put("stays");
    server.put("goes");
    watch({ silenceMs: 150 });
    await until(() => server.watching === 1, "a watch");
    server.next("watch", mischief);
    server.cutWatches();
    server.remove("goes");
    server.put("comes");
    await until(() => server.watching === 1 && server.count("watch") >= 3, "a watch after it");
    await until(() => names().join() === "comes,stays", "the true state");
    expect(changes.filter((change) => change === "-goes")).toHaveLength(1);
    expect(changes.filter((change) => change === "+comes")).toHaveLength(1);
    expect(interruptions).toContain(reason);
  });

  test("comes back when it meets it five times in a row", async () => {
    server.put("a");
    server.next("watch", mischief, mischief, mischief, mischief, mischief);
    watch({ silenceMs: 60 });
    await until(() => server.watching === 1, "a watch in the end");
    server.put("b");
    await until(() => names().join() === "a,b", "the true state");
  });
});

const LIST_MISCHIEF: { name: string; mischief: Mischief }[] = [
  { name: "410", mischief: { kind: "status", code: 410 } },
  { name: "429", mischief: { kind: "status", code: 429 } },
  { name: "503", mischief: { kind: "status", code: 503 } },
  { name: "a reset", mischief: { kind: "reset" } },
  { name: "silence", mischief: { kind: "silence" } },
  { name: "garbage", mischief: { kind: "garbage" } },
];

test.each(LIST_MISCHIEF)("a list that meets $name is asked for again", async ({ mischief }) => {
  server.put("a");
  server.next("list", mischief, mischief, mischief);
  watch({ timeoutMs: 100 });
  await until(() => store.synced && names().join() === "a", "the list");
  await until(() => server.watching === 1, "a watch");
});

test("a deletion while away is noticed by the next list, also when the history is gone", async () => {
  server.put("a");
  server.put("b");
  watch();
  await until(() => server.watching === 1, "a watch");
  server.next("watch", { kind: "reset" });
  server.cutWatches();
  server.remove("b");
  server.compact();
  await until(() => names().join() === "a", "the deletion");
  expect(changes).toEqual(["+a", "+b", "-b"]);
});

test("an object that was replaced by another of its name while away shows as a change of UID", async () => {
  server.put("a");
  watch();
  await until(() => server.watching === 1, "a watch");
  const before = store.get({ namespace: "default", name: "a" })?.metadata.uid;
  server.next("watch", { kind: "reset" });
  server.cutWatches();
  server.remove("a");
  server.put("a");
  server.compact();
  await until(() => store.get({ namespace: "default", name: "a" })?.metadata.uid !== before, "the new one");
});

test("Retry-After is honoured", async () => {
  server.next("list", { kind: "status", code: 429, retryAfter: 1 });
  watch();
  await until(() => server.count("list") === 2, "the second list");
  const [first, second] = server.seen;
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
});

test("a server that hangs up at once is not asked in a tight loop", async () => {
  const hangUps = Array.from({ length: 200 }, (): Mischief => ({ kind: "hangUp" }));
  server.next("watch", ...hangUps);
  watch({ backoffMs: 20 });
  await until(() => server.count("watch") === 6, "some attempts");
  const times = server.seen.filter(({ sort }) => sort === "watch").map(({ atMs }) => atMs);
  expect((times[5] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(5 * 9);
});

test("a slow list is waited for", async () => {
  server.put("a");
  server.next("list", { kind: "slow", milliseconds: 200 });
  watch();
  await until(() => names().join() === "a", "the list");
  expect(server.count("list")).toBe(1);
});

test("a listener that throws does not end the watch", async () => {
  const watched = new ResourceWatch<Pod>({
    kind: PODS,
    store,
    client: new HttpKubeClient(transport),
    transport,
    clock: systemClock,
    logger: silentLogger,
    onChange() {
      throw new Error("a defect");
    },
  });
  running = watched.run(end.signal);
  await until(() => server.watching === 1, "a watch");
  server.put("a");
  server.put("b");
  await until(() => names().join() === "a,b", "both objects");
});

describe("the health of a watch", () => {
  const HOUR_MS = 3_600_000;
  const never = new Promise<never>(() => {});
  let clock: FakeClock;
  let list: () => ReturnType<KubeClient["list"]>;
  let stream: () => Promise<Stream>;
  let watched: ResourceWatch<Pod>;

  beforeEach(() => {
    clock = new FakeClock();
    const { client } = new MemoryKube();
    list = () => client.list(PODS);
    watched = new ResourceWatch<Pod>({
      kind: PODS,
      store,
      client: { ...client, list: (() => list()) as KubeClient["list"] },
      transport: { server: "https://api", stream: () => stream() } as unknown as Transport, // no more is asked of it
      clock,
      logger: silentLogger,
      random: () => 0,
    });
  });

  /** A stream that says something every so often; it may ignore that it is given up. */
  const bodyOf = (lines: AsyncGenerator<string>): Promise<Stream> =>
    Promise.resolve({ status: 200, retryAfter: undefined, body: encoded(lines) });

  async function* encoded(lines: AsyncGenerator<string>) {
    for await (const line of lines) yield Buffer.from(`${line}\n`);
  }

  async function* bookmarks() {
    for (let version = 1; ; version++) {
      yield JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } });
      await new Promise<void>((resolve) => clock.after(60_000, resolve));
    }
  }

  async function* nothing(): AsyncGenerator<string> {
    yield await never;
  }

  test.each<[string, string | undefined, () => void]>([
    ["that gets a bookmark every minute is good", undefined, () => (stream = () => bodyOf(bookmarks()))],
    [
      "that cannot reach the API server is good: it attempts again and again",
      undefined,
      () => (list = () => Promise.reject(new KubeError("Unavailable", "no route"))),
    ],
    [
      "whose list never comes back is bad",
      "the watch of pods has stopped",
      () => {
        list = () => never;
      },
    ],
    ["whose stream is silent and cannot be ended is bad", "has stopped", () => (stream = () => bodyOf(nothing()))],
    [
      "whose connection is never made, nor refused, is bad",
      "has stopped",
      () => {
        stream = () => never;
      },
    ],
  ])("%s", async (_about, said, happens) => {
    happens();
    expect(watched.unhealthy).toBeUndefined();
    running = Promise.resolve();
    void watched.run(end.signal);
    await settle();
    for (let minute = 0; minute < 60; minute++) await clock.advance(HOUR_MS / 60);
    if (said === undefined) expect(watched.unhealthy).toBeUndefined();
    else expect(watched.unhealthy).toContain(said);
  });
});
