/** Connected TCP sockets out of /proc/<pid>/net/tcp and tcp6. Pure. */

/** States that CRIU treats as connected: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING. */
const CONNECTED = new Set(["01", "04", "05", "08", "09", "0B"]);

/** What an IPv4 address in IPv6's form begins with. */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

/** "local -> remote" of each connected socket that a process still holds (the kernel's own leftovers have inode 0). */
export function connectedSockets(table: string): string[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => CONNECTED.has(columns[3] ?? "") && columns[9] !== "0")
    .map((columns) => `${addressOf(columns[1] ?? "")} -> ${addressOf(columns[2] ?? "")}`);
}

/** "0100007F:1F90" is 127.0.0.1:8080: words of four bytes in the machine's order, then the port. */
function addressOf(field: string): string {
  const [hex = "", port = "0"] = field.split(":");
  const bytes = Buffer.from(hex, "hex");
  const words = Array.from({ length: bytes.length / 4 }, (_, index) =>
    bytes.subarray(index * 4, index * 4 + 4).reverse(),
  );
  const ordered = Buffer.concat(words);
  const number = Number.parseInt(port, 16);
  if (ordered.length === 4) return `${[...ordered].join(".")}:${number}`;
  // An IPv4 connection of a socket that takes both.
  if (ordered.subarray(0, 12).equals(MAPPED)) return `${[...ordered.subarray(12)].join(".")}:${number}`;
  const groups = Array.from({ length: 8 }, (_, index) => ordered.readUInt16BE(index * 2).toString(16));
  return `[${groups.join(":")}]:${number}`;
}
