/** IP addresses as CRIU's images have them, and those of a pod's network. Pure. */
import { ImageError } from "./message.ts";

/** Sixteen bytes in hex; an IPv4 address in IPv6's form (RFC 4291, 2.5.5.2). */
export type Address = string;

const MAPPED = "00000000000000000000ffff";

/** From an image's words. */
export function addressOf(words: readonly number[]): Address {
  const bytes = Buffer.alloc(4 * words.length);
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 4 * index);
  if (words.length === 1) return MAPPED + bytes.toString("hex");
  if (words.length === 4) return bytes.toString("hex");
  throw new ImageError(`a socket has an address of ${words.length} words`);
}

/** To `count` words. */
export function wordsOf(address: Address, count: number): number[] {
  const bytes = Buffer.from(address, "hex").subarray(count === 1 ? 12 : 0);
  return Array.from({ length: count }, (_, index) => bytes.readUInt32LE(4 * index));
}

export const isIPv4 = (address: Address): boolean => address.startsWith(MAPPED);
export const isLinkLocal = (address: Address): boolean => /^fe[89ab]/.test(address);

/** An address that a pod has and no other: not a wildcard, of the loopback, of a group or for all. */
export function isOfItsOwn(address: Address): boolean {
  if (!isIPv4(address)) return !/^(0{32}|0{31}1|ff.*)$/.test(address);
  const first = Number.parseInt(address.slice(24, 26), 16);
  return first !== 127 && first < 224 && !address.endsWith("00000000");
}

export function addressText(address: Address): string {
  if (isIPv4(address)) return [...Buffer.from(address.slice(24), "hex")].join(".");
  return (address.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}

/** Of a connection. */
export interface End {
  address: Address;
  port: number;
}

export function endText({ address, port }: End): string {
  return isIPv4(address) ? `${addressText(address)}:${port}` : `[${addressText(address)}]:${port}`;
}

/** What a network namespace calls its own, from its `fib_trie` and `if_inet6`. */
export function localAddresses(fibTrie: string, ifInet6: string): Address[] {
  const found = [...fibTrie.matchAll(/\|-- (\d+)\.(\d+)\.(\d+)\.(\d+)\n\s+\/32 host LOCAL/g)];
  const v4 = found.map((match) => MAPPED + Buffer.from(match.slice(1).map(Number)).toString("hex"));
  const v6 = ifInet6.split("\n").flatMap((line) => /^[0-9a-f]{32}(?= )/.exec(line) ?? []);
  return [...new Set([...v4, ...v6])].filter(isOfItsOwn);
}
