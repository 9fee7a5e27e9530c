import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConnectionLimits } from "../../src/agent/connection-limits.ts";
import { FixedIdentity } from "../../src/agent/identity.ts";
import { MemoryMoveRecords } from "../../src/agent/move-records.ts";
import { connectPeer } from "../../src/agent/peer.ts";
import { AgentServer } from "../../src/agent/server.ts";
import { AgentDriver } from "../../src/checkpointing/agent-driver.ts";
import { testTrust } from "../support/agent/certificates.ts";
import { ScriptedRuntime } from "../support/agent/scripted-runtime.ts";
import { until } from "../support/until.ts";

const opened: Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

/** A connection from an address of this machine, once it is made. */
async function open(port: number, localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  socket.on("error", () => undefined);
  opened.push(socket);
  await once(socket, "connect");
  return socket;
}

/** Fewer at once than the kernel keeps for a server that has yet to accept them: it would drop others without a word. */
async function openInTurn(port: number, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    await Promise.all(Array.from({ length: Math.min(left, 100) }, () => open(port)));
  }
}

describe("connections that wait without a certificate", () => {
  const spoken: Socket[] = [];
  let limits: ConnectionLimits;
  const server = createServer((socket) => limits.accept(socket, (one) => spoken.push(one)));
  const port = () => Object(server.address()).port as number; // it listens: an AddressInfo

  beforeEach(async () => {
    spoken.length = 0;
    limits = new ConnectionLimits({ waiting: 4, favour: 2, silenceMs: 60_000 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(async () => {
    limits.close();
    for (const socket of opened) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test("displace the oldest of the address that has the most of them", async () => {
    const other = await open(port(), "127.0.0.2");
    const flood: Socket[] = [];
    for (let count = 0; count < 6; count++) flood.push(await open(port()));
    await until(() => flood.filter(({ closed }) => closed).length === 3, "three are displaced");
    expect(flood.map(({ closed }) => closed)).toEqual([true, true, true, false, false, false]);
    expect(other.closed).toBe(false);
  });

  test("keep their place before silent ones once they have spoken", async () => {
    const speaking = await open(port());
    speaking.write("hello");
    await until(() => spoken.length === 1, "it speaks");
    for (let count = 0; count < 6; count++) await open(port());
    await until(() => opened.filter(({ closed }) => closed).length === 3, "three are displaced");
    expect(speaking.closed).toBe(false);
    expect(spoken[0]?.read()?.toString()).toBe("hello");
  });

  test("may be more when their address has shown a certificate before", async () => {
    limits.authenticated({ remoteAddress: "127.0.0.1", remotePort: 1 });
    const known = [await open(port()), await open(port()), await open(port())];
    const unknown = [await open(port(), "127.0.0.2"), await open(port(), "127.0.0.2"), await open(port(), "127.0.0.2")];
    await until(() => unknown.filter(({ closed }) => closed).length === 2, "two are displaced");
    expect(known.some(({ closed }) => closed)).toBe(false);
  });
});

test("a silent connection is ended", async () => {
  const limits = new ConnectionLimits({ waiting: 4, favour: 2, silenceMs: 20 });
  const server = createServer((socket) => limits.accept(socket, () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = await open(Object(server.address()).port);
  await until(() => socket.closed, "it is ended");
  await new Promise((resolve) => server.close(resolve));
});

test("during a flood of idle connections from its own address the controller is answered, and few of them are held", async () => {
  const trust = await testTrust();
  const identity = new FixedIdentity(await trust.agent("n2"));
  const options = { node: "n2", runtime: new ScriptedRuntime(), records: new MemoryMoveRecords(), identity };
  const server = new AgentServer({
    ...options,
    connectPeer: connectPeer(identity),
    log: { info: () => {}, warn: () => {} },
  });
  await server.start({ host: "127.0.0.1", port: 0 });
  const flood = openInTurn(server.port, 1_500);
  for (let asked = 0; asked < 3; asked++) {
    const driver = new AgentDriver({
      locate: () => ({ address: "127.0.0.1", port: server.port }),
      credentials: () => trust.controller,
      tokenOf: () => "t".repeat(40),
    });
    expect(await driver.features("n2")).toMatchObject({ criuVersion: "4.1" });
    await driver.close();
  }
  await flood;
  await until(() => opened.filter(({ closed }) => !closed).length <= 256, "few are held");
  await server.stop();
});
