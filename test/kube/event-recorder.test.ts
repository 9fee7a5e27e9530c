import { beforeEach, describe, expect, test } from "vitest";
import { KubeError, type KubeObject } from "../../src/kube/client.ts";
import { KubeEventRecorder } from "../../src/kube/event-recorder.ts";
import { EVENTS, type Event } from "../../src/kube/resources.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryKube } from "../support/memory-kube.ts";

const POD: KubeObject = { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop", uid: "u1" } };
const NODE: KubeObject = { apiVersion: "v1", kind: "Node", metadata: { name: "z1", uid: "n1" } };

let clock: FakeClock;
let kube: MemoryKube;
let recorder: KubeEventRecorder;

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube();
  recorder = recorderOver(kube.client);
});

function recorderOver(client: MemoryKube["client"]): KubeEventRecorder {
  return new KubeEventRecorder({
    client,
    clock,
    logger: silentLogger,
    component: "headroom-controller",
    instance: "c-0",
  });
}

async function events(): Promise<Event[]> {
  await recorder.flush();
  return (await kube.client.list(EVENTS)).items;
}

describe("the event recorder", () => {
  test("writes what happened to which object", async () => {
    recorder.record(POD, "Normal", "Moving", "moving to z2");
    expect(await events()).toMatchObject([
      {
        metadata: { namespace: "shop" },
        involvedObject: { kind: "Pod", name: "web", namespace: "shop", uid: "u1" },
        type: "Normal",
        reason: "Moving",
        message: "moving to z2",
        count: 1,
        source: { component: "headroom-controller" },
      },
    ]);
  });

  test("puts those of cluster-scoped objects into the namespace default", async () => {
    recorder.record(NODE, "Warning", "NodesFull", "no room");
    expect(await events()).toMatchObject([{ metadata: { namespace: "default" }, involvedObject: { name: "z1" } }]);
  });

  test("counts the same words about the same object, for ten minutes", async () => {
    for (let i = 0; i < 5; i++) {
      recorder.record(POD, "Normal", "Moving", "moving to z2");
      await recorder.flush();
      await clock.advance(60_000);
    }
    expect(await events()).toMatchObject([{ count: 5, lastTimestamp: "2026-01-01T00:04:00Z" }]);
    await clock.advance(600_000);
    recorder.record(POD, "Normal", "Moving", "moving to z2");
    expect(await events()).toHaveLength(2);
  });

  test("writes it anew when the API server has dropped it meanwhile", async () => {
    recorder.record(POD, "Normal", "Moving", "moving to z2");
    for (const event of await events()) await kube.client.delete(EVENTS, event.metadata);
    recorder.record(POD, "Normal", "Moving", "moving to z2");
    expect(await events()).toMatchObject([{ count: 2 }]);
  });

  test("lets one object cause a burst of 25, then one a minute; others are not affected", async () => {
    for (let i = 0; i < 100; i++) recorder.record(POD, "Normal", "Moving", `attempt ${i}`);
    expect(await events()).toHaveLength(25);
    recorder.record(NODE, "Normal", "Gated", "filling up");
    expect(await events()).toHaveLength(26);
    await clock.advance(60_000);
    recorder.record(POD, "Normal", "Moving", "later");
    recorder.record(POD, "Normal", "Moving", "later still");
    expect(await events()).toHaveLength(27);
  });

  test("cuts a message at the API server's limit, and not inside a character", async () => {
    recorder.record(POD, "Normal", "Long", "ü".repeat(2_000));
    const [event] = await events();
    expect(Buffer.byteLength(event?.message ?? "")).toBeLessThanOrEqual(1024);
    expect(event?.message).toMatch(/^ü+…$/);
  });

  test("tries again when the API server is busy, and gives up without failing anybody when it refuses", async () => {
    let calls = 0;
    recorder = recorderOver({
      ...kube.client,
      create: async (kind, object) => {
        calls++;
        if (calls === 1) throw new KubeError("TooManyRequests", "slow down", { retryAfterSeconds: 2 });
        if (calls > 2) throw new KubeError("Forbidden", "no events for you");
        return kube.client.create(kind, object);
      },
    });
    recorder.record(POD, "Normal", "Moving", "first");
    await clock.advance(2_000);
    expect(await events()).toHaveLength(1);
    recorder.record(POD, "Normal", "Moving", "second");
    expect(await events()).toHaveLength(1);
  });
});
