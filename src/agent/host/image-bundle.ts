/** CRIU's small images on the wire: a JSON line that names them and their sizes, then their contents one after the other. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { z } from "zod";

const headerSchema = z.array(
  z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), size: z.int().nonnegative() }),
);

/** Reads every file of a folder into one body. */
export function bundleImages(directory: string): Buffer {
  const names = readdirSync(directory);
  const contents = names.map((name) => readFileSync(join(directory, name)));
  const header = names.map((name, index) => ({ name, size: contents[index]?.length ?? 0 }));
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...contents]);
}

/** The header names a few dozen files. */
const HEADER_BYTES = 1 << 20;

/**
 * Writes the files of a body into a folder as they come. Rejects when the body is cut short, names a path or doesn't fit; the files
 * that it has begun are gone then.
 */
export async function unbundleImages(directory: string, body: Readable): Promise<void> {
  const source = new ExactReader(body);
  const header = headerSchema.parse(JSON.parse(await source.line(HEADER_BYTES)));
  try {
    for (const { name, size } of header) await writeImage(join(directory, name), size, source);
  } catch (error) {
    for (const { name } of header) rmSync(join(directory, name), { force: true });
    throw error;
  }
}

async function writeImage(path: string, size: number, source: ExactReader): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    for (let left = size; left > 0; ) {
      const chunk = await source.upTo(left);
      if (chunk === undefined) throw new Error(`${basename(path)} is cut short`);
      await file.write(chunk);
      left -= chunk.length;
    }
  } finally {
    await file.close();
  }
}

/** Reads a stream piece by piece. */
class ExactReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(body: Readable) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** Without its newline. */
  async line(limitBytes: number): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString("utf8");
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > limitBytes) throw new Error("the list of images is too long");
      const { done, value } = await this.#chunks.next();
      if (done) throw new Error("the list of images is cut short");
      this.#rest = Buffer.concat([this.#rest, value]);
    }
  }

  /** At least one byte, `bytes` at most; undefined at the end. */
  async upTo(bytes: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const chunk = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(chunk.length);
    return chunk;
  }
}
