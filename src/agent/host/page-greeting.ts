/**
 * The first bytes on a page connection: source and target show each other that they know the move's token, which reached both over
 * mutual TLS. Only then is the connection CRIU's. Every word is as long as was agreed and is read by a program that reads no byte more (Node
 * reads ahead), so that CRIU's own first byte is still there.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";

/** Of each word, bytes. */
export const GREETING_BYTES = 32;

export interface PageGreeting {
  /** Said by the source. */
  source: Buffer;
  /** Said by the target, in answer. */
  target: Buffer;
}

/** Of one listener only: a word that was overheard opens no other. */
export function greetingOf(token: string, moveUID: string, port: number): PageGreeting {
  const word = (who: string) => createHmac("sha256", token).update(`headroom pages ${who} ${moveUID} ${port}`).digest();
  return { source: word("source"), target: word("target") };
}

/** What the listener keeps: of the source's word only a digest. */
export interface ExpectedGreeting {
  sourceDigest: Buffer;
  target: Buffer;
}

export function expected({ source, target }: PageGreeting): ExpectedGreeting {
  return { sourceDigest: digestOf(source), target };
}

const digestOf = (word: Buffer): Buffer => createHash("sha256").update(word).digest();

/** The source's part. Rejects when the other side is not the move's target, or doesn't say so in time. */
export async function greet(socket: Socket, greeting: PageGreeting, timeoutMs: number): Promise<void> {
  socket.write(greeting.source);
  const answer = await readWord(socket, timeoutMs);
  if (!timingSafeEqual(answer, greeting.target)) throw new Error("who listens there is not the move's target");
}

/**
 * The target's part. Rejects when the other side is not the move's source, or doesn't say so in time.
 * @param signal gives it up.
 */
export async function answerGreeting(
  socket: Socket,
  { sourceDigest, target }: ExpectedGreeting,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const word = await readWord(socket, timeoutMs, signal);
  if (!timingSafeEqual(digestOf(word), sourceDigest)) throw new Error("it does not know the move's token");
  await new Promise<void>((resolve, reject) => {
    socket.write(target, (error) => (error ? reject(error) : resolve()));
  });
}

/** `socket` must not be read by this process, before or after. */
async function readWord(socket: Socket, timeoutMs: number, signal?: AbortSignal): Promise<Buffer> {
  const options = ["bs=1", `count=${GREETING_BYTES}`];
  const limits = { timeout: timeoutMs, ...(signal ? { signal } : {}) };
  const reader: ChildProcess = spawn("dd", options, { stdio: [socket, "pipe", "ignore"], ...limits });
  const failed = new Promise<never>((_, reject) => reader.once("error", reject));
  if (reader.stdout === null) throw new Error("dd has no output");
  const word = await Promise.race([buffer(reader.stdout), failed]);
  if (word.length !== GREETING_BYTES) throw new Error(`it has not said who it is within ${timeoutMs} ms`);
  return word;
}
