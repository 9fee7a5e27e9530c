/** A simple scheduler: fits by requests, taints, node selector and required affinity; the least requested node wins. */
import type { Clock } from "../../kube/clock.ts";
import { quantityValue } from "../api-server/cel-rules.ts";
import { ApiError } from "../api-server/errors.ts";
import { type ApiObject, arrayAt, type Json, objectAt, stringAt, valueAt } from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType } from "../api-server/resource-types.ts";
import { matchesExpression } from "../api-server/selectors.ts";
import { bind } from "../api-server/subresources.ts";
import { memoryRequest } from "./node.ts";

/** Why a pod can't go to a node; undefined when it can. `present` are the pods that are bound to it. Pure. */
export function unfit(pod: ApiObject, node: ApiObject, present: ApiObject[]): string | undefined {
  if (valueAt(node, "spec", "unschedulable") === true) return "node(s) were unschedulable";
  if (!tolerated(pod, node)) return "node(s) had untolerated taint(s)";
  if (!selected(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  const active = present.filter((other) => !["Succeeded", "Failed"].includes(stringAt(other, "status", "phase") ?? ""));
  const requested = active.reduce((sum, other) => sum + memoryRequest(other), 0);
  if (requested + memoryRequest(pod) > allocatable(node, "memory")) return "Insufficient memory";
  return active.length >= allocatable(node, "pods") ? "Too many pods" : undefined;
}

const allocatable = (node: ApiObject, resource: string): number =>
  quantityValue(String(valueAt(node, "status", "allocatable", resource) ?? "0")) ?? 0;

function tolerated(pod: ApiObject, node: ApiObject): boolean {
  const tolerations = arrayAt(pod, "spec", "tolerations");
  const hard = arrayAt(node, "spec", "taints").filter((taint) => stringAt(taint, "effect") !== "PreferNoSchedule");
  return hard.every((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
}

function tolerates(toleration: Json, taint: Json): boolean {
  const key = stringAt(toleration, "key");
  const effect = stringAt(toleration, "effect");
  if (effect && effect !== stringAt(taint, "effect")) return false;
  if (key && key !== stringAt(taint, "key")) return false;
  if (stringAt(toleration, "operator") === "Exists") return true;
  return key !== undefined && (stringAt(toleration, "value") ?? "") === (stringAt(taint, "value") ?? "");
}

function selected(pod: ApiObject, node: ApiObject): boolean {
  const labels = node.metadata.labels ?? {};
  const wanted = Object.entries(objectAt(pod, "spec", "nodeSelector"));
  if (!wanted.every(([key, value]) => labels[key] === value)) return false;
  const required = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
  const terms = arrayAt(pod, "spec", ...required);
  if (terms.length === 0) return true;
  return terms.some(
    (term) =>
      arrayAt(term, "matchExpressions").every((expression) => matchesExpression(expression, labels)) &&
      arrayAt(term, "matchFields").every((field) => matchesExpression(field, { "metadata.name": node.metadata.name })),
  );
}

export class Scheduler {
  readonly #registry: Registry;
  readonly #pods: ResourceType;
  readonly #clock: Clock;
  #pending = false;

  constructor(registry: Registry, pods: ResourceType, clock: Clock) {
    this.#registry = registry;
    this.#pods = pods;
    this.#clock = clock;
  }

  start(): () => void {
    return this.#registry.store.subscribe(({ store }) => {
      if (store === "pods" || store === "nodes") this.#soon();
    });
  }

  #soon(): void {
    if (this.#pending) return;
    this.#pending = true;
    this.#clock.after(10, () => {
      this.#pending = false;
      for (const pod of this.#registry.store.list("pods")) if (waits(pod)) this.#schedule(pod);
    });
  }

  #schedule(pod: ApiObject): void {
    const nodes = this.#registry.store.list("nodes");
    const all = this.#registry.store.list("pods");
    const on = (node: ApiObject) => all.filter((other) => stringAt(other, "spec", "nodeName") === node.metadata.name);
    const judged = nodes.map((node) => ({ node, why: unfit(pod, node, on(node)), share: share(node, on(node)) }));
    const [best] = judged.filter(({ why }) => why === undefined).sort((a, b) => a.share - b.share);
    const { namespace, name, uid } = pod.metadata;
    try {
      if (best)
        bind(
          this.#registry,
          { type: this.#pods, namespace, name },
          { metadata: { uid }, target: { name: best.node.metadata.name } },
        );
      else
        this.#unschedulable(
          pod,
          judged.map(({ why }) => why ?? ""),
        );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #unschedulable(pod: ApiObject, reasons: string[]): void {
    const counts = [...new Set(reasons)].map(
      (reason) => `${reasons.filter((other) => other === reason).length} ${reason}`,
    );
    const message = `0/${reasons.length} nodes are available: ${counts.join(", ")}.`;
    const present = arrayAt(pod, "status", "conditions").find((c) => stringAt(c, "type") === "PodScheduled");
    if (stringAt(present, "message") === message) return;
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: this.#registry.time(),
    };
    const { namespace, name } = pod.metadata;
    this.#registry.patch(
      { type: this.#pods, namespace, name },
      (object) => ({ ...object, status: { ...objectAt(object, "status"), conditions: [condition] } }),
      { subresource: "status" },
    );
  }
}

const waits = (pod: ApiObject): boolean =>
  !stringAt(pod, "spec", "nodeName") &&
  !pod.metadata.deletionTimestamp &&
  arrayAt(pod, "spec", "schedulingGates").length === 0;

const share = (node: ApiObject, present: ApiObject[]): number =>
  present.reduce((sum, pod) => sum + memoryRequest(pod), 0) / Math.max(1, allocatable(node, "memory")) +
  present.length / 1000;
