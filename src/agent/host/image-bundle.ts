/**
 * CRIU's small images on the wire: a JSON line that names them and their sizes, then their contents one after the other. Most are a few
 * kilobytes; deleted files that the container has open are among them and may be large, so no image is ever whole in memory.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";

const headerSchema = z.array(
  z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), size: z.int().nonnegative() }),
);
type Header = z.infer<typeof headerSchema>;

const PIECE_BYTES = 1 << 20;

/** Every file of a folder as one body. They must not change until it is read. */
export function bundleImages(directory: string): { bytes: number; body: Readable } {
  const header = readdirSync(directory).map((name) => ({ name, size: statSync(join(directory, name)).size }));
  const first = Buffer.from(`${JSON.stringify(header)}\n`);
  const bytes = header.reduce((sum, { size }) => sum + size, first.length);
  return { bytes, body: Readable.from(inPieces(first, directory, header), { objectMode: false }) };
}

/** Many small files go as one piece. */
function* inPieces(first: Buffer, directory: string, header: Header): Generator<Buffer> {
  let held: Buffer[] = [first];
  let heldBytes = first.length;
  for (const { name, size } of header) {
    for (const piece of contentOf(join(directory, name), size)) {
      held.push(piece);
      heldBytes += piece.length;
      if (heldBytes < PIECE_BYTES) continue;
      yield Buffer.concat(held);
      held = [];
      heldBytes = 0;
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

function* contentOf(path: string, size: number): Generator<Buffer> {
  const file = openSync(path, "r");
  try {
    for (let left = size; left > 0; ) {
      const piece = Buffer.alloc(Math.min(left, PIECE_BYTES));
      const read = readSync(file, piece);
      if (read === 0) throw new Error(`${basename(path)} became shorter while it was read`);
      yield piece.subarray(0, read);
      left -= read;
    }
  } finally {
    closeSync(file);
  }
}

/** The header names a few dozen files, and each deleted one. */
const HEADER_BYTES = 1 << 20;
/** Images on a tmpfs are charged to the process that writes them: up to this size in all that may be the agent. */
const OWN_BYTES = 32 << 20;

/**
 * Writes the files of a body into a folder as they come. Rejects when the body is cut short, names a path or doesn't fit; the files
 * that it has begun are gone then.
 * @param groups cgroup.procs files (as this process finds them) of the group that large ones are charged to.
 */
export async function unbundleImages(directory: string, body: Readable, groups: readonly string[] = []): Promise<void> {
  const source = new ExactReader(body);
  const header = headerSchema.parse(JSON.parse(await source.line(HEADER_BYTES)));
  const large = header.reduce((sum, { size }) => sum + size, 0) > OWN_BYTES;
  const write = large && groups.length > 0 ? writeFromGroup(groups) : writeImage;
  try {
    for (const { name, size } of header) await write(join(directory, name), size, source);
  } catch (error) {
    for (const { name } of header) rmSync(join(directory, name), { force: true });
    throw error;
  }
}

async function writeImage(path: string, size: number, source: ExactReader): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    for await (const piece of source.exactly(size, basename(path))) await file.write(piece);
  } finally {
    await file.close();
  }
}

/** $1: the file, then cgroup.procs files. */
const WRITER = 'file=$1; shift; for group; do echo $$ >"$group" || exit 1; done; umask 077; exec cat >"$file"';

function writeFromGroup(groups: readonly string[]): typeof writeImage {
  return async (path, size, source) => {
    const child = spawn("/bin/sh", ["-c", WRITER, "headroom-write", path, ...groups], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 137));
    });
    ended.catch(() => undefined); // awaited below
    try {
      await pipeline(source.exactly(size, basename(path)), child.stdin);
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      throw error;
    }
    const code = await ended;
    if (code !== 0) throw new Error(`${basename(path)} cannot be written (exit code ${code})`);
  };
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

  /** This number of bytes, in pieces. Rejects when there are fewer. */
  async *exactly(bytes: number, name: string): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      const piece = await this.#upTo(left);
      if (piece === undefined) throw new Error(`${name} is cut short`);
      left -= piece.length;
      yield piece;
    }
  }

  /** At least one byte, `bytes` at most; undefined at the end. */
  async #upTo(bytes: number): Promise<Buffer | undefined> {
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
