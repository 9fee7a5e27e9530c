/** What the control plane does about nodes whose kubelet it no longer hears: not ready, tainted, and in the end their pods deleted. */
import type { Clock } from "../../kube/clock.ts";
import { disrupt } from "../api-server/disruption.ts";
import { type ApiObject, arrayAt, type Json, numberAt, objectAt, stringAt } from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType } from "../api-server/resource-types.ts";

/** As kube-controller-manager has it. Milliseconds. */
const GRACE_MS = 40_000;
const TOLERATION_SECONDS = 300;
const UNREACHABLE = "node.kubernetes.io/unreachable";

export interface NodeLifecycleParts {
  registry: Registry;
  nodes: ResourceType;
  pods: ResourceType;
  clock: Clock;
  /** The node's kubelet reports. */
  isOnline: (node: string) => boolean;
}

export class NodeLifecycle {
  readonly #parts: NodeLifecycleParts;
  readonly #heardMs = new Map<string, number>();
  /** Since when a node is unreachable. */
  readonly #lostMs = new Map<string, number>();

  constructor(parts: NodeLifecycleParts) {
    this.#parts = parts;
  }

  look(): void {
    const { registry, isOnline, clock } = this.#parts;
    const nowMs = clock.now();
    for (const { metadata } of registry.store.list("nodes")) {
      const { name } = metadata;
      if (isOnline(name)) this.#heardMs.set(name, nowMs);
      const silentMs = nowMs - (this.#heardMs.get(name) ?? nowMs);
      if (silentMs === 0 && this.#lostMs.delete(name)) this.#mark(name, true);
      if (silentMs <= GRACE_MS) continue;
      if (!this.#lostMs.has(name)) this.#lose(name, nowMs);
      this.#driveOff(name, nowMs - (this.#lostMs.get(name) ?? nowMs));
    }
  }

  #lose(name: string, nowMs: number): void {
    this.#lostMs.set(name, nowMs);
    this.#mark(name, false);
    for (const pod of this.#podsOn(name)) this.#notReady(pod);
  }

  #mark(name: string, isReady: boolean): void {
    const { registry, nodes } = this.#parts;
    const address = { type: nodes, namespace: undefined, name };
    registry.patch(address, (node) => ({
      ...node,
      spec: { ...objectAt(node, "spec"), taints: taints(node, isReady) },
    }));
    const ready = { type: "Ready", status: isReady ? "True" : "Unknown", lastTransitionTime: registry.time() };
    const change = (node: ApiObject) => ({ ...node, status: { ...objectAt(node, "status"), conditions: [ready] } });
    registry.patch(address, change, { subresource: "status" });
  }

  #notReady({ metadata: { namespace, name } }: ApiObject): void {
    const { registry, pods } = this.#parts;
    const change = (pod: ApiObject): ApiObject => {
      const conditions = arrayAt(pod, "status", "conditions").map((condition) =>
        stringAt(condition, "type") === "Ready" ? { ...objectAt(condition), status: "False" } : condition,
      );
      return { ...pod, status: { ...objectAt(pod, "status"), conditions } };
    };
    registry.patch({ type: pods, namespace, name }, change, { subresource: "status" });
  }

  #driveOff(node: string, lostMs: number): void {
    const { registry, pods } = this.#parts;
    for (const pod of this.#podsOn(node)) {
      const { namespace, name, uid, deletionTimestamp } = pod.metadata;
      if (!deletionTimestamp && lostMs > 1000 * tolerationSeconds(pod))
        disrupt(registry, { type: pods, namespace, name }, "DeletionByTaintManager", { uid });
    }
  }

  #podsOn(node: string): ApiObject[] {
    return this.#parts.registry.store.list("pods").filter((pod) => stringAt(pod, "spec", "nodeName") === node);
  }
}

function taints(node: ApiObject, isReady: boolean): Json[] {
  const others = arrayAt(node, "spec", "taints").filter((taint) => stringAt(taint, "key") !== UNREACHABLE);
  const effects = isReady ? [] : ["NoSchedule", "NoExecute"];
  return [...others, ...effects.map((effect) => ({ key: UNREACHABLE, effect }))];
}

/** How long the pod stays on an unreachable node; one without a limit stays for ever. */
function tolerationSeconds(pod: ApiObject): number {
  const own = arrayAt(pod, "spec", "tolerations").find((toleration) => {
    const key = stringAt(toleration, "key");
    const effect = stringAt(toleration, "effect");
    return (key === UNREACHABLE || !key) && (effect === "NoExecute" || !effect);
  });
  if (own === undefined) return TOLERATION_SECONDS;
  return numberAt(own, "tolerationSeconds") ?? Number.POSITIVE_INFINITY;
}
