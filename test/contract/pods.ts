/** The contract about pods: defaults, gates, what may change, binding, eviction and graceful deletion. */
import { expect } from "vitest";
import { type JsonObject, stringAt, valueAt } from "../../src/sandbox/api-server/json.ts";
import type { Answer } from "./api.ts";
import type { Contract, Scene } from "./api-contract.test.ts";

const refusal = (answer: Answer): unknown[] => [answer.status, answer.body.reason];

/** A gated pod stays where it is put: no scheduler takes it. */
const pod = (name: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: "contract" } },
  spec: {
    schedulingGates: [{ name: "headroom.dev/test" }],
    containers: [{ name: "main", image: "registry.invalid/none" }],
    ...spec,
  },
});

async function created(
  { api, pods, namespace, name }: Scene,
  spec?: JsonObject,
): Promise<{ path: string; body: JsonObject }> {
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
  await expect.poll(async () => (await api.get(account)).status, { timeout: 45_000 }).toBe(200);
  const { status, body } = await api.post(pods, pod(name(), spec));
  expect([status, body.message]).toEqual([201, undefined]);
  return { path: `${pods}/${stringAt(body, "metadata", "name")}`, body };
}

export const podContract: Contract = {
  "a new pod is Pending, with what admission adds": async (scene) => {
    const { body } = await created(scene);
    expect(body).toMatchObject({
      status: { phase: "Pending", qosClass: "BestEffort" },
      spec: {
        restartPolicy: "Always",
        serviceAccountName: "default",
        terminationGracePeriodSeconds: 30,
        containers: [{ name: "main", volumeMounts: [{ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }] }],
      },
    });
    const tolerations = valueAt(body, "spec", "tolerations");
    expect(tolerations).toContainEqual({
      key: "node.kubernetes.io/not-ready",
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: 300,
    });
  },
  "a RuntimeClass that is not there is refused": async ({ api, pods, name }) => {
    const answer = await api.post(pods, pod(name(), { runtimeClassName: "absent" }));
    expect(refusal(answer)).toEqual([403, "Forbidden"]);
    expect(answer.body.message).toContain('RuntimeClass "absent" not found');
  },
  "the spec of a pod may not change, but for images and tolerations": async (scene) => {
    const { path } = await created(scene, { schedulingGates: [] });
    const answer = await scene.api.patch(path, { spec: { restartPolicy: "Never" } });
    expect(refusal(answer)).toEqual([422, "Invalid"]);
    expect(answer.body.message).toContain("pod updates may not change fields other than");
    const toleration = { key: "more", operator: "Exists" };
    const tolerations = valueAt((await scene.api.get(path)).body, "spec", "tolerations");
    const more = [...(Array.isArray(tolerations) ? tolerations : []), toleration];
    expect((await scene.api.patch(path, { spec: { tolerations: more } })).status).toBe(200);
  },
  "gates can be removed and never added": async (scene) => {
    const { path } = await created(scene);
    const two = [{ name: "headroom.dev/test" }, { name: "headroom.dev/more" }];
    expect(refusal(await scene.api.patch(path, { spec: { schedulingGates: two } }))).toEqual([422, "Invalid"]);
    const { status, body } = await scene.api.patch(path, { spec: { schedulingGates: null } });
    expect([status, valueAt(body, "spec", "schedulingGates")]).toEqual([200, undefined]);
  },
  "the placement of a gated pod may still change": async (scene) => {
    const { path } = await created(scene);
    expect((await scene.api.patch(path, { spec: { nodeSelector: { disk: "ssd" } } })).status).toBe(200);
  },
  "a gated pod cannot be bound": async (scene) => {
    const { path } = await created(scene);
    const binding = { apiVersion: "v1", kind: "Binding", metadata: {}, target: { kind: "Node", name: "anywhere" } };
    const answer = await scene.api.post(`${path}/binding`, {
      ...binding,
      metadata: { name: path.split("/").at(-1) ?? "" },
    });
    expect(refusal(answer)).toEqual([409, "Conflict"]);
  },
  "labels and owners are handed over by a merge patch": async (scene) => {
    const { path } = await created(scene);
    const owner = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "gone",
      uid: "11111111-2222-3333-4444-555555555555",
    };
    const metadata = { labels: { app: null, tier: "batch" }, ownerReferences: [{ ...owner, controller: true }] };
    const { status, body } = await scene.api.patch(path, { metadata });
    expect(status).toBe(200);
    expect(valueAt(body, "metadata", "labels")).toEqual({ tier: "batch" });
    expect(valueAt(body, "metadata", "ownerReferences")).toMatchObject([{ name: "gone" }]);
  },
  "a namespace may own a pod of its own as its controller, and the pod stays": async (scene) => {
    const { path } = await created(scene);
    const { body: namespace } = await scene.api.get(`/api/v1/namespaces/${scene.namespace}`);
    const uid = stringAt(namespace, "metadata", "uid") ?? "";
    const owner = { apiVersion: "v1", kind: "Namespace", name: scene.namespace, uid, controller: true };
    const ownerReferences = [{ ...owner, blockOwnerDeletion: false }];
    const { status, body } = await scene.api.patch(path, { metadata: { ownerReferences } });
    expect([status, valueAt(body, "metadata", "ownerReferences")]).toEqual([200, ownerReferences]);
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // the garbage collector would have taken it by now
    expect((await scene.api.get(path)).status).toBe(200);
  },
  "a pod without a node goes at once": async (scene) => {
    const { path } = await created(scene);
    expect((await scene.api.delete(path)).status).toBe(200);
    expect((await scene.api.get(path)).status).toBe(404);
  },
  "an eviction deletes the pod": async (scene) => {
    const { path, body } = await created(scene);
    const { name, namespace } = Object(body.metadata);
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    expect((await scene.api.post(`${path}/eviction`, eviction)).status).toBe(201);
    await expect.poll(async () => (await scene.api.get(path)).status, { timeout: 45_000 }).toBe(404);
  },
  "a pod's status is written through its subresource only": async (scene) => {
    const { path } = await created(scene);
    const plain = await scene.api.patch(path, { status: { message: "by the wrong way" } });
    expect(valueAt(plain.body, "status", "message")).toBeUndefined();
    const status = await scene.api.patch(`${path}/status`, { status: { message: "by the right way" } });
    expect(valueAt(status.body, "status", "message")).toBe("by the right way");
  },
  "a strategic merge patch adds a condition to a pod's status, beside the others, and only for the pod of its uid":
    async (scene) => {
      const { path, body } = await created(scene);
      const patch = (uid: unknown, type: string): JsonObject => ({
        metadata: { uid: String(uid) },
        status: { conditions: [{ type, status: "True" }] },
      });
      const uid = valueAt(body, "metadata", "uid");
      await scene.api.patch(`${path}/status`, patch(uid, "example.test/first"), "strategic-merge");
      const { body: after } = await scene.api.patch(
        `${path}/status`,
        patch(uid, "example.test/open"),
        "strategic-merge",
      );
      expect(valueAt(after, "status", "conditions")).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ type: "example.test/first" }),
          expect.objectContaining({ type: "example.test/open", status: "True" }),
        ]),
      );
      const other = patch("11111111-2222-3333-4444-555555555555", "example.test/other");
      // A real API server says that the UID is immutable (422), the sandbox that it does not match (409).
      expect([409, 422]).toContain(refusal(await scene.api.patch(`${path}/status`, other, "strategic-merge"))[0]);
    },
  "a strategic merge patch merges containers by name": async (scene) => {
    const { path } = await created(scene);
    const patch = { spec: { containers: [{ name: "main", image: "registry.invalid/other" }] } };
    const { status, body } = await scene.api.patch(path, patch, "strategic-merge");
    expect([status, valueAt(body, "spec", "containers")]).toMatchObject([
      200,
      [{ name: "main", image: "registry.invalid/other", imagePullPolicy: "Always" }],
    ]);
  },
  "pods can be selected by node": async (scene) => {
    const answer = await scene.api.get(`${scene.pods}?fieldSelector=spec.nodeName%3Dnowhere`);
    expect([answer.status, answer.body.kind]).toEqual([200, "PodList"]);
  },
};
