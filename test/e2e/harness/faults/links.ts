/**
 * Faults of the nodes' cables: cut, one-way, lossy, slow. Several may be on at once, on the same node too: each has a table of its own.
 * None touches the witness's datagrams, so that the witness is never deaf, nor what stays inside of a node.
 */
import type { Machine } from "../../cluster/machine.ts";
import type { NodeSettings, Settings } from "../../cluster/settings.ts";
import { WITNESS_PORT } from "../witness.ts";
import type { Undo } from "./undo.ts";

const TABLE = "e2e_fault";
const EVERYTHING = "10.0.0.0/8";

interface Fault {
  /** The other side: addresses or subnets. */
  peers: readonly string[];
  /** Only what goes to or comes from this TCP port of the other side. */
  tcpPort?: number | undefined;
  /** Only what the node sends. */
  onlySent?: boolean;
  /** How much of it is dropped, from 1 to 100; default all. */
  percent?: number;
}

let tables = 0;

async function strike(machine: Machine, fault: Fault): Promise<Undo> {
  tables += 1;
  const table = `${TABLE}_${process.pid}_${tables}`;
  await machine.runInNetwork(["nft", "-f", "-"], `table ip ${table} {\n${chains(fault)}\n}\n`);
  return () => remove(machine, table);
}

/** A table that is declared can be deleted whether it was there or not. */
async function remove(machine: Machine, table: string): Promise<void> {
  await machine.runInNetwork(["nft", "-f", "-"], `table ip ${table}\ndelete table ip ${table}\n`);
}

/** The rules of a table. Each packet passes one of the hooks once, so that it is dropped with the given probability, not more. */
function chains({ peers, tcpPort, onlySent = false, percent = 100 }: Fault): string {
  const addresses = `{ ${peers.join(", ")} }`;
  const port = (side: "dport" | "sport"): string => (tcpPort ? ` tcp ${side} ${tcpPort}` : "");
  const drop = percent < 100 ? `numgen random mod 100 < ${percent} drop` : "drop";
  const sent = `oifname eth0 ip daddr ${addresses}${port("dport")} ${drop}`;
  const received = onlySent ? "" : `iifname eth0 ip saddr ${addresses}${port("sport")} ${drop}`;
  const chain = (hook: string, ...rules: string[]): string =>
    [
      `chain ${hook} {`,
      `type filter hook ${hook} priority -500`,
      `udp dport ${WITNESS_PORT} accept`,
      ...rules,
      "}",
    ].join("\n");
  return [chain("input", received), chain("output", sent), chain("forward", sent, received)].join("\n");
}

/** A node's own address and its pods'. */
const addressesOf = ({ address, podSubnet }: NodeSettings): string[] => [address, podSubnet];

/** No packet passes between a node (its pods too) and an address any more, in either direction; without an error to the senders. */
export function cutOff(machine: Machine, address: string, tcpPort?: number): Promise<Undo> {
  return strike(machine, { peers: [address], tcpPort });
}

/** Nothing passes between two nodes and their pods, in either direction. */
export function cutBetween(one: Machine, other: Machine): Promise<Undo> {
  return strike(one, { peers: addressesOf(other.node) });
}

/** What `from` and its pods send to `to` and its pods is lost; the other way passes. */
export function cutOneWay(from: Machine, to: Machine): Promise<Undo> {
  return strike(from, { peers: addressesOf(to.node), onlySent: true });
}

/** A node and its pods get no answer from the API server. It still reaches the node's kubelet, for logs and exec. */
export function cutOffFromApi(machine: Machine, { hostAddress, apiPort }: Settings): Promise<Undo> {
  return cutOff(machine, hostAddress, apiPort);
}

/** Nothing outside of it hears of the node or its pods any more, nor do they of others. */
export function cutOffFromAll(machine: Machine): Promise<Undo> {
  return cutOff(machine, EVERYTHING);
}

/** So much of what passes between two nodes is lost, from 1 to 99 percent, in both directions. */
export function loseBetween(one: Machine, other: Machine, percent: number): Promise<Undo> {
  return strike(one, { peers: addressesOf(other.node), percent });
}

/** So much of what a node and its pods send and receive is lost, from 1 to 99 percent. */
export function loseFromAll(machine: Machine, percent: number): Promise<Undo> {
  return strike(machine, { peers: [EVERYTHING], percent });
}

const UNLIMITED_MEGABITS = 40_000;
const QUEUE_SECONDS = 0.4;
const SMALLEST_QUEUE_BYTES = 128 * 1024; // two of the largest segments

/**
 * Readies nodes' cables for `slowDown`, without a limit as yet. Some packets may be lost by that, the witness's too: before a workload speaks is the time.
 */
export async function prepareToSlowDown(...machines: Machine[]): Promise<void> {
  const toWitness = `u32 match ip protocol 17 0xff match ip dport ${WITNESS_PORT} 0xffff`;
  const commands = [
    "qdisc replace dev eth0 root noqueue", // whatever was there goes
    "qdisc replace dev eth0 root handle 1: htb default 2",
    `class replace dev eth0 parent 1: classid 1:1 ${rateOf(UNLIMITED_MEGABITS)}`,
    `class replace dev eth0 parent 1: classid 1:2 ${rateOf(UNLIMITED_MEGABITS)}`,
    `filter add dev eth0 parent 1: protocol ip prio 1 ${toWitness} flowid 1:1`,
    `qdisc replace dev eth0 parent 1:2 ${queueFor(UNLIMITED_MEGABITS)}`,
  ];
  for (const machine of machines) {
    const shown = await machine.runInNetwork(["tc", "qdisc", "show", "dev", "eth0"]);
    if (!shown.includes("bfifo")) await tc(machine, commands);
  }
}

/** What the node sends is limited to so many megabits per second (8 are 1 MB/s). A later limit takes the place of an earlier one. */
export async function slowDown(machine: Machine, megabitsPerSecond: number): Promise<Undo> {
  await limit(machine, megabitsPerSecond).catch(async () => {
    await prepareToSlowDown(machine);
    await limit(machine, megabitsPerSecond);
  });
  return () => speedUp(machine);
}

/** Does nothing on a node that was never slowed down. */
export async function speedUp(machine: Machine): Promise<void> {
  await limit(machine, UNLIMITED_MEGABITS).catch(() => undefined);
}

/** Loses no packet, unlike a queue that comes or goes. */
function limit(machine: Machine, megabitsPerSecond: number): Promise<string> {
  return tc(machine, [
    `class change dev eth0 parent 1: classid 1:2 ${rateOf(megabitsPerSecond)}`,
    `qdisc change dev eth0 parent 1:2 ${queueFor(megabitsPerSecond)}`,
  ]);
}

const rateOf = (megabitsPerSecond: number): string =>
  `htb rate ${megabitsPerSecond}mbit burst 64kb cburst 64kb quantum 65536`;

const queueFor = (megabitsPerSecond: number): string =>
  `bfifo limit ${Math.max(SMALLEST_QUEUE_BYTES, Math.round((megabitsPerSecond * 1e6 * QUEUE_SECONDS) / 8))}`;

function tc(machine: Machine, commands: readonly string[]): Promise<string> {
  return machine.runInNetwork(["tc", "-batch", "-"], `${commands.join("\n")}\n`);
}

/** Takes back every fault of these nodes' cables, also those of an earlier run. */
export async function heal(...machines: Machine[]): Promise<void> {
  for (const machine of machines) {
    await speedUp(machine);
    const listed = await machine.runInNetwork(["nft", "list", "tables", "ip"]);
    for (const [, table] of listed.matchAll(/^table ip (\S+)$/gm)) {
      if (table?.startsWith(TABLE)) await remove(machine, table);
    }
  }
}
