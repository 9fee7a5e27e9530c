/**
 * Sockets of a container that goes to another node. A TCP connection whose two ends are both in the container goes on; any other is closed,
 * because its other end does not know of the move. What was bound to an address of the pod is bound to the one that the pod has now. Pure.
 */
import {
  type Address,
  addressOf,
  addressText,
  endText,
  isIPv4,
  isLinkLocal,
  isOfItsOwn,
  wordsOf,
} from "./addresses.ts";
import type { FileEntry, InetSocket, TcpStream } from "./definitions.ts";
import { ImageError } from "./message.ts";

const TCP = 6;
const STREAM = 1;
const [ESTABLISHED, CLOSE] = [1, 7];

interface End {
  address: Address;
  port: number;
}

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
 * The streams of connections that go on, by the `ino` of their sockets. What was not sent counts as sent: else CRIU would send it while the other end is not there yet, and
 * the kernel would answer with a reset; lost on the way, it is sent again. Throws an ImageError when bytes that one end no longer has did not come to the other: the two ends
 * are not dumped in one moment.
 */
export function streamsThatGoOn(
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
  return new Map([...streams].map(([ino, stream]) => [ino, { ...stream, unsq_len: 0 }]));
}

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
