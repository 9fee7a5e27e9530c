/** The status that a kubelet writes for a pod. Pure. */
import { DISRUPTION_TARGET } from "../api-server/disruption.ts";
import {
  type ApiObject,
  arrayAt,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  stringAt,
} from "../api-server/json.ts";
import type { Container, ContainerExit } from "./node.ts";

export interface PodFacts {
  /** Undefined until the container was created. */
  container: Container | undefined;
  restarts: number;
  /** Of the container before this one. */
  lastExit: ContainerExit | undefined;
  ready: boolean;
  startTime: string;
  /** Of the container that runs. */
  containerStartTime: string | undefined;
  podIP: string;
  /** Why the container doesn't come up, e.g. CrashLoopBackOff. */
  waitingReason: string;
  /** The pod has ended for good. */
  ended: "Succeeded" | "Failed" | undefined;
  /** By the kubelet, for its node's sake. */
  evicted: boolean;
}

export function podStatus(pod: ApiObject, facts: PodFacts, time: string): JsonObject {
  const running = facts.container !== undefined && facts.container.exit === undefined;
  const phase = facts.ended ?? (facts.container || facts.restarts > 0 ? "Running" : "Pending");
  const ready = running && facts.ready;
  return {
    ...objectAt(pod, "status"),
    phase,
    ...(facts.evicted ? { reason: "Evicted", message: "The node was low on resource: memory." } : {}),
    hostIP: "127.0.0.1",
    podIP: facts.podIP,
    podIPs: [{ ip: facts.podIP }],
    startTime: facts.startTime,
    conditions: conditions(pod, ready, facts.evicted, time),
    containerStatuses: arrayAt(pod, "spec", "containers").map((container) =>
      containerStatus(container, facts, running, ready),
    ),
  };
}

function containerStatus(container: Json, facts: PodFacts, running: boolean, ready: boolean): JsonObject {
  const image = stringAt(container, "image") ?? "";
  const { lastExit } = facts;
  return {
    name: stringAt(container, "name") ?? "",
    image,
    imageID: imageID(image),
    ...(facts.container ? { containerID: `containerd://${facts.container.id}` } : {}),
    ready,
    started: running,
    restartCount: facts.restarts,
    state: containerState(facts, running),
    lastState: lastExit ? terminated(lastExit) : {},
  };
}

function containerState(facts: PodFacts, running: boolean): JsonObject {
  if (running) return { running: { startedAt: facts.containerStartTime ?? facts.startTime } };
  const exit = facts.container?.exit;
  if (exit && facts.ended) return terminated(exit);
  return { waiting: { reason: facts.waitingReason } };
}

/** Times are whole seconds, as a kubelet writes them. */
function terminated({ code, reason, atMs }: ContainerExit): JsonObject {
  const finishedAt = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  return { terminated: { exitCode: code, reason, finishedAt } };
}

/** A digest for an image that only has a name: the same name, the same digest. */
function imageID(image: string): string {
  if (image.includes("@")) return image;
  const digest = Buffer.from(image.padEnd(32, "0")).toString("hex").slice(0, 64);
  return `${image.replace(/:[^/:]+$/, "")}@sha256:${digest}`;
}

function conditions(pod: ApiObject, ready: boolean, evicted: boolean, time: string): JsonObject[] {
  const present = arrayAt(pod, "status", "conditions");
  const condition = (type: string, on: boolean): JsonObject => {
    const old = present.find((candidate) => stringAt(candidate, "type") === type);
    const status = on ? "True" : "False";
    const since = stringAt(old, "status") === status ? stringAt(old, "lastTransitionTime") : undefined;
    return { type, status, lastTransitionTime: since ?? time };
  };
  const disrupted = present.filter((other) => stringAt(other, "type") === DISRUPTION_TARGET).map((c) => objectAt(c));
  const byKubelet = { ...condition(DISRUPTION_TARGET, true), reason: "TerminationByKubelet" };
  return [
    ...(evicted ? [byKubelet] : disrupted),
    condition("PodScheduled", true),
    condition("Initialized", true),
    condition("ContainersReady", ready),
    condition("Ready", ready && gatesOpen(pod, present)),
    ...present.filter(isObject).filter((one) => !OWN.has(stringAt(one, "type") ?? "")),
  ];
}

const OWN = new Set(["PodScheduled", "Initialized", "ContainersReady", "Ready"]);

/** The controller that asked for a readiness gate sets its condition. */
const gatesOpen = (pod: ApiObject, present: Json[]): boolean =>
  arrayAt(pod, "spec", "readinessGates").every((gate) =>
    present.some(
      (one) => stringAt(one, "type") === stringAt(gate, "conditionType") && stringAt(one, "status") === "True",
    ),
  );
