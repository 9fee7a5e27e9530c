import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentClient } from "../../src/agent/agent-client.ts";
import { FixedIdentity, type TlsCredentials } from "../../src/agent/identity.ts";
import { MemoryMoveRecords } from "../../src/agent/move-records.ts";
import { connectPeer } from "../../src/agent/peer.ts";
import { AgentServer } from "../../src/agent/server.ts";
import { AgentDriver } from "../../src/checkpointing/agent-driver.ts";
import { type TestTrust, testTrust } from "../support/agent/certificates.ts";
import { ScriptedRuntime } from "../support/agent/scripted-runtime.ts";

const moveUID = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const podUID = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const source = { podUID, containerID: "c1", containerName: "app" };
const limits = { expectedMs: 500, allowedMs: 60_000, filesBytes: 0 };
const PEER = { node: "n3", address: "127.0.0.1", pagePort: 1, agentPort: 1, token: "t".repeat(40) };
const receiving = { sourceNode: "n1", stagingBytes: 100, filesBytes: 10, totalBytes: 90, emptyDirs: [] };

let trust: TestTrust;
let runtime: ScriptedRuntime;
let records: MemoryMoveRecords;
let server: AgentServer;
let driver: AgentDriver;
const clients: AgentClient[] = [];

async function startServer(): Promise<void> {
  const identity = new FixedIdentity(await trust.agent("n2"));
  const log = { info: () => {}, warn: () => {} };
  server = new AgentServer({ node: "n2", runtime, records, identity, connectPeer: connectPeer(identity), log });
  await server.start({ host: "127.0.0.1", port: 0 });
}

beforeEach(async () => {
  trust = await testTrust();
  runtime = new ScriptedRuntime();
  records = new MemoryMoveRecords();
  await startServer();
  driver = new AgentDriver({
    locate: () => ({ address: "127.0.0.1", port: server.port }),
    credentials: () => trust.controller,
    tokenOf: () => "t".repeat(40),
  });
});

afterEach(async () => {
  await Promise.all([driver.close(), server.stop(), ...clients.splice(0).map((client) => client.close())]);
});

function clientAs(credentials: TlsCredentials, node = "n2"): AgentClient {
  const client = new AgentClient({ node, address: "127.0.0.1", port: server.port }, credentials);
  clients.push(client);
  return client;
}

const at = (epoch: number) => ({ moveUID, epoch });
const released = () => runtime.calls.filter((call) => call === "release").length;

describe("the node's turn to be prepared", () => {
  test("is given by the controller alone", async () => {
    runtime.state = { state: "waiting" };
    const peer = clientAs(await trust.agent("n1"));
    const asked = peer.call({ method: "POST", path: "/v1/node/prepare", body: { epoch: 1 }, timeoutMs: 2_000 });
    await expect(asked).rejects.toMatchObject({ reason: "Forbidden" });
    expect(await driver.prepare("n2", { epoch: 1 })).toEqual({ state: "preparing" });
    expect(await driver.prepare("n2", { epoch: 1 })).toEqual({ state: "preparing" });
  });

  test("is refused to a former leader, which the turn itself shuts out", async () => {
    runtime.state = { state: "waiting" };
    await driver.prepare("n2", { epoch: 3 });
    await expect(driver.prepare("n2", { epoch: 2 })).rejects.toMatchObject({ reason: "StaleEpoch" });
    runtime.state = { state: "none" };
    const registering = driver.register("n2", at(2), { podUID, containerName: "app" });
    await expect(registering).rejects.toMatchObject({ reason: "StaleEpoch" });
  });

  test("is refused while a move is on record, and comes when it has ended", async () => {
    runtime.state = { state: "waiting" };
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await expect(driver.prepare("n2", { epoch: 1 })).rejects.toMatchObject({ reason: "WrongState", retryable: true });
    await driver.abort("n2", at(1));
    await driver.cleanup("n2", "target", at(1));
    expect(await driver.prepare("n2", { epoch: 1 })).toEqual({ state: "preparing" });
  });

  test("lets no move begin, and those that have begun go on", async () => {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    runtime.state = { state: "preparing" };
    await driver.receive("n2", at(1), receiving);
    const other = { moveUID: moveUID.replace("0b", "1b"), epoch: 1 };
    const refused = { reason: "WrongState", retryable: true };
    await expect(driver.register("n2", other, { podUID, containerName: "app" })).rejects.toMatchObject(refused);
    const body = { ...other, source, emptyDirs: [], peer: { ...PEER }, tcp: "Refuse", limits };
    const dump = clientAs(trust.controller).call({
      method: "POST",
      path: `/v1/moves/${other.moveUID}/source/dump`,
      body,
      timeoutMs: 2_000,
    });
    await expect(dump).rejects.toMatchObject(refused);
    runtime.state = { state: "none" };
    await driver.register("n2", other, { podUID, containerName: "app" });
  });
});

describe("who may ask for what", () => {
  test("the controller is answered", async () => {
    expect(await driver.features("n2")).toMatchObject({
      criuVersion: "4.1",
      certificateEnds: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(await driver.inspect("n1", source).catch((error: unknown) => error)).toMatchObject({
      reason: "Unreachable",
    });
    expect(await driver.inspect("n2", source)).toMatchObject({ running: true });
  });

  test("a peer agent may not command, even one of the authority", async () => {
    const peer = clientAs(await trust.agent("n1"));
    const body = { ...at(1), podUID, containerName: "app" };
    const command = peer.call({ method: "POST", path: `/v1/moves/${moveUID}/target/register`, body, timeoutMs: 2_000 });
    await expect(command).rejects.toMatchObject({ reason: "Forbidden" });
    await expect(peer.call({ method: "GET", path: "/v1/moves", timeoutMs: 2_000 })).rejects.toMatchObject({
      reason: "Forbidden",
    });
    expect(runtime.calls).not.toContain("register");
  });

  test("a certificate of another authority doesn't get through the handshake", async () => {
    const stranger = { ...(await testTrust()).controller, authority: trust.authority.certificate };
    const call = clientAs(stranger).call({ method: "GET", path: "/v1/features", timeoutMs: 2_000 });
    await expect(call).rejects.toMatchObject({ name: "NoAnswer" });
  });

  test("an agent that isn't the node's is not believed", async () => {
    const call = clientAs(trust.controller, "n9").call({ method: "GET", path: "/v1/features", timeoutMs: 2_000 });
    await expect(call).rejects.toThrow(/not that of the agent of n9/);
  });

  test.each([
    ["the source's agent with the token", "n1", "t".repeat(40), "ok"],
    ["the source's agent with another token", "n1", "u".repeat(40), "Forbidden"],
    ["another node's agent with the token", "n3", "t".repeat(40), "Forbidden"],
  ])("files from %s: %s", async (_who, node, token, expected) => {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await driver.receive("n2", at(1), receiving);
    const put = clientAs(await trust.agent(node)).call({
      method: "PUT",
      path: `/v1/moves/${moveUID}/target/files?part=empty-dir&name=data`,
      stream: Buffer.from("a tar"),
      headers: { authorization: `Bearer ${token}` },
      timeoutMs: 2_000,
    });
    expect(
      await put.then(
        () => "ok",
        (error: { reason: string }) => error.reason,
      ),
    ).toBe(expected);
    expect(runtime.files.map(({ text }) => text)).toEqual(expected === "ok" ? ["a tar"] : []);
  });

  test("what measures the link is counted and thrown away, from the source's agent alone, while the move is receiving", async () => {
    const target = { node: "n2", address: "127.0.0.1", pagePort: 1, agentPort: server.port, token: "t".repeat(40) };
    const measure = async (node: string) => {
      const peer = connectPeer(new FixedIdentity(await trust.agent(node)))(moveUID, target);
      return await peer.measure(new AbortController().signal).finally(() => peer.close());
    };
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await expect(measure("n1")).rejects.toMatchObject({ reason: "Forbidden" });
    await driver.receive("n2", at(1), receiving);
    await expect(measure("n3")).rejects.toMatchObject({ reason: "Forbidden" });
    expect((await measure("n1")).bytesPerSecond).toBeGreaterThan(1e6);
    expect(runtime.files).toEqual([]);
    await driver.restore("n2", at(1), { podUID });
    await expect(measure("n1")).rejects.toMatchObject({ reason: "WrongState" });
  });

  test("files for a move that isn't receiving are refused, and the controller may not bring any", async () => {
    const path = `/v1/moves/${moveUID}/target/files?part=images`;
    const put = (credentials: TlsCredentials) =>
      clientAs(credentials).call({ method: "PUT", path, stream: Buffer.from("x"), timeoutMs: 2_000 });
    await expect(put(await trust.agent("n1"))).rejects.toMatchObject({ reason: "Forbidden" });
    await expect(put(trust.controller)).rejects.toMatchObject({ reason: "Forbidden" });
  });
});

describe("commands", () => {
  async function upToHeld(): Promise<void> {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await driver.receive("n2", at(1), receiving);
    await driver.restore("n2", at(1), { podUID });
  }

  test("a move goes its way, and the list tells how far it is", async () => {
    await upToHeld();
    expect(await driver.moves("n2")).toMatchObject([
      { moveUID, podUID, role: "target", state: "held", epoch: 1, createWaiting: true },
    ]);
    expect(await driver.release("n2", at(1), { podUID })).toEqual({ releasedAtMs: 42 });
    await driver.cleanup("n2", "target", at(1));
    expect(await driver.moves("n2")).toEqual([]);
  });

  test("a target tells what has arrived of its checkpoint, and while it receives how fast", async () => {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    const progress = { sentBytes: 1, totalBytes: 90, bytesPerSecond: 2 };
    runtime.arrival = { images: "partial", progress };
    expect((await driver.moves("n2"))[0]).not.toHaveProperty("images");
    await driver.receive("n2", at(1), receiving);
    expect(await driver.moves("n2")).toMatchObject([{ state: "receiving", images: "partial", progress }]);
    runtime.arrival = { images: "whole", progress };
    await driver.restore("n2", at(1), { podUID });
    const [held] = await driver.moves("n2");
    expect([held?.state, held?.images, held?.progress]).toEqual(["held", "whole", undefined]);
    await driver.release("n2", at(1), { podUID });
    expect((await driver.moves("n2"))[0]).not.toHaveProperty("images");
  });

  test("an older epoch is refused as soon as a newer one has been seen", async () => {
    await upToHeld();
    await expect(driver.cleanup("n2", "target", at(5))).rejects.toMatchObject({ reason: "WrongState" });
    await expect(driver.release("n2", at(4), { podUID })).rejects.toMatchObject({ reason: "StaleEpoch" });
    expect(released()).toBe(0);
  });

  test("a repeated command is answered as before, and not carried out again", async () => {
    await upToHeld();
    const first = await driver.release("n2", at(1), { podUID });
    expect(await driver.release("n2", at(1), { podUID })).toEqual(first);
    expect(released()).toBe(1);
  });

  test("two at the same time are one", async () => {
    await upToHeld();
    const both = await Promise.all([driver.release("n2", at(1), { podUID }), driver.release("n2", at(1), { podUID })]);
    expect(both[0]).toEqual(both[1]);
    expect(released()).toBe(1);
  });

  test("after the agent has died, a finished command is still answered as before", async () => {
    await upToHeld();
    await driver.release("n2", at(1), { podUID });
    await server.stop();
    await startServer();
    expect(await driver.release("n2", at(1), { podUID })).toEqual({ releasedAtMs: 42 });
    expect(released()).toBe(1);
    await expect(driver.abort("n2", at(1))).rejects.toMatchObject({ reason: "AlreadyReleased" });
  });

  test("what a clean-up has found is answered again when it is repeated", async () => {
    await upToHeld();
    await driver.release("n2", at(1), { podUID });
    runtime.cleaned = { memoryLost: "criu lazy-pages ended with 137" };
    expect(await driver.cleanup("n2", "target", at(1))).toEqual(runtime.cleaned);
    expect(await driver.cleanup("n2", "target", at(1))).toEqual(runtime.cleaned);
    expect(runtime.calls.filter((call) => call === "cleanupTarget")).toHaveLength(1);
  });

  test("a failed command is carried out again when it is repeated", async () => {
    await upToHeld();
    runtime.inside.set("release", () => Promise.reject(new Error("no")));
    await expect(driver.release("n2", at(1), { podUID })).rejects.toMatchObject({ reason: "Internal", message: "no" });
    runtime.inside.delete("release");
    expect(await driver.release("n2", at(1), { podUID })).toEqual({ releasedAtMs: 42 });
  });

  test("abort ends a running restore first, and nothing can be released after it", async () => {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await driver.receive("n2", at(1), receiving);
    let begun = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    runtime.inside.set("restore", (signal) => {
      begun();
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("given up"))));
    });
    const restore = driver.restore("n2", at(1), { podUID }).catch((error: unknown) => error);
    await running;
    await driver.abort("n2", at(1));
    expect(await restore).toMatchObject({ message: "given up" });
    await expect(driver.release("n2", at(1), { podUID })).rejects.toMatchObject({ reason: "WrongState" });
    expect(runtime.calls.at(-1)).toBe("abort");
  });

  test("a source that was killed is not resumed, and one that was resumed is not killed", async () => {
    const peer = { address: "127.0.0.1", pagePort: 1, agentPort: server.port, node: "n2", token: "t".repeat(40) };
    await driver.dump("n2", at(1), source, { peer, emptyDirs: [], tcp: "Refuse", limits });
    await driver.kill("n2", at(1), source);
    await expect(driver.resume("n2", at(1), source)).rejects.toMatchObject({ reason: "WrongState" });
    expect(runtime.calls).not.toContain("resume");
  });

  test("a source's record tells where its dump went, and whether it is still as it was frozen", async () => {
    const peer = { address: "127.0.0.1", pagePort: 1, agentPort: server.port, node: "n2", token: "t".repeat(40) };
    await driver.dump("n2", at(1), source, { peer, emptyDirs: [], tcp: "Refuse", limits });
    const told = async () => (await driver.moves("n2")).map(({ peerNode, process }) => ({ peerNode, process }));
    expect(await told()).toEqual([{ peerNode: "n2", process: undefined }]);
    runtime.process.set("c1", "frozen");
    expect(await told()).toEqual([{ peerNode: "n2", process: "frozen" }]);
    runtime.process.set("c1", "ended");
    await server.stop();
    await startServer();
    expect(await told()).toEqual([{ peerNode: "n2", process: "ended" }]);
    await driver.resume("n2", at(1), source);
    expect(await told()).toEqual([{ peerNode: "n2", process: undefined }]);
  });

  test("a body that doesn't fit is refused with the field's name", async () => {
    const client = clientAs(trust.controller);
    const body = { ...at(1), podUID };
    const call = client.call({ method: "POST", path: `/v1/moves/${moveUID}/target/register`, body, timeoutMs: 2_000 });
    await expect(call).rejects.toMatchObject({
      reason: "BadRequest",
      message: expect.stringContaining("containerName"),
    });
  });

  test("path and body must name the same move", async () => {
    const body = { moveUID: podUID, epoch: 1, podUID, containerName: "app" };
    const path = `/v1/moves/${moveUID}/target/register`;
    const call = clientAs(trust.controller).call({ method: "POST", path, body, timeoutMs: 2_000 });
    await expect(call).rejects.toMatchObject({ reason: "BadRequest" });
  });
});

describe("what a source sends", () => {
  const token = "t".repeat(40);

  beforeEach(async () => {
    await driver.register("n2", at(1), { podUID, containerName: "app" });
    await driver.receive("n2", at(1), receiving);
  });

  async function put(part: string, stream: Readable | Buffer): Promise<unknown> {
    const path = `/v1/moves/${moveUID}/target/files?part=${part}`;
    const headers = { authorization: `Bearer ${token}` };
    return clientAs(await trust.agent("n1")).call({ method: "PUT", path, stream, headers, timeoutMs: 8_000 });
  }

  /** Never ends by itself. */
  const endless = (chunk: Buffer) =>
    new Readable({
      read() {
        this.push(chunk);
      },
    });

  /** Resolves with the step's signal once the runtime has been called for a part, which it keeps until its signal is aborted. */
  function uploadBegins(): Promise<AbortSignal> {
    return new Promise((resolve) => {
      runtime.inside.set("acceptFiles", (signal) => {
        if (signal) resolve(signal);
        return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      });
    });
  }

  test("is refused when it is larger than was announced, in words that the source hears", async () => {
    const answer = put("images", endless(Buffer.alloc(1_000)));
    await expect(answer).rejects.toMatchObject({
      reason: "NoRoom",
      retryable: false,
      message: expect.stringMatching("100"),
    });
    expect(runtime.files).toEqual([]);
    expect(await driver.moves("n2")).toMatchObject([{ state: "receiving" }]);
  });

  test.each(["abort", "restore"] as const)("is ended by %s before the node is touched", async (step) => {
    const begun = uploadBegins();
    const answer = put("layer", endless(Buffer.alloc(1_000))).catch((error: unknown) => error);
    const signal = await begun;
    let endedBefore: boolean | undefined;
    runtime.inside.set(step, async () => {
      endedBefore = signal.aborted;
    });
    await (step === "abort" ? driver.abort("n2", at(1)) : driver.restore("n2", at(1), { podUID }));
    expect(endedBefore).toBe(true);
    expect(await answer).toMatchObject({ reason: "WrongState" });
    expect(runtime.files).toEqual([]);
  });

  test("gives way to the same part when that is sent anew", async () => {
    const begun = uploadBegins();
    const former = put("layer", endless(Buffer.alloc(1_000))).catch((error: unknown) => error);
    await begun;
    runtime.inside.delete("acceptFiles");
    await put("layer", Buffer.from("anew"));
    expect(await former).toMatchObject({ reason: "WrongState", retryable: true });
    expect(runtime.files.map(({ text }) => text)).toEqual(["anew"]);
  });
});

test("a driver without an agent on the node says so", async () => {
  const nowhere = new AgentDriver({ locate: () => undefined, credentials: () => trust.controller, tokenOf: () => "" });
  await expect(nowhere.features("n7")).rejects.toMatchObject({ reason: "NoAgent", node: "n7", retryable: true });
});
