import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { POD_MIGRATIONS } from "../../src/api/v1alpha1/pod-migration.ts";
import { KubeError, type KubeErrorReason } from "../../src/kube/client.ts";
import { HttpKubeClient } from "../../src/kube/http-client.ts";
import { NODES, PODS } from "../../src/kube/resources.ts";
import { KubeConfigTransport } from "../../src/kube/transport.ts";
import { describeError, plainFields } from "../../src/logging/plain-fields.ts";

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Cut the connection instead. */
  cut?: boolean;
}

interface Request {
  method: string;
  url: string;
  body: unknown;
  contentType: string | undefined;
  authorization: string | undefined;
}

const TOKEN = "kube-token-that-must-not-show";

let server: Server;
let connections: number;
let requests: Request[];
let answers: Answer[];
let transport: KubeConfigTransport;
let client: HttpKubeClient;

beforeEach(async () => {
  requests = [];
  answers = [];
  connections = 0;
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    requests.push({
      method: request.method ?? "",
      url: request.url ?? "",
      body: text === "" ? undefined : JSON.parse(text),
      contentType: request.headers["content-type"],
      authorization: request.headers.authorization,
    });
    const answer = answers.shift();
    if (!answer) return;
    if (answer.cut) return void response.destroy();
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {}));
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  transport = new KubeConfigTransport(configFor(server));
  client = new HttpKubeClient(transport, { timeoutMs: 500, pageSize: 2 });
});

afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function configFor(listening: Server): KubeConfig {
  const config = new KubeConfig();
  const { port } = listening.address() as AddressInfo;
  config.loadFromOptions({
    clusters: [{ name: "test", server: `http://127.0.0.1:${port}/prefix/`, skipTLSVerify: false }],
    users: [{ name: "test", token: TOKEN }],
    contexts: [{ name: "test", cluster: "test", user: "test" }],
    currentContext: "test",
  });
  return config;
}

const status = (code: number, reason: string, more: object = {}): Answer => ({
  status: code,
  body: { kind: "Status", status: "Failure", code, reason, message: `the server says ${reason}`, ...more },
});

async function failureOf(call: Promise<unknown>): Promise<KubeError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof KubeError)) throw new Error(`not a KubeError: ${outcome}`);
  return outcome;
}

describe("where requests go", () => {
  test("below the server's path, in the group, the namespace and the subresource", async () => {
    answers.push({ status: 200 }, { status: 200 }, { status: 200 });
    await client.get(PODS, { namespace: "ns", name: "a b" });
    await client.get(NODES, { name: "z1" });
    await client.patch(POD_MIGRATIONS, { namespace: "ns", name: "m" }, { status: {} }, { subresource: "status" });
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET /prefix/api/v1/namespaces/ns/pods/a%20b",
      "GET /prefix/api/v1/nodes/z1",
      "PATCH /prefix/apis/headroom.dev/v1alpha1/namespaces/ns/podmigrations/m/status?fieldManager=headroom",
    ]);
  });

  test("patches say of which sort they are, dry runs that they are one, and everything who asks", async () => {
    answers.push({ status: 200 }, { status: 200 }, { status: 201 });
    const ref = { namespace: "ns", name: "p" };
    await client.patch(PODS, ref, { metadata: {} });
    await client.patch(PODS, ref, [], { type: "json", dryRun: true });
    await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "z" } }, { dryRun: true });
    expect(requests.map(({ contentType }) => contentType)).toEqual([
      "application/merge-patch+json",
      "application/json-patch+json",
      "application/json",
    ]);
    expect(requests.map(({ url }) => url.includes("dryRun=All"))).toEqual([false, true, true]);
    expect(new Set(requests.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
  });

  test("a deletion names the very object", async () => {
    answers.push({ status: 200 });
    await client.delete(PODS, { namespace: "ns", name: "p" }, { uid: "u", gracePeriodSeconds: 0 });
    expect(requests[0]?.body).toMatchObject({ preconditions: { uid: "u" }, gracePeriodSeconds: 0 });
  });

  test("a namespaced object without a namespace is refused before anything is sent", async () => {
    await expect(client.get(PODS, { name: "p" })).rejects.toThrow("namespace is missing");
    expect(requests).toHaveLength(0);
  });

  test("requests one after the other don't each make a connection", async () => {
    answers.push(...Array.from({ length: 20 }, () => ({ status: 200 })));
    for (let i = 0; i < 20; i++) await client.get(NODES, { name: "z" });
    expect(connections).toBeLessThanOrEqual(2);
  });
});

describe("lists", () => {
  const page = (names: string[], next = ""): Answer => ({
    status: 200,
    body: { items: names.map((name) => ({ metadata: { name } })), metadata: { resourceVersion: "7", continue: next } },
  });

  test("are read page by page, and every item knows its kind", async () => {
    answers.push(page(["a", "b"], "more"), page(["c"]));
    const { items, resourceVersion } = await client.list(PODS, { labelSelector: "a=b" });
    expect(items.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`)).toEqual([
      "v1 Pod a",
      "v1 Pod b",
      "v1 Pod c",
    ]);
    expect(resourceVersion).toBe("7");
    expect(requests[1]?.url).toContain("continue=more");
  });

  test("are asked for as a whole when a page has expired", async () => {
    answers.push(page(["a", "b"], "more"), status(410, "Expired"), page(["a", "b", "c"]));
    expect((await client.list(PODS)).items).toHaveLength(3);
    expect(requests[2]?.url).not.toContain("limit=");
  });

  test("may be empty", async () => {
    answers.push({ status: 200, body: { items: null, metadata: { resourceVersion: "1" } } });
    expect(await client.list(PODS)).toEqual({ items: [], resourceVersion: "1" });
  });
});

const REFUSALS: { answer: Answer; reason: KubeErrorReason; transient: boolean }[] = [
  { answer: status(400, "BadRequest"), reason: "BadRequest", transient: false },
  { answer: status(401, "Unauthorized"), reason: "Unauthorized", transient: false },
  { answer: status(403, "Forbidden"), reason: "Forbidden", transient: false },
  { answer: status(409, "AlreadyExists"), reason: "AlreadyExists", transient: false },
  { answer: status(409, "Conflict"), reason: "Conflict", transient: true },
  { answer: status(410, "Gone"), reason: "Expired", transient: false },
  { answer: status(422, "Invalid"), reason: "Invalid", transient: false },
  { answer: status(429, "TooManyRequests"), reason: "TooManyRequests", transient: true },
  { answer: status(500, "InternalError"), reason: "Unavailable", transient: true },
  { answer: status(503, "ServiceUnavailable"), reason: "Unavailable", transient: true },
  { answer: status(504, "Timeout"), reason: "Timeout", transient: true },
  { answer: { status: 418, body: "a teapot" }, reason: "Unknown", transient: false },
];

describe("refusals", () => {
  test.each(REFUSALS)("$answer.status $reason", async ({ answer, reason, transient }) => {
    answers.push(answer);
    const error = await failureOf(client.patch(PODS, { namespace: "ns", name: "p" }, {}));
    expect(error).toMatchObject({ reason, transient, status: answer.status });
    expect(error.message).toMatch(/^patch Pod ns\/p: /);
  });

  test("say how long to wait, from the header or the body", async () => {
    answers.push({ ...status(429, "TooManyRequests"), headers: { "retry-after": "7" } });
    answers.push(status(429, "TooManyRequests", { details: { retryAfterSeconds: 3 } }));
    expect((await failureOf(client.get(NODES, { name: "z" }))).retryAfterSeconds).toBe(7);
    expect((await failureOf(client.get(NODES, { name: "z" }))).retryAfterSeconds).toBe(3);
  });

  test("an object that is missing is undefined, deleting it is no failure", async () => {
    answers.push(status(404, "NotFound"), status(404, "NotFound"));
    expect(await client.get(NODES, { name: "z" })).toBeUndefined();
    await client.delete(NODES, { name: "z" });
  });

  test("a resource that the server doesn't serve is not taken for a missing object", async () => {
    const unserved = { message: "the server could not find the requested resource" };
    answers.push(status(404, "NotFound", unserved), { status: 404, body: "404 page not found" });
    expect((await failureOf(client.get(NODES, { name: "z" }))).reason).toBe("NotFound");
    expect((await failureOf(client.get(NODES, { name: "z" }))).reason).toBe("NotFound");
  });

  test("no answer in time is Timeout, and transient", async () => {
    const error = await failureOf(client.patch(NODES, { name: "z" }, {}));
    expect(error).toMatchObject({ reason: "Timeout", transient: true, status: undefined });
  });

  test("a read is tried once more on a connection that was just closed, a write is not", async () => {
    answers.push({ status: 0, cut: true }, { status: 200 }, { status: 0, cut: true });
    await client.get(NODES, { name: "z" });
    expect((await failureOf(client.patch(NODES, { name: "z" }, {}))).reason).toBe("Unavailable");
    expect(requests).toHaveLength(3);
  });

  test("nobody there is Unavailable and names the server", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const error = await failureOf(client.get(NODES, { name: "z" }));
    expect(error.reason).toBe("Unavailable");
    expect(error.message).toContain("cannot reach http://127.0.0.1");
    await new Promise<void>((resolve) => server.listen(0, resolve));
  });

  test("never show the token", async () => {
    answers.push(status(401, "Unauthorized"), { status: 0, cut: true });
    const errors = [
      await failureOf(client.patch(NODES, { name: "z" }, {})),
      await failureOf(client.patch(NODES, { name: "z" }, {})),
      await failureOf(client.patch(NODES, { name: "z" }, {})),
    ];
    const { inspect } = await import("node:util");
    for (const error of errors) {
      const shown = [inspect(error, { depth: 10 }), describeError(error), JSON.stringify(plainFields({ error }))];
      expect(shown.join("\n")).not.toContain(TOKEN);
    }
  });
});
