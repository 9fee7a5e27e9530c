/** What can happen to a cluster while a pod is moved. All that is broken is mended after a while, as by an operator on duty. */
import { POD_MIGRATIONS } from "../../../src/api/v1alpha1/pod-migration.ts";
import { deleteObject } from "../../../src/sandbox/api-server/deletion.ts";
import { type Disruption, disrupt } from "../../../src/sandbox/api-server/disruption.ts";
import { type JsonObject, objectAt } from "../../../src/sandbox/api-server/json.ts";
import type { Address } from "../../../src/sandbox/api-server/registry.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import type { Boundaries, Struck } from "./boundaries.ts";
import type { Controllers } from "./controllers.ts";
import type { VirtualClock } from "./virtual-clock.ts";

type Side = "source" | "target";

/** Where a move takes place. */
export interface Stage {
  sandbox: Sandbox;
  clock: VirtualClock;
  controllers: Controllers;
  boundaries: Boundaries;
  /** Of the PodMigration. */
  name: string;
  from: string;
  to: string;
  source: { name: string; uid: string };
  target: () => { name: string; uid: string } | undefined;
  /** Undoes what a fault did, after so many milliseconds at the latest. */
  mend: (afterMs: number, undo: () => void) => void;
}

export interface Fault {
  about: string;
  strike: (stage: Stage) => Struck;
  /** The source's process will not outlive it where it is. */
  endsSource?: boolean;
  /** Nor will a copy, or what a copy could be made of. */
  endsCopy?: boolean;
  /** Nobody reaches this side's agent for longer than a probe forgives. */
  silences?: Side;
  /** Somebody wants the pod gone: nothing has to be saved. */
  wanted?: boolean;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const AGENT_STARTS_MS = 2 * SECOND;
const BOOT_MS = MINUTE;

const nodeOf = (stage: Stage, side: Side): string => (side === "source" ? stage.from : stage.to);

function agentDies(stage: Stage, node: string, downMs: number): void {
  const agent = stage.sandbox.agents.get(node);
  const killed = agent?.kill();
  stage.mend(downMs, () => void killed?.then(() => agent?.start()));
}

const killAgent = (side: Side): Fault => ({
  about: `the ${side}'s agent dies`,
  strike(stage) {
    const agent = nodeOf(stage, side);
    agentDies(stage, agent, AGENT_STARTS_MS);
    return { agent };
  },
});

/** Its agent comes up beside the pods, as a DaemonSet's does. */
const reboot = (side: Side): Fault => ({
  about: `the ${side}'s node restarts`,
  silences: side,
  strike(stage) {
    const agent = nodeOf(stage, side);
    const { cluster } = stage.sandbox;
    agentDies(stage, agent, BOOT_MS);
    cluster.kubelet(agent).switchOff();
    cluster.node(agent).reboot();
    stage.mend(BOOT_MS, () => cluster.kubelet(agent).switchOn());
    return { agent };
  },
});

const cutOffKubelet = (side: Side, forMs: number): Fault => ({
  about: `the ${side}'s kubelet is cut off for ${forMs / MINUTE} min`,
  strike(stage) {
    const kubelet = stage.sandbox.cluster.kubelet(nodeOf(stage, side));
    kubelet.online = false;
    stage.mend(forMs, () => {
      kubelet.online = true;
    });
    return {};
  },
});

/** What runs on it runs on. */
const cutOffNode = (side: Side, forMs: number, ends: Pick<Fault, "endsSource" | "endsCopy"> = {}): Fault => ({
  about: `the ${side}'s node is cut off for ${forMs / MINUTE} min`,
  silences: side,
  ...ends,
  strike(stage) {
    const node = nodeOf(stage, side);
    const { cluster, agents } = stage.sandbox;
    const cut = (isCutOff: boolean) => {
      cluster.links.cutOff(node, isCutOff);
      cluster.kubelet(node).online = !isCutOff;
      void agents.get(node)?.cutOff(isCutOff);
    };
    cut(true);
    stage.mend(forMs, () => cut(false));
    return {};
  },
});

/** For everybody: controllers and kubelets. */
const apiAway = (forMs: number): Fault => ({
  about: `the API server is away for ${forMs / MINUTE} min`,
  strike(stage) {
    const { cluster, server } = stage.sandbox;
    const away = (isAway: boolean) => {
      for (const node of cluster.nodes.keys()) cluster.kubelet(node).online = !isAway;
      stage.boundaries.apiIsAway = isAway;
    };
    away(true);
    // Not the connection over which this very call came: it is answered as lost.
    setImmediate(() => server.dropConnections());
    stage.mend(forMs, () => away(false));
    return { api: true };
  },
});

function pod(stage: Stage, name: string): Address {
  const type = stage.sandbox.server.types.find("", "v1", "pods");
  if (!type) throw new Error("the API server knows no pods");
  return { type, namespace: "default", name };
}

const there = ({ sandbox }: Stage, uid: string): boolean =>
  sandbox.server.store.list("pods", "default").some(({ metadata }) => metadata.uid === uid);

/** Nothing happens to a pod that is not there. */
function toPod(
  side: Side,
  about: string,
  more: Partial<Fault>,
  act: (stage: Stage, pod: Stage["source"]) => void,
): Fault {
  const strike = (stage: Stage): Struck => {
    const found = side === "source" ? stage.source : stage.target();
    if (found && there(stage, found.uid)) act(stage, found);
    return {};
  };
  return {
    about: `the ${side} ${about}`,
    strike,
    ...(side === "source" ? { endsSource: true } : { endsCopy: true }),
    ...more,
  };
}

const disrupted = (side: Side, about: string, reason: Disruption): Fault =>
  toPod(side, about, {}, (stage, { name, uid }) =>
    disrupt(stage.sandbox.server.registry, pod(stage, name), reason, { uid }),
  );

const deleted = (side: Side, about: string, gracePeriodSeconds?: number): Fault =>
  toPod(side, about, side === "source" ? { wanted: true } : {}, (stage, { name, uid }) =>
    deleteObject(stage.sandbox.server.registry, pod(stage, name), {
      uid,
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    }),
  );

const evictedByKubelet = (side: Side): Fault =>
  toPod(side, "is evicted by its kubelet", {}, (stage, { uid }) =>
    stage.sandbox.cluster.kubelet(nodeOf(stage, side)).evict(uid),
  );

const oomKilled = (side: Side): Fault =>
  toPod(side, "is killed by the kernel", { endsCopy: false }, (stage, { uid }) =>
    stage.sandbox.cluster.kubelet(nodeOf(stage, side)).oomKill(uid),
  );

const createFails: Fault = toPod("target", "is created a second time", { endsCopy: false }, (stage, { uid }) =>
  stage.sandbox.cluster.node(stage.to).cancelCreate(uid),
);

const controllerDies: Fault = {
  about: "the controller dies",
  strike({ controllers }) {
    controllers.killLeader();
    return { api: true };
  },
};

const cancelled: Fault = {
  about: "the move is cancelled",
  strike({ sandbox: { server }, name }) {
    const { group, version, plural } = POD_MIGRATIONS;
    const type = server.types.find(group, version, plural);
    const change = (move: JsonObject) => ({ ...move, spec: { ...objectAt(move, "spec"), cancel: true } });
    if (type && server.store.get("podmigrations.headroom.dev", "default", name))
      server.registry.patch({ type, namespace: "default", name }, change);
    return {};
  },
};

/** Long enough for a transfer of 2 GiB at 12 MB/s. */
export const slowLink = (bytesPerSecond: number): Fault => ({
  about: "the link becomes slow",
  strike({ sandbox: { cluster }, from, to, mend }) {
    cluster.links.limit(from, to, bytesPerSecond);
    mend(5 * MINUTE, () => cluster.links.limit(from, to, undefined));
    return {};
  },
});

export const FAULTS: readonly Fault[] = [
  controllerDies,
  killAgent("source"),
  killAgent("target"),
  reboot("source"),
  reboot("target"),
  cutOffKubelet("source", 3 * MINUTE),
  cutOffKubelet("target", 3 * MINUTE),
  cutOffNode("source", 2 * MINUTE),
  cutOffNode("target", 2 * MINUTE),
  cutOffNode("source", 8 * MINUTE, { endsSource: true }),
  cutOffNode("target", 8 * MINUTE, { endsCopy: true }),
  apiAway(3 * MINUTE),
  disrupted("source", "is evicted through the API", "EvictionByEvictionAPI"),
  disrupted("source", "is preempted", "PreemptionByScheduler"),
  evictedByKubelet("source"),
  oomKilled("source"),
  deleted("source", "is deleted"),
  deleted("source", "is deleted by force", 0),
  disrupted("target", "is evicted through the API", "EvictionByEvictionAPI"),
  evictedByKubelet("target"),
  oomKilled("target"),
  deleted("target", "is deleted by force", 0),
  createFails,
  cancelled,
];

export function fault(about: string): Fault {
  const found = FAULTS.find((one) => one.about === about);
  if (!found) throw new Error(`there is no fault "${about}"`);
  return found;
}
