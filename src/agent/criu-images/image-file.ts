/** A file of CRIU's images: two magic numbers (in the inventory only one), then entries, each a length and a message. */
import { closeSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ImageError } from "./message.ts";

/** Of all images of a container; the second number is the file's own. */
const COMMON_MAGIC = 0x54564319;
const MAGIC_BYTES = 4;
const HEADER_BYTES = 2 * MAGIC_BYTES;
const LENGTH_BYTES = 4;
/** Where the first entry's message begins. */
export const FIRST_MESSAGE_AT = HEADER_BYTES + LENGTH_BYTES;

export interface ImageKind<T> {
  /** Of the file. */
  name: string;
  magic: number;
  /** The file begins with its own magic number alone. */
  lacksCommonMagic?: true;
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

/** The first entry of a file that goes on with bytes that are no entries. Pure. */
export function decodeLeading<T>(kind: ImageKind<T>, content: Buffer): T {
  return entryAt(kind, content, begins(kind, content)).entry;
}

export function encodeImage<T>({ magic, entry, lacksCommonMagic }: ImageKind<T>, entries: readonly T[]): Buffer {
  const parts = entries.flatMap((message) => {
    const content = entry.encode(message);
    return [words(content.length), content];
  });
  return Buffer.concat([lacksCommonMagic ? words(magic) : words(COMMON_MAGIC, magic), ...parts]);
}

/** Of tens of thousands of entries. A larger one would cost the reader its memory. */
const MOST_BYTES = 32 << 20;

/** Throws an ImageError, also when it is not there or far larger than any container's. */
export function readImage<T>(folder: string, kind: ImageKind<T>): T[] {
  const path = join(folder, kind.name);
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) throw new ImageError(`there is no ${kind.name}`);
  if (size > MOST_BYTES) throw new ImageError(`${kind.name} has ${size} bytes, ${MOST_BYTES} are read`);
  return decodeImage(kind, readFileSync(path));
}

const LEADING_BYTES = 4096;

/** The first entry of a file that may be large. */
export function readLeading<T>(folder: string, kind: ImageKind<T>): T {
  const file = openSync(join(folder, kind.name), "r");
  try {
    const content = Buffer.alloc(LEADING_BYTES);
    return decodeLeading(kind, content.subarray(0, readSync(file, content)));
  } finally {
    closeSync(file);
  }
}

/** Over as many bytes of a file, which stays as large as it is. */
export function overwrite(folder: string, { name }: { name: string }, at: number, bytes: Uint8Array): void {
  const file = openSync(join(folder, name), "r+");
  try {
    writeSync(file, bytes, 0, bytes.length, at);
  } finally {
    closeSync(file);
  }
}

/** Over what is there, in one step. */
export function writeImage(folder: string, { name }: { name: string }, content: Buffer): void {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Where the first entry is. */
function begins({ name, magic, lacksCommonMagic }: ImageKind<unknown>, content: Buffer): number {
  const expected = lacksCommonMagic ? words(magic) : words(COMMON_MAGIC, magic);
  if (content.length < expected.length) throw new ImageError(`${name} is cut short`);
  if (!content.subarray(0, expected.length).equals(expected))
    throw new ImageError(`${name} does not begin as such an image does`);
  return expected.length;
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
