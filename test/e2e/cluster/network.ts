/** The cluster's network: a bridge on the host, and a network namespace with a virtual cable per node. */
import { readFile, writeFile } from "node:fs/promises";
import { attempt, run } from "./command.ts";
import type { NodeSettings, Settings } from "./settings.ts";

const ip = (...args: string[]): Promise<string> => run("ip", args);

export async function createBridge(settings: Settings): Promise<void> {
  await ip("link", "add", settings.bridge, "type", "bridge");
  await ip("addr", "add", `${settings.hostAddress}/${settings.prefixLength}`, "dev", settings.bridge);
  await ip("link", "set", settings.bridge, "up");
  await run("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
  await deepenBacklog();
}

const BACKLOG_FILE = "/proc/sys/net/core/netdev_max_backlog";
const BACKLOG_PACKETS = 20_000;

/** On a busy machine the virtual cables' queue of 1000 packets runs over during a transfer, and the witness misses a datagram. */
async function deepenBacklog(): Promise<void> {
  if (Number(await readFile(BACKLOG_FILE, "utf8")) < BACKLOG_PACKETS)
    await writeFile(BACKLOG_FILE, `${BACKLOG_PACKETS}`);
}

export async function connectNode(settings: Settings, node: NodeSettings): Promise<void> {
  const inside = ["-n", node.networkNamespace];
  await ip("netns", "add", node.networkNamespace);
  const cable = ["link", "add", node.interfaceName, "type", "veth", "peer", "name", "eth0"];
  await ip(...cable, "netns", node.networkNamespace);
  await ip("link", "set", node.interfaceName, "master", settings.bridge, "up");
  await ip(...inside, "addr", "add", `${node.address}/${settings.prefixLength}`, "dev", "eth0");
  await ip(...inside, "link", "set", "eth0", "up");
  await ip(...inside, "link", "set", "lo", "up");
  await ip(...inside, "route", "add", "default", "via", settings.hostAddress);
  await ip("route", "replace", node.podSubnet, "via", node.address);
}

/** The same for a virtual machine, which does the rest itself. */
export async function connectVirtualNode(settings: Settings, node: NodeSettings): Promise<void> {
  await ip("tuntap", "add", "dev", node.interfaceName, "mode", "tap");
  await ip("link", "set", node.interfaceName, "master", settings.bridge, "up");
  await ip("route", "replace", node.podSubnet, "via", node.address);
}

/** Runs a program in a node's network, and answers its output. */
interface NodeNetwork {
  runInNetwork(command: readonly string[]): Promise<string>;
}

/** Removes from a node's network what its programs have made there, as a reboot would. Tables of the tests' own (`e2e_…`) stay: a cut is a cut. */
export async function clearNodeNetwork(node: NodeNetwork): Promise<void> {
  const tables = (await node.runInNetwork(["nft", "list", "tables"])).trim().split("\n");
  for (const table of tables.filter((line) => line && !line.includes(" e2e_"))) {
    await node.runInNetwork(["nft", "delete", ...table.split(" ")]);
  }
  // Pods' cables go with the pods' networks.
  const links = await node.runInNetwork(["ip", "-o", "link", "show", "type", "bridge"]);
  if (links.includes(" cni0:")) await node.runInNetwork(["ip", "link", "delete", "cni0"]);
}

/** Removes everything of this instance, also what a killed run left. */
export async function removeNetwork(settings: Settings): Promise<void> {
  const namespaces = (await ip("netns", "list")).split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const name of namespaces.filter((name) => name.startsWith(`${settings.bridge}-`))) {
    await ip("netns", "delete", name);
  }
  // A namespace goes when its last process does, which may take a while: its cable is cut from this side.
  const links = `${await ip("-o", "link", "show", "type", "veth")}${await ip("-o", "link", "show", "type", "tun")}`;
  for (const [, name] of links.matchAll(/^\d+: ([^:@]+)/gm)) {
    if (name?.startsWith(`${settings.bridge}n`)) await attempt("ip", ["link", "delete", name]);
  }
  await attempt("ip", ["link", "delete", settings.bridge]);
}
