/** The contract about custom resources: schema, defaults, pruning, rules, status, generations and tables. */
import { expect } from "vitest";
import { type JsonObject, stringAt, valueAt } from "../../src/sandbox/api-server/json.ts";
import type { Answer } from "./api.ts";
import type { Contract, Scene } from "./api-contract.test.ts";
import { WIDGET_GROUP } from "./widgets.ts";

const refusal = (answer: Answer): unknown[] => [answer.status, answer.body.reason];
const spec = (more: JsonObject = {}): JsonObject => ({ size: 3, serial: "s1", ...more });
const widget = (name: string, more?: JsonObject): JsonObject => ({
  apiVersion: `${WIDGET_GROUP}/v1`,
  kind: "Widget",
  metadata: { name },
  spec: spec(more),
});

async function created({ api, widgets, name }: Scene, more?: JsonObject): Promise<{ path: string; body: JsonObject }> {
  const { status, body } = await api.post(widgets, widget(name(), more));
  expect(status).toBe(201);
  return { path: `${widgets}/${stringAt(body, "metadata", "name")}`, body };
}

/** What the API server says against a spec. */
async function complaint({ api, widgets, name }: Scene, more: JsonObject): Promise<string> {
  const answer = await api.post(widgets, widget(name(), more));
  expect(refusal(answer)).toEqual([422, "Invalid"]);
  return String(answer.body.message);
}

export const customResourceContract: Contract = {
  "defaults are filled in, also in objects that are there": async (scene) => {
    const { body } = await created(scene, { options: {} });
    expect(body.spec).toEqual({ size: 3, serial: "s1", colour: "Red", options: { deep: true } });
  },
  "unknown fields are pruned": async (scene) => {
    const { body } = await created(scene, { unknown: 1, options: { what: 2 } });
    expect(body.spec).toEqual({ size: 3, serial: "s1", colour: "Red", options: { deep: true } });
  },
  "unknown fields are refused when validation is strict": async ({ api, widgets, name }) => {
    const answer = await api.post(`${widgets}?fieldValidation=Strict`, widget(name(), { unknown: 1 }));
    expect(refusal(answer)).toEqual([400, "BadRequest"]);
    expect(answer.body.message).toContain('strict decoding error: unknown field "spec.unknown"');
  },
  "a missing field is named": async ({ api, widgets, name }) => {
    const answer = await api.post(widgets, { ...widget(name()), spec: { serial: "a" } });
    expect(answer.status).toBe(422);
    expect(answer.body.message).toContain("spec.size: Required value");
  },
  "a wrong type is named": async (scene) => {
    const message = await complaint(scene, { size: "big" });
    expect(message).toContain("spec.size: Invalid value");
    expect(message).toContain('spec.size in body must be of type integer: "string"');
  },
  "a value out of bounds is named": async (scene) => {
    expect(await complaint(scene, { size: 10 })).toContain("spec.size in body should be less than or equal to 9");
    expect(await complaint(scene, { size: 0 })).toContain("spec.size in body should be greater than or equal to 1");
  },
  "a value that is not in the enumeration is named with those that are": async (scene) => {
    const message = await complaint(scene, { colour: "Blue" });
    expect(message).toContain('spec.colour: Unsupported value: "Blue": supported values: "Red", "Green"');
  },
  "a list that is too long is named": async (scene) => {
    expect(await complaint(scene, { tags: ["a", "b", "c"] })).toContain("spec.tags: Too many: ");
  },
  "int-or-string takes both and nothing else": async (scene) => {
    await created(scene, { port: 80 });
    await created(scene, { port: "http" });
    expect(await complaint(scene, { port: true })).toContain("spec.port");
  },
  "a rule over two fields is asked, with its message": async (scene) => {
    expect(await complaint(scene, { low: 3, high: 2 })).toContain("low must be less than high");
    await created(scene, { low: 1, high: 2 });
  },
  "a rule on a field names the field": async (scene) => {
    const message = await complaint(scene, { wait: "5s" });
    expect(message).toContain("spec.wait: Invalid value");
    expect(message).toContain("must be at least 10s");
  },
  "a transition rule forbids the change and names its field path": async (scene) => {
    const { path } = await created(scene);
    const answer = await scene.api.patch(path, { spec: { serial: "s2" } });
    expect(refusal(answer)).toEqual([422, "Invalid"]);
    expect(answer.body.message).toContain("spec.serial: Invalid value");
    expect(answer.body.message).toContain("serial cannot be changed");
    expect((await scene.api.patch(path, { spec: { size: 4 } })).status).toBe(200);
  },
  "the status is dropped on creation and left alone by other writes": async (scene) => {
    const { api, widgets, name } = scene;
    const { body } = await api.post(widgets, { ...widget(name()), status: { phase: "Set" } });
    expect(body.status).toBeUndefined();
    const path = `${widgets}/${stringAt(body, "metadata", "name")}`;
    const patched = await api.patch(path, { spec: { size: 5 }, status: { phase: "Set" } });
    expect(patched.body.status).toBeUndefined();
  },
  "a write of the status changes the status alone": async (scene) => {
    const { path, body } = await created(scene);
    const answer = await scene.api.patch(`${path}/status`, { spec: { size: 9 }, status: { phase: "Set" } });
    expect(answer.body).toMatchObject({ spec: { size: 3 }, status: { phase: "Set" } });
    expect(valueAt(answer.body, "metadata", "generation")).toBe(1);
    const stale = { ...body, status: { phase: "Old" } };
    expect(refusal(await scene.api.put(`${path}/status`, stale))).toEqual([409, "Conflict"]);
  },
  "an update must carry a resourceVersion": async (scene) => {
    const { path, body } = await created(scene);
    const { resourceVersion: _gone, ...metadata } = Object(body.metadata);
    expect((await scene.api.put(path, { ...body, metadata })).status).toBe(422);
  },
  "the generation counts changes of the spec, not of labels": async (scene) => {
    const { path } = await created(scene);
    await scene.api.patch(path, { metadata: { labels: { a: "b" } } });
    const { body } = await scene.api.patch(path, { spec: { size: 4 } });
    expect(valueAt(body, "metadata", "generation")).toBe(2);
  },
  "a deleted object that a finalizer keeps has its deletion counted as a generation": async (scene) => {
    const { path } = await created(scene);
    await scene.api.patch(path, { metadata: { finalizers: ["headroom.dev/test"] } });
    await scene.api.delete(path);
    const { body } = await scene.api.get(path);
    expect(valueAt(body, "metadata", "generation")).toBe(2);
    await scene.api.patch(path, { metadata: { finalizers: [] } });
    expect((await scene.api.get(path)).status).toBe(404);
  },
  "a strategic merge patch is not supported": async (scene) => {
    const { path } = await created(scene);
    expect((await scene.api.patch(path, { spec: { size: 4 } }, "strategic-merge")).status).toBe(415);
  },
  "items of a list carry kind and apiVersion": async (scene) => {
    await created(scene);
    const { body } = await scene.api.get(scene.widgets);
    expect(body.kind).toBe("WidgetList");
    expect(valueAt(body, "items")).toSatisfy(
      (items) => Array.isArray(items) && items.every((i) => i.kind === "Widget"),
    );
  },
  "a table shows the printer columns": async (scene) => {
    const { path } = await created(scene);
    const status = { phase: "On", conditions: [{ type: "Ready", status: "True" }] };
    await scene.api.patch(`${path}/status`, { status });
    const { body } = await scene.api.get(path, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    const columns = valueAt(body, "columnDefinitions");
    expect(Array.isArray(columns) ? columns.map((column) => stringAt(column, "name")) : []).toEqual([
      "Name",
      "Size",
      "Phase",
      "Ready",
      "Age",
    ]);
    const name = path.split("/").at(-1);
    expect(valueAt(body, "rows")).toMatchObject([{ cells: [name, 3, "On", "True", expect.stringMatching(/^\d+s$/)] }]);
  },
  "discovery lists the resource with its status": async ({ api }) => {
    const { body } = await api.get(`/apis/${WIDGET_GROUP}/v1`);
    expect(valueAt(body, "resources")).toMatchObject([
      { name: "widgets", kind: "Widget", namespaced: true, shortNames: ["wg"] },
      { name: "widgets/status" },
    ]);
  },
};
