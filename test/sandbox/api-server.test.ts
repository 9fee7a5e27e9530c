/** What the sandbox's API server does beyond the contract (test/contract): losing requests, forgetting, kubectl's questions. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type JsonObject, stringAt } from "../../src/sandbox/api-server/json.ts";
import { type Interception, SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { installHeadroom } from "../../src/sandbox/installation.ts";
import { until } from "../support/until.ts";

let server: SandboxApiServer;
let verdict: Interception;

beforeEach(async () => {
  verdict = "pass";
  server = await SandboxApiServer.start({ historyLimit: 20, intercept: () => verdict });
});
afterEach(() => server.close());

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

async function send(method: string, path: string, body?: JsonObject, accept = "application/json") {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${server.url}${path}`, { method, headers: { accept }, ...init });
  const answer: JsonObject = JSON.parse(await response.text());
  return { status: response.status, body: answer, warning: response.headers.get("warning") };
}

const stored = (name: string) => server.store.get("configmaps", "default", name);

describe("an interceptor", () => {
  it("can lose a request before it takes effect", async () => {
    verdict = "loseRequest";
    await expect(send("POST", CONFIG_MAPS, { metadata: { name: "a" } })).rejects.toThrow();
    expect(stored("a")).toBeUndefined();
  });

  it("can lose the answer after the request took effect", async () => {
    verdict = "loseAnswer";
    await expect(send("POST", CONFIG_MAPS, { metadata: { name: "a" } })).rejects.toThrow();
    expect(stored("a")).toBeDefined();
  });

  it("can answer itself", async () => {
    verdict = { code: 429, headers: { "Retry-After": "1" } };
    expect((await send("GET", CONFIG_MAPS)).status).toBe(429);
  });
});

describe("history", () => {
  it("is forgotten beyond its limit: a watch from before gets 410", async () => {
    const { body } = await send("GET", CONFIG_MAPS);
    for (let i = 0; i < 30; i++) server.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `c${i}` } });
    const watch = `${CONFIG_MAPS}?watch=true&resourceVersion=${stringAt(body, "metadata", "resourceVersion")}`;
    expect((await send("GET", watch)).body).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
  });

  it("that is compacted ends a list that came in pages", async () => {
    for (const name of ["a", "b"]) server.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
    const first = await send("GET", `${CONFIG_MAPS}?limit=1`);
    server.store.compact();
    const next = await send("GET", `${CONFIG_MAPS}?limit=1&continue=${stringAt(first.body, "metadata", "continue")}`);
    expect([next.status, next.body.reason]).toEqual([410, "Expired"]);
  });
});

describe("Headroom's own resources", () => {
  const MOVES = "/apis/headroom.dev/v1alpha1/namespaces/default/podmigrations";
  const move = (spec: JsonObject): JsonObject => ({ metadata: { name: "m" }, spec });

  beforeEach(() => installHeadroom(server));

  it("are served with the rules of crds/", async () => {
    const refused = await send("POST", MOVES, move({ podName: "Not_A_Name", timeout: "5" }));
    expect(refused.status).toBe(422);
    expect(refused.body.message).toContain("spec.podName");
    expect(refused.body.message).toContain("must be a lower-case RFC 1123 name");
    expect((await send("POST", MOVES, move({ podName: "w" }))).body.spec).toMatchObject({
      timeout: "10m",
      tcp: "Refuse",
    });
  });

  it("warn of a field that they don't know", async () => {
    expect((await send("POST", MOVES, move({ podName: "w", node: "n" }))).warning).toContain(
      'unknown field \\"spec.node\\"',
    );
  });

  it("go with their definition, and are not there when it comes back", async () => {
    await send("POST", MOVES, move({ podName: "w" }));
    await send("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/podmigrations.headroom.dev");
    await until(() => server.types.find("headroom.dev", "v1alpha1", "podmigrations") === undefined, "the kind is gone");
    expect((await send("GET", MOVES)).status).toBe(404);
    installHeadroom(server);
    expect((await send("GET", MOVES)).body.items).toEqual([]);
  });
});

describe("for kubectl", () => {
  it("says in OpenAPI that fields are validated by the server", async () => {
    installHeadroom(server);
    const { body } = await send("GET", "/openapi/v3/apis/headroom.dev/v1alpha1");
    const path = "/apis/headroom.dev/v1alpha1/namespaces/{namespace}/podmigrations/{name}";
    expect(body).toMatchObject({ paths: { [path]: { patch: { parameters: [{}, { name: "fieldValidation" }, {}] } } } });
  });

  it("shows an event through both of its APIs", async () => {
    const regarding = { kind: "Pod", namespace: "default", name: "w" };
    const event = { metadata: { name: "e" }, regarding, note: "moved", reason: "Moved", type: "Normal" };
    await send("POST", "/apis/events.k8s.io/v1/namespaces/default/events", event);
    const { body } = await send("GET", "/api/v1/namespaces/default/events/e");
    expect(body).toMatchObject({ apiVersion: "v1", message: "moved", involvedObject: { name: "w" } });
    const table = await send(
      "GET",
      "/api/v1/namespaces/default/events",
      undefined,
      "application/json;as=Table;v=v1;g=meta.k8s.io",
    );
    expect(table.body.rows).toMatchObject([{ cells: [expect.any(String), "Normal", "Moved", "pod/w", "moved"] }]);
  });
});
