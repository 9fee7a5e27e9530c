/** A file of CRIU's images: two magic numbers, then entries, each a length and a message. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ImageError } from "./message.ts";

/** Of all images of a container; the second number is the file's own. */
const COMMON_MAGIC = 0x54564319;
const HEADER_BYTES = 8;
const LENGTH_BYTES = 4;

export interface ImageKind<T> {
  /** Of the file. */
  name: string;
  magic: number;
  entry: { decode(content: Uint8Array): T; encode(message: T): Uint8Array };
}

/** Pure. Throws an ImageError that names the file. */
export function decodeImage<T>(kind: ImageKind<T>, content: Buffer): T[] {
  const entries: T[] = [];
  for (let at = begins(kind, content); at < content.length; ) {
    const { entry, end } = entryAt(kind, content, at);
    entries.push(entry);
    at = end;
  }
  return entries;
}

/** Of a file that has one entry, and then bytes that are no entries. Pure. */
export function decodeLeading<T>(kind: ImageKind<T>, content: Buffer): { entry: T; rest: Buffer } {
  const { entry, end } = entryAt(kind, content, begins(kind, content));
  return { entry, rest: content.subarray(end) };
}

export function encodeImage<T>({ magic, entry }: ImageKind<T>, entries: readonly T[]): Buffer {
  const parts = entries.flatMap((message) => {
    const content = entry.encode(message);
    return [words(content.length), content];
  });
  return Buffer.concat([words(COMMON_MAGIC, magic), ...parts]);
}

export function readImage<T>(folder: string, kind: ImageKind<T>): T[] {
  return decodeImage(kind, readFileSync(join(folder, kind.name)));
}

/** Over what is there, in one step. */
export function writeImage(folder: string, { name }: { name: string }, content: Buffer): void {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Where the first entry is. */
function begins({ name, magic }: ImageKind<unknown>, content: Buffer): number {
  if (content.length < HEADER_BYTES) throw new ImageError(`${name} is cut short`);
  if (content.readUInt32LE(0) !== COMMON_MAGIC || content.readUInt32LE(4) !== magic)
    throw new ImageError(`${name} does not begin as such an image does`);
  return HEADER_BYTES;
}

function entryAt<T>({ name, entry }: ImageKind<T>, content: Buffer, at: number): { entry: T; end: number } {
  const from = at + LENGTH_BYTES;
  const end = from <= content.length ? from + content.readUInt32LE(at) : from;
  if (end > content.length) throw new ImageError(`${name} is cut short`);
  try {
    return { entry: entry.decode(content.subarray(from, end)), end };
  } catch (error) {
    throw error instanceof ImageError ? new ImageError(`${name}: ${error.message}`) : error;
  }
}

function words(...values: number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, 4 * index);
  return buffer;
}
