/**
 * What Headroom relies on in the Kubernetes API, as a table. Runs against the sandbox, and unchanged against a real API
 * server: HEADROOM_CONTRACT_KUBECONFIG=… npx vitest run test/contract
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Json, type JsonObject, objectAt, stringAt, valueAt } from "../../src/sandbox/api-server/json.ts";
import { type Answer, Api } from "./api.ts";
import { customResourceContract } from "./custom-resources.ts";
import { podContract } from "./pods.ts";
import { watchContract } from "./watches.ts";
import { WIDGET_GROUP, WIDGETS } from "./widgets.ts";

/** Where a case works. */
export interface Scene {
  api: Api;
  namespace: string;
  /** Collection paths within the namespace. */
  widgets: string;
  pods: string;
  configMaps: string;
  /** A name that no other case uses. */
  name: () => string;
}

export type Contract = Record<string, (scene: Scene) => Promise<void>>;

const objectContract: Contract = {
  "an object gets uid, resourceVersion and creationTimestamp": async ({ api, configMaps, name }) => {
    const { status, body } = await api.post(configMaps, { metadata: { name: name() }, data: { a: "1" } });
    expect(status).toBe(201);
    expect(body).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { a: "1" } });
    expect(stringAt(body, "metadata", "uid")).toMatch(/^[0-9a-f-]{36}$/);
    expect(stringAt(body, "metadata", "creationTimestamp")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  },
  "a second object of the same name is refused with AlreadyExists": async ({ api, configMaps, name }) => {
    const object = { metadata: { name: name() } };
    await api.post(configMaps, object);
    expect(refusal(await api.post(configMaps, object))).toEqual([409, "AlreadyExists"]);
  },
  "an unknown object is NotFound, with the resource in the message": async ({ api, configMaps }) => {
    const answer = await api.get(`${configMaps}/none`);
    expect(refusal(answer)).toEqual([404, "NotFound"]);
    expect(answer.body.message).toBe('configmaps "none" not found');
  },
  "generateName is completed by five characters": async ({ api, configMaps }) => {
    const { body } = await api.post(configMaps, { metadata: { generateName: "made-" } });
    expect(stringAt(body, "metadata", "name")).toMatch(/^made-[a-z0-9]{5}$/);
  },
  "a name that is none is refused with its field": async ({ api, configMaps }) => {
    const answer = await api.post(configMaps, { metadata: { name: "No_Name" } });
    expect(refusal(answer)).toEqual([422, "Invalid"]);
    expect(answer.body.message).toContain("metadata.name: Invalid value");
  },
  "a dry run answers as if and stores nothing": async ({ api, configMaps, name }) => {
    const object = name();
    const answer = await api.post(`${configMaps}?dryRun=All`, { metadata: { name: object } });
    expect(answer.status).toBe(201);
    expect(stringAt(answer.body, "metadata", "uid")).toBeTruthy();
    expect((await api.get(`${configMaps}/${object}`)).status).toBe(404);
  },
  "an object in a namespace that is not there is refused": async ({ api }) => {
    const answer = await api.post("/api/v1/namespaces/absent/configmaps", { metadata: { name: "a" } });
    expect(refusal(answer)).toEqual([404, "NotFound"]);
    expect(answer.body.message).toBe('namespaces "absent" not found');
  },
  "an update of a stale version is a Conflict": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() }, data: { a: "1" } });
    const path = `${configMaps}/${stringAt(body, "metadata", "name")}`;
    expect((await api.put(path, { ...body, data: { a: "2" } })).status).toBe(200);
    const stale = await api.put(path, { ...body, data: { a: "3" } });
    expect(refusal(stale)).toEqual([409, "Conflict"]);
    expect(stale.body.message).toContain("the object has been modified");
  },
  "a merge patch with a stale resourceVersion is a Conflict": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() } });
    const path = `${configMaps}/${stringAt(body, "metadata", "name")}`;
    const resourceVersion = stringAt(body, "metadata", "resourceVersion") ?? "";
    expect((await api.patch(path, { metadata: { resourceVersion }, data: { a: "1" } })).status).toBe(200);
    expect(refusal(await api.patch(path, { metadata: { resourceVersion }, data: { a: "2" } }))).toEqual([
      409,
      "Conflict",
    ]);
  },
  "a write that changes nothing leaves the resourceVersion as it is": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() }, data: { a: "1" } });
    const again = await api.patch(`${configMaps}/${stringAt(body, "metadata", "name")}`, { data: { a: "1" } });
    expect(valueAt(again.body, "metadata", "resourceVersion")).toBe(valueAt(body, "metadata", "resourceVersion"));
  },
  "a merge patch removes what is null": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() }, data: { a: "1", b: "2" } });
    const patched = await api.patch(`${configMaps}/${stringAt(body, "metadata", "name")}`, { data: { a: null } });
    expect(patched.body.data).toEqual({ b: "2" });
  },
  "a JSON patch whose test fails changes nothing": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() }, data: { a: "1" } });
    const path = `${configMaps}/${stringAt(body, "metadata", "name")}`;
    const patch = (wanted: string): JsonObject[] => [
      { op: "test", path: "/data/a", value: wanted },
      { op: "replace", path: "/data/a", value: "2" },
    ];
    expect((await api.patch(path, patch("9"), "json")).status).toBe(422);
    expect((await api.patch(path, patch("1"), "json")).body.data).toEqual({ a: "2" });
  },
  "deletion with another UID is a Conflict": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() } });
    const path = `${configMaps}/${stringAt(body, "metadata", "name")}`;
    expect(refusal(await api.delete(path, { preconditions: { uid: "0-0" } }))).toEqual([409, "Conflict"]);
    const uid = stringAt(body, "metadata", "uid") ?? "";
    const deleted = await api.delete(path, { preconditions: { uid } });
    expect([deleted.status, deleted.body.status]).toEqual([200, "Success"]);
    expect((await api.get(path)).status).toBe(404);
  },
  "finalizers keep a deleted object, and no new one may be added": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name(), finalizers: ["headroom.dev/test"] } });
    const path = `${configMaps}/${stringAt(body, "metadata", "name")}`;
    const deleted = await api.delete(path);
    expect(deleted.status).toBe(200);
    expect(stringAt(deleted.body, "metadata", "deletionTimestamp")).toBeTruthy();
    const added = await api.patch(path, { metadata: { finalizers: ["headroom.dev/test", "headroom.dev/more"] } });
    expect(refusal(added)).toEqual([422, "Invalid"]);
    expect((await api.patch(path, { metadata: { finalizers: null } })).status).toBe(200);
    expect((await api.get(path)).status).toBe(404);
  },
  "a list can be selected by labels and by fields": async ({ api, configMaps, name }) => {
    const [one, two] = [name(), name()];
    await api.post(configMaps, { metadata: { name: one, labels: { selected: "yes", tier: one } } });
    await api.post(configMaps, { metadata: { name: two, labels: { selected: "yes" } } });
    const named = async (query: string) => names(await api.get(`${configMaps}?${query}`));
    expect(await named("labelSelector=selected%3Dyes")).toEqual([one, two].sort());
    expect(await named(`labelSelector=tier+in+(${one},x),selected`)).toEqual([one]);
    expect(await named("labelSelector=selected%3Dyes,!tier")).toEqual([two]);
    expect(await named(`fieldSelector=metadata.name%3D${two}`)).toEqual([two]);
    expect((await api.get(`${configMaps}?fieldSelector=data.a%3Db`)).status).toBe(400);
  },
  "a list comes in pages that belong to one moment": async ({ api, configMaps, name }) => {
    const made = [name(), name(), name()].sort();
    for (const each of made) await api.post(configMaps, { metadata: { name: each, labels: { paged: "yes" } } });
    const query = `${configMaps}?labelSelector=paged%3Dyes&limit=2`;
    const first = await api.get(query);
    await api.delete(`${configMaps}/${made[2]}`);
    const second = await api.get(`${query}&continue=${stringAt(first.body, "metadata", "continue")}`);
    expect([...names(first), ...names(second)]).toEqual(made);
    expect(valueAt(second.body, "metadata", "resourceVersion")).toBe(
      valueAt(first.body, "metadata", "resourceVersion"),
    );
    expect(valueAt(second.body, "metadata", "continue")).toBeFalsy();
  },
  "items of a built-in list go without kind and apiVersion": async ({ api, configMaps, name }) => {
    await api.post(configMaps, { metadata: { name: name() } });
    const { body } = await api.get(configMaps);
    expect(body.kind).toBe("ConfigMapList");
    expect(valueAt(body, "items")).toSatisfy(
      (items) => Array.isArray(items) && items.every((item) => !("kind" in item)),
    );
  },
  "dependents go when their owner does": async ({ api, configMaps, name }) => {
    const owner = await api.post(configMaps, { metadata: { name: name() } });
    const { name: ownerName, uid } = objectAt(owner.body, "metadata");
    const reference = { apiVersion: "v1", kind: "ConfigMap", name: ownerName, uid } as JsonObject;
    const dependent = name();
    await api.post(configMaps, { metadata: { name: dependent, ownerReferences: [reference] } });
    await api.delete(`${configMaps}/${ownerName}`, { propagationPolicy: "Background" });
    await expect.poll(async () => (await api.get(`${configMaps}/${dependent}`)).status, { timeout: 45_000 }).toBe(404);
  },
  "a resource that is not there is NotFound, without a name": async ({ api }) => {
    const answer = await api.get("/apis/headroom.example/v1/nothings");
    expect(answer.status).toBe(404);
  },
  "a Lease is taken over by an update of the version that was read": async ({ api, namespace, name }) => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const { body } = await api.post(leases, {
      metadata: { name: name() },
      spec: { holderIdentity: "a", leaseTransitions: 0 },
    });
    const path = `${leases}/${stringAt(body, "metadata", "name")}`;
    const taken = { ...body, spec: { holderIdentity: "b", leaseTransitions: 1 } };
    expect((await api.put(path, taken)).status).toBe(200);
    expect(refusal(await api.put(path, { ...taken, spec: { holderIdentity: "c" } }))).toEqual([409, "Conflict"]);
  },
  "a table of a built-in kind has a name column and its objects' metadata": async ({ api, configMaps, name }) => {
    await api.post(configMaps, { metadata: { name: name() } });
    const { body } = await api.get(configMaps, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    expect(body.kind).toBe("Table");
    expect(firstOf(valueAt(body, "columnDefinitions"))).toMatchObject({ name: "Name", format: "name" });
    expect(firstOf(valueAt(body, "rows"))).toMatchObject({ object: { kind: "PartialObjectMetadata" } });
  },
  "a service account's token is reviewed for its audience alone": async ({ api, namespace }) => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
    await expect.poll(async () => (await api.get(path.replace("/token", ""))).status, { timeout: 45_000 }).toBe(200);
    const issued = await api.post(path, { spec: { audiences: ["headroom"], expirationSeconds: 600 } });
    const token = stringAt(issued.body, "status", "token") ?? "";
    const review = (spec: JsonObject) => api.post("/apis/authentication.k8s.io/v1/tokenreviews", { spec });
    const good = await review({ token, audiences: ["headroom"] });
    expect(good.status).toBe(201);
    expect(good.body.status).toMatchObject({
      authenticated: true,
      audiences: ["headroom"],
      user: { username: `system:serviceaccount:${namespace}:default` },
    });
    expect(valueAt((await review({ token, audiences: ["else"] })).body, "status", "authenticated")).toBeFalsy();
  },
};

const firstOf = (value: Json | undefined): Json | undefined => (Array.isArray(value) ? value[0] : undefined);

/** Code and reason of a refused call. */
export const refusal = (answer: Answer): unknown[] => [answer.status, answer.body.reason];

export const names = (answer: Answer): (string | undefined)[] => {
  const items = valueAt(answer.body, "items");
  return (Array.isArray(items) ? items : []).map((item) => stringAt(item, "metadata", "name"));
};

let scene: Scene;
let count = 0;

beforeAll(async () => {
  const api = await Api.open();
  const namespace = `contract-${randomBytes(4).toString("hex")}`;
  const within = (root: string, plural: string) => `${root}/namespaces/${namespace}/${plural}`;
  scene = {
    api,
    namespace,
    widgets: within(`/apis/${WIDGET_GROUP}/v1`, "widgets"),
    pods: within("/api/v1", "pods"),
    configMaps: within("/api/v1", "configmaps"),
    name: () => `case-${++count}`,
  };
  expect((await api.post("/api/v1/namespaces", { metadata: { name: namespace } })).status).toBe(201);
  expect([201, 409]).toContain(
    (await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGETS)).status,
  );
  await vi.waitFor(async () => expect((await api.get(scene.widgets)).status).toBe(200), { timeout: 45_000 });
}, 60_000);

afterAll(async () => {
  await scene.api.delete(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.${WIDGET_GROUP}`);
  await scene.api.delete(`/api/v1/namespaces/${scene.namespace}`);
  await scene.api.close();
}, 90_000);

const contracts = {
  objects: objectContract,
  "custom resources": customResourceContract,
  pods: podContract,
  watches: watchContract,
};
for (const [about, contract] of Object.entries(contracts)) {
  describe(about, () => {
    for (const [sentence, run] of Object.entries(contract)) it(sentence, () => run(scene), 90_000);
  });
}
