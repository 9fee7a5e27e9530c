/** What a policy finds on one of its nodes: how short it is or will be, by when, and when nothing is free any more. */
import { amountBytes } from "../api/quantity.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import type { NodeFinding } from "./decision.ts";
import { firstAbove } from "./forecast/first-above.ts";
import { type Foreseen, peakOf } from "./foresight/foreseen.ts";
import type { Foresight } from "./foresight/foresight.ts";
import type { Policy } from "./policy.ts";
import type { PressureTracker } from "./pressure/confirmation.ts";
import type { View } from "./view.ts";

export interface Found {
  /** Before anything is decided about the node. */
  finding: NodeFinding;
  /** Of the pressure what pods may be moved for: less where the bound is wide only for want of history. */
  neededBytes: number;
  /** The pressure is but a bound widened for want of history: no reason to move anything yet. */
  doubtful: boolean;
}

interface Shared {
  cluster: Cluster;
  tracker: PressureTracker;
  viewFor(policy: Policy): View;
}

/** Pressure, or why nothing can be said of the node: nothing is ever moved because of figures that cannot be relied on. */
export function findPressure(policy: Policy, node: ClusterNode, { cluster, tracker, viewFor }: Shared): Found {
  const { name, capacityBytes } = node.snapshot;
  // An absurd capacity has been told by nodeUse; it is not handed on.
  const toldBytes = capacityBytes > 0 && Number.isFinite(capacityBytes) ? capacityBytes : 0;
  const common = { name, policy: policy.name, capacityBytes: toldBytes, outcome: "NothingToDo" as const };
  const view = viewFor(policy);
  const use = view.nodeUse(node);
  if (!use.ok) {
    const { reason, message } = use;
    return {
      finding: { ...common, freeBytes: undefined, pressureBytes: 0, reason, message },
      neededBytes: 0,
      doubtful: false,
    };
  }
  const usedBytes = Math.min(use.usedBytes, capacityBytes);
  const freeBelowBytes = amountBytes(policy.freeBelow, capacityBytes);
  const freeUntilBytes = Math.max(freeBelowBytes, amountBytes(policy.freeUntil ?? policy.freeBelow, capacityBytes));
  const { nowMs } = cluster;
  const { foresight } = view;
  const input = {
    name,
    capacityBytes,
    usedBytes,
    nowMs,
    growth: () => view.nodeGrowth(node),
    ...(foresight && { atMost: (enoughBytes: number) => foresight.nodeAtMost(node, enoughBytes) }),
  };
  const entering = policy.pressure.judge({ ...input, freeBelowBytes });
  const short = entering.pressureBytes > 0 || tracker.isRelieving(policy, name);
  const pressure = short ? policy.pressure.judge({ ...input, freeBelowBytes: freeUntilBytes }) : entering;
  const { pressureBytes } = pressure;
  const limits = {
    nowMs,
    usedBytes,
    capacityBytes,
    limitBytes: capacityBytes - freeBelowBytes,
    wantedBytes: capacityBytes - freeUntilBytes,
  };
  const outlook: Outlook =
    foresight === undefined
      ? byGrowth(policy, pressureBytes, limits, () => view.nodeGrowth(node).perMinute)
      : byForecast(foresight, node, { pressureBytes, short: entering.pressureBytes > 0 }, limits);
  const { doubtful = false, neededBytes = pressureBytes, ...foreseen } = outlook;
  const reason = pressureBytes > 0 ? "Pressured" : "EnoughFree";
  const message = use.estimated ? `${pressure.message} (estimated: its pods together)` : pressure.message;
  const freeBytes = capacityBytes - usedBytes;
  return {
    finding: { ...common, freeBytes, pressureBytes, ...foreseen, reason, message },
    neededBytes: Math.min(neededBytes, pressureBytes),
    doubtful,
  };
}

interface Outlook extends Pick<NodeFinding, "exhaustedAtMs" | "deadlineMs" | "bound"> {
  doubtful?: boolean;
  /** Absent: all of the pressure. */
  neededBytes?: number;
}

interface Limits {
  nowMs: number;
  usedBytes: number;
  capacityBytes: number;
  /** What may be used. */
  limitBytes: number;
  /** What may be used once the node is relieved: not more. */
  wantedBytes: number;
}

/** Further ahead than this nobody can say. */
const FARTHEST_MS = 366 * 24 * 3_600_000;
const DAY_SECONDS = 86_400;

/** When nothing is free any more, growing on like this. */
function byGrowth(policy: Policy, pressureBytes: number, limits: Limits, growthPerMinute: () => number): Outlook {
  if (!(pressureBytes > 0 || policy.pressure.aheadMinutes > 0)) return {};
  const growth = growthPerMinute();
  const freeBytes = limits.capacityBytes - limits.usedBytes;
  const leftMs = growth > 0 ? (freeBytes / growth) * 60_000 : Number.POSITIVE_INFINITY;
  return leftMs <= FARTHEST_MS ? { exhaustedAtMs: limits.nowMs + Math.round(leftMs) } : {};
}

/** Of a node that a cheap bound proved safe nothing more is said. `short`: by freeBelow. */
function byForecast(
  foresight: Foresight,
  node: ClusterNode,
  { pressureBytes, short }: { pressureBytes: number; short: boolean },
  limits: Limits,
): Outlook {
  const foreseen = foresight.nodeIfMade(node);
  if (foreseen === undefined) return {};
  const { nowMs, usedBytes, limitBytes } = limits;
  const { horizonSeconds } = foresight.settings;
  const bound = { atMs: nowMs + Math.round(horizonSeconds * 1000), bytes: foreseen.upper(horizonSeconds) };
  const exhausted = { bound, ...exhaustedAt(foreseen, horizonSeconds, limits) };
  if (pressureBytes === 0) return exhausted;
  const testedBytes = Math.max(
    usedBytes,
    peakOf((ahead) => foreseen.tested(ahead), horizonSeconds),
  );
  const neededBytes = Math.max(0, testedBytes - limits.wantedBytes);
  if (!short) return { ...exhausted, neededBytes, doubtful: neededBytes === 0 };
  const doubtful = testedBytes <= limitBytes;
  const curve = (ahead: number) => (doubtful ? foreseen.upper(ahead) : foreseen.tested(ahead));
  // The search looks at other moments than the pressure's did.
  const leftSeconds = usedBytes > limitBytes ? 0 : (firstAbove(curve, limitBytes, horizonSeconds) ?? horizonSeconds);
  return { ...exhausted, deadlineMs: nowMs + Math.floor(leftSeconds * 1000), neededBytes, doubtful };
}

/** In so many places of each stretch: nearby moments are looked at closely, far ones roughly. */
const PLACES = 8;

function exhaustedAt(foreseen: Foreseen, horizonSeconds: number, { nowMs, capacityBytes }: Limits): Outlook {
  for (const within of [horizonSeconds, DAY_SECONDS, FARTHEST_MS / 1000]) {
    const seconds = firstAbove((ahead) => foreseen.point(ahead), capacityBytes, within, PLACES);
    if (seconds !== undefined) return { exhaustedAtMs: nowMs + Math.round(seconds * 1000) };
  }
  return {};
}
