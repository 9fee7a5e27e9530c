import { createServer, type Server } from "node:https";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentDriver } from "../../src/checkpointing/agent-driver.ts";
import { type TestTrust, testTrust } from "../support/agent/certificates.ts";
import { until } from "../support/until.ts";

const MOVE = { moveUID: "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab", epoch: 3 };
const OTHER = "1b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const source = { podUID: "p", containerID: "c", containerName: "app" };

let trust: TestTrust;
let server: Server;
let driver: AgentDriver;
/** What the agent was asked, and how it answers: undefined for not at all. */
let asked: { path: string; body: unknown }[];
let answer: (attempt: number) => { status: number; body: unknown } | undefined;

beforeEach(async () => {
  asked = [];
  trust = await testTrust();
  const { key, certificate, authority } = await trust.agent("n1");
  server = createServer({ key, cert: certificate, ca: authority, requestCert: true }, async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    asked.push({ path: request.url ?? "", body: JSON.parse(text) });
    const said = answer(asked.length);
    if (said) response.writeHead(said.status, { "content-type": "application/json" }).end(JSON.stringify(said.body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  driver = new AgentDriver({
    locate: () => ({ address: "127.0.0.1", port: portOf(server) }),
    credentials: () => trust.controller,
    tokenOf: () => "t".repeat(32),
    attemptMs: 100,
  });
});

afterEach(async () => {
  await driver.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function portOf(of: Server): number {
  const address = of.address();
  return typeof address === "object" && address ? address.port : 0;
}

test("a source that is resumed tells how long it was frozen", async () => {
  const freeze = { frozenAtMs: 1, resumedAtMs: 43 };
  answer = () => ({ status: 200, body: { freeze } });
  expect(await driver.resume("n1", MOVE, source)).toEqual({ freeze });
});

describe("a command that is not answered in time", () => {
  test("is sent again, the very same, until the agent has an answer", async () => {
    answer = (attempt) => (attempt < 3 ? undefined : { status: 200, body: {} });
    await driver.resume("n1", MOVE, source);
    expect(asked.length).toBeGreaterThanOrEqual(3); // on a busy machine an answer may be late, too
    const first = { path: `/v1/moves/${MOVE.moveUID}/source/resume`, body: { ...MOVE, source } };
    expect(asked).toEqual(asked.map(() => first));
  });

  test("is not sent again once the agent has refused it", async () => {
    const refusal = { reason: "WrongState", message: "not now", retryable: true };
    answer = (attempt) => (attempt < 2 ? undefined : { status: 409, body: refusal });
    await expect(driver.resume("n1", MOVE, source)).rejects.toMatchObject(refusal);
    expect(asked.length).toBeGreaterThanOrEqual(2);
  });

  test("is not sent again once the caller has given it up", async () => {
    answer = () => undefined;
    const givenUp = new AbortController();
    const resumed = driver.resume("n1", { ...MOVE, signal: givenUp.signal }, source);
    const failed = expect(resumed).rejects.toMatchObject({ reason: "Unreachable" });
    await until(() => asked.length >= 2, "it is sent again");
    givenUp.abort();
    await failed;
    const then = asked.length;
    // As long as it would take to send it three times more, another is sent four times. One may have been on its way.
    answer = (attempt) => (attempt < then + 5 ? undefined : { status: 200, body: {} });
    await driver.resume("n1", { ...MOVE, moveUID: OTHER }, source);
    expect(asked.filter(({ path }) => path.includes(MOVE.moveUID)).length).toBeLessThanOrEqual(then + 1);
  });

  test("is not sent again to an agent that is gone", async () => {
    answer = () => {
      server.closeAllConnections();
      server.close();
      return undefined;
    };
    await expect(driver.resume("n1", MOVE, source)).rejects.toMatchObject({ reason: "Unreachable", retryable: true });
    expect(asked).toHaveLength(1);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
});
