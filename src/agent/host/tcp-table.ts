/** Connected TCP sockets out of /proc/<pid>/net/tcp and tcp6. Pure. */
import { addressOf, type End, endText, isOfItsOwn } from "../criu-images/addresses.ts";

/** States that CRIU treats as connected: ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING. */
const CONNECTED = new Set(["01", "02", "04", "05", "08", "09", "0B"]);
const ESTABLISHED = "01";

export interface Connection {
  local: End;
  remote: End;
  isEstablished: boolean;
  /** Bytes that were not acknowledged, or not read: they travel among CRIU's images. */
  queuedBytes: number;
  inode: string;
}

/** Those that a process still holds: the kernel's own leftovers have inode 0. */
export function connectionsIn(table: string): Connection[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => CONNECTED.has(columns[3] ?? "") && columns[9] !== "0")
    .map((columns) => ({
      local: endOf(columns[1]),
      remote: endOf(columns[2]),
      isEstablished: columns[3] === ESTABLISHED,
      queuedBytes: (columns[4] ?? "").split(":").reduce((sum, hex) => sum + Number.parseInt(hex || "0", 16), 0),
      inode: columns[9] ?? "",
    }));
}

/** All but those that are established between two sockets of these. */
export function connectionsThatLeave(connections: readonly Connection[], inodes: ReadonlySet<string>): Connection[] {
  const isOurs = ({ isEstablished, inode }: Connection): boolean => isEstablished && inodes.has(inode);
  const ends = new Set(connections.filter(isOurs).map(({ local, remote }) => nameOf(local, remote)));
  return connections.filter((one) => !(isOurs(one) && ends.has(nameOf(one.remote, one.local))));
}

const nameOf = (one: End, other: End): string => `${endText(one)} -> ${endText(other)}`;

/** "local -> remote". */
export const connectionName = ({ local, remote }: Connection): string => nameOf(local, remote);

/** Both ends are in the pod. One that leaves all the same is being begun or ended: its other end was not accepted yet, or is closed. */
export function isInner({ local, remote }: Connection): boolean {
  return remote.address === local.address || !isOfItsOwn(remote.address);
}

/** "0100007F:1F90" is 127.0.0.1:8080: words of four bytes in the machine's order, then the port. */
function endOf(field = ""): End {
  const [hex = "", port = "0"] = field.split(":");
  const words = (hex.match(/.{8}/g) ?? []).map((word) => Number.parseInt(word, 16));
  return { address: addressOf(words), port: Number.parseInt(port, 16) };
}
