/**
 * Sockets of a container that goes to another node. A TCP connection whose two ends are both in the container goes on; any other is closed,
 * because its other end does not know of the move. What was bound to an address of the pod is bound to the one that the pod has now. Pure.
 */
import {
  type Address,
  addressOf,
  addressText,
  type End,
  endText,
  isIPv4,
  isLinkLocal,
  isOfItsOwn,
  wordsOf,
} from "./addresses.ts";
import { type FileEntry, type InetSocket, type TcpStream, tcpStreamOf } from "./definitions.ts";
import { ImageError } from "./message.ts";

const TCP = 6;
const STREAM = 1;
const [ESTABLISHED, CLOSE] = [1, 7];

const localEnd = ({ src_addr = [], src_port = 0 }: InetSocket): End => ({
  address: addressOf(src_addr),
  port: src_port,
});
const remoteEnd = ({ dst_addr = [], dst_port = 0 }: InetSocket): End => ({
  address: addressOf(dst_addr),
  port: dst_port,
});

const isConnection = ({ proto, type, dst_port = 0 }: InetSocket): boolean =>
  proto === TCP && type === STREAM && dst_port !== 0;

/** The two ends of connections that are established, by the `ino` of each. */
function pairsOf(files: readonly FileEntry[], hasStream: (ino: number) => boolean = () => true): Map<number, number> {
  const established = files.flatMap(({ isk }) =>
    isk && isConnection(isk) && isk.state === ESTABLISHED && hasStream(isk.ino ?? 0) ? [isk] : [],
  );
  const byEnds = new Map(
    established.map((socket) => [`${endText(localEnd(socket))} ${endText(remoteEnd(socket))}`, socket]),
  );
  const pairs = new Map<number, number>();
  for (const socket of established) {
    const other = byEnds.get(`${endText(remoteEnd(socket))} ${endText(localEnd(socket))}`);
    if (socket.ino !== undefined && other?.ino !== undefined) pairs.set(socket.ino, other.ino);
  }
  return pairs;
}

/** The sockets, by their `ino`, of connections that go on. */
export const connectionsWithin = (files: readonly FileEntry[]): Set<number> => new Set(pairsOf(files).keys());

/** Of connections that would be closed, "local -> remote". */
export function connectionsThatLeave(files: readonly FileEntry[]): string[] {
  const pairs = pairsOf(files);
  return files.flatMap(({ isk }) => {
    if (isk === undefined || !isConnection(isk) || pairs.has(isk.ino ?? 0)) return [];
    return [`${endText(localEnd(isk))} -> ${endText(remoteEnd(isk))}`];
  });
}

/**
 * As CRIU restores a socket that was never connected: the program reads that it is not.
 * @param hasStream is there what a connection's socket, by its `ino`, needs to go on? An older agent's images hold none of it.
 */
export function withConnectionsClosed(
  files: readonly FileEntry[],
  hasStream: (ino: number) => boolean = () => true,
): FileEntry[] {
  const pairs = pairsOf(files, hasStream);
  return files.map((file) => {
    const { isk } = file;
    if (isk === undefined || !isConnection(isk) || pairs.has(isk.ino ?? 0)) return file;
    const none = { src_port: 0, dst_port: 0, src_addr: zeros(isk.src_addr), dst_addr: zeros(isk.dst_addr) };
    return { ...file, isk: { ...isk, ...none, state: CLOSE } };
  });
}

const zeros = (words: readonly number[] = []): number[] => words.map(() => 0);

/**
 * Of connections that go on, by the `ino` of their sockets: those with bytes that were not sent yet. Throws an ImageError when bytes that one end no longer has did not come to
 * the other: the two ends are not dumped in one moment.
 */
export function streamsWithUnsent(
  files: readonly FileEntry[],
  streamOf: (ino: number) => TcpStream,
): Map<number, TcpStream> {
  const pairs = pairsOf(files);
  const streams = new Map([...pairs.keys()].map((ino) => [ino, streamOf(ino)]));
  for (const [ino, other] of pairs) {
    const { outq_seq = 0, outq_len = 0 } = streams.get(ino) ?? {};
    const { inq_seq = 0 } = streams.get(other) ?? {};
    const arrivedBytes = (inq_seq - (outq_seq - outq_len)) | 0; // of what the sender still has; sequence numbers wrap
    if (arrivedBytes < 0)
      throw new ImageError("bytes of a connection within the container were on their way when it was dumped");
  }
  return new Map([...streams].filter(([, { unsq_len = 0 }]) => unsq_len > 0));
}

/**
 * What makes all of a stream count as sent: else CRIU would send the rest while the other end is not there yet, and the kernel would answer with a reset; lost on the way, it is
 * sent again. The number 0 of as many bytes as the number that is there, so that the file, which may be large, stays as it is beside.
 * @returns where in the stream's message, and what
 */
export function countingAsSent({ unsq_len = 0, ...stream }: TcpStream): { at: number; bytes: Uint8Array } {
  const before = Object.fromEntries(Object.entries(stream).filter(([name]) => BEFORE_UNSENT.has(name)));
  const entry = tcpStreamOf(0).entry;
  const at = entry.encode(before).length + 1; // after the field's key
  const bytes = new Uint8Array(entry.encode({ unsq_len }).length - 1).fill(0x80);
  bytes[bytes.length - 1] = 0;
  return { at, bytes };
}

/** Fields of a tcp_stream_entry with lower numbers. */
const BEFORE_UNSENT = new Set([
  "inq_len",
  "inq_seq",
  "outq_len",
  "outq_seq",
  "opt_mask",
  "snd_wscale",
  "mss_clamp",
  "rcv_wscale",
  "timestamp",
  "cork",
  "nodelay",
]);

/**
 * With the pod's addresses on this node for those that it had.
 * @throws ImageError if there is no such address, or it isn't known which
 */
export function withAddresses(files: readonly FileEntry[], here: readonly Address[]): FileEntry[] {
  const had = new Set(files.flatMap(({ isk }) => (isk?.src_addr ? [addressOf(isk.src_addr)] : [])).filter(isOfItsOwn));
  const now = new Map([...had].map((address) => [address, successorOf(address, [...had], here)]));
  const moved = (words: number[] | undefined): number[] | undefined => {
    const to = words && now.get(addressOf(words));
    return words && to ? wordsOf(to, words.length) : words;
  };
  return files.map((file) => {
    const { isk } = file;
    if (isk === undefined) return file;
    const [src_addr, dst_addr] = [moved(isk.src_addr), moved(isk.dst_addr)];
    return { ...file, isk: { ...isk, ...(src_addr && { src_addr }), ...(dst_addr && { dst_addr }) } };
  });
}

function successorOf(address: Address, had: readonly Address[], here: readonly Address[]): Address {
  if (here.includes(address)) return address;
  const isAlike = (other: Address): boolean =>
    isIPv4(other) === isIPv4(address) && isLinkLocal(other) === isLinkLocal(address);
  const [successor, ...more] = here.filter(isAlike);
  if (successor === undefined || more.length > 0 || had.filter(isAlike).length > 1) {
    throw new ImageError(
      `a socket is bound to the pod's address ${addressText(address)}, and which one the pod has for it on this node is not known`,
    );
  }
  return successor;
}
