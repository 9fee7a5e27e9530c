/** What moves under way and moves planned in this evaluation take from targets and give back to sources. */
import { type Cluster, compareMoves } from "./cluster.ts";
import { growthPerMinute } from "./growth.ts";
import { isUnderWay } from "./pacing/pacing.ts";
import { type Arrivals, NO_ARRIVALS } from "./placement/arrivals.ts";
import type { Figure, MoveSnapshot, PodSnapshot } from "./snapshot.ts";
import { stagingBytes } from "./staging.ts";

interface Account {
  /** Memory that is still to come. */
  incomingBytes: number;
  incomingRequestBytes: number;
  /** Also the number of moves to the node. */
  incomingPods: number;
  incomingGrowthBytesPerMinute: number;
  /** Memory that is still to go. */
  outgoingBytes: number;
  /** Moves from the node. */
  outgoingPods: number;
  /** What moves may stage on the node, of what can be staged there. */
  stagingBytes: number;
}

export interface Reservation {
  from: string;
  to: string;
  bytes: number;
  /** What the pod's memory-backed emptyDirs take of the copy; absent: not known. */
  memoryFilesBytes?: number | undefined;
  requestBytes: number;
  growthBytesPerMinute: number | undefined;
  /** Absent: one that is no longer known. */
  pod?: PodSnapshot | undefined;
}

export interface Ledger {
  at(node: string): Readonly<Account>;
  reserve(reservation: Reservation): void;
  /** A copy: what is reserved there is not reserved here. */
  fork(): Ledger;
  /** Pods that are on the move. The same list as long as nothing more is reserved. */
  arrivals(): Arrivals;
}

const EMPTY: Readonly<Account> = {
  incomingBytes: 0,
  incomingRequestBytes: 0,
  incomingPods: 0,
  incomingGrowthBytesPerMinute: 0,
  outgoingBytes: 0,
  outgoingPods: 0,
  stagingBytes: 0,
};

/** A measurement of this age may still be from before what happened at its time. */
const MEASUREMENT_LAG_MS = 15_000;

/** `except`: the UID of a pod whose move is being decided about and must not stand in its own way. */
export function openLedger(cluster: Cluster, except?: string): Ledger {
  const accounts = new Map<string, Account>();
  const ledger = ledgerOver(accounts);
  const counts = (move: MoveSnapshot) => except === undefined || move.podUID !== except;
  const entered = cluster.movesUnordered.filter((move) => counts(move) && isToBeEntered(cluster, move));
  // In order: rounding must not depend on the input's.
  for (const move of entered.sort(compareMoves)) {
    enter(cluster, move, ledger, (node) => accountOf(accounts, node));
  }
  return ledger;
}

function accountOf(accounts: Map<string, Account>, node: string): Account {
  const known = accounts.get(node) ?? { ...EMPTY };
  accounts.set(node, known);
  return known;
}

function ledgerOver(accounts: Map<string, Account>, known: Arrivals = NO_ARRIVALS): Ledger {
  let arrivals = known;
  return {
    arrivals: () => arrivals,
    at: (node) => accounts.get(node) ?? EMPTY,
    fork: () => ledgerOver(new Map([...accounts].map(([node, account]) => [node, { ...account }])), arrivals),
    reserve({ from, to, bytes, memoryFilesBytes = 0, requestBytes, growthBytesPerMinute = 0, pod }) {
      if (pod !== undefined) arrivals = [...arrivals, { pod, to }];
      leave(accountOf(accounts, from), bytes);
      const target = accountOf(accounts, to);
      target.incomingBytes += bytes;
      target.incomingRequestBytes += requestBytes;
      target.incomingPods += 1;
      target.incomingGrowthBytesPerMinute += Math.max(0, growthBytesPerMinute);
      target.stagingBytes += stagingBytes({ memoryBytes: bytes, memoryFilesBytes });
    },
  };
}

/** At least what the source pod uses now, for it may have grown since the move was planned. */
function moveBytes(cluster: Cluster, move: MoveSnapshot): number {
  return Math.max(0, ...[move.memoryBytes, ...usesOf(cluster, move.podUID)].filter(Number.isFinite));
}

/** What any source says of the pod. */
function figuresOf(cluster: Cluster, uid: string): Figure[] {
  const figures = Object.values(cluster.snapshot.sources ?? {}).map(({ pods }) => pods.get(uid));
  return [cluster.pod(uid), ...figures].filter((figure) => figure !== undefined);
}

function usesOf(cluster: Cluster, uid: string | undefined): number[] {
  return uid === undefined ? [] : figuresOf(cluster, uid).flatMap((figure) => figure.usedBytes ?? []);
}

/** The greatest that any source shows. */
function moveGrowth(cluster: Cluster, uid: string | undefined): number {
  const known = uid === undefined ? [] : figuresOf(cluster, uid).flatMap((figure) => growthPerMinute(figure) ?? []);
  return Math.max(0, ...known);
}

/** Of most moves on record every figure has shown the end long since. */
function isToBeEntered(cluster: Cluster, move: MoveSnapshot): boolean {
  if (move.phase !== "Succeeded") return isUnderWay(move);
  return unseen(cluster, move.from, move) || (move.to !== undefined && unseen(cluster, move.to, move));
}

function enter(cluster: Cluster, move: MoveSnapshot, ledger: Ledger, account: (node: string) => Account): void {
  const bytes = moveBytes(cluster, move);
  const pod = move.podUID === undefined ? undefined : cluster.pod(move.podUID);
  if (isUnderWay(move)) {
    if (move.to === undefined) leave(account(move.from), bytes);
    else {
      const growthBytesPerMinute = moveGrowth(cluster, move.podUID);
      const requestBytes = pod?.requestBytes ?? 0;
      const { from, to, memoryFilesBytes } = move;
      ledger.reserve({ from, to, bytes, memoryFilesBytes, requestBytes, growthBytesPerMinute, pod });
    }
  } else if (move.phase === "Succeeded") {
    if (move.to !== undefined && unseen(cluster, move.to, move)) account(move.to).incomingBytes += bytes;
    if (unseen(cluster, move.from, move)) account(move.from).outgoingBytes += bytes;
  }
}

function leave(account: Account, bytes: number): void {
  account.outgoingBytes += bytes;
  account.outgoingPods += 1;
}

/** The node was last measured before the move's end: its figure doesn't show the move yet. */
function unseen(cluster: Cluster, nodeName: string, move: MoveSnapshot): boolean {
  const { finishedAtMs } = move;
  if (finishedAtMs === undefined || !(cluster.nowMs - finishedAtMs < 3_600_000)) return false;
  const sampledAtMs = newestSampleMs(cluster, nodeName);
  return sampledAtMs !== undefined && sampledAtMs < finishedAtMs + MEASUREMENT_LAG_MS;
}

function newestSampleMs(cluster: Cluster, nodeName: string): number | undefined {
  const { sources } = cluster.snapshot;
  if (sources === undefined) return cluster.node(nodeName)?.snapshot.sampledAtMs;
  const known = Object.values(sources)
    .map(({ nodes }) => nodes.get(nodeName)?.sampledAtMs)
    .filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
