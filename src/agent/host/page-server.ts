/**
 * A move's page server. The agent listens itself, on the node's address and a fresh port, takes one connection, from the
 * source's address alone and from one who knows the move's token, and hands that to CRIU; from then on CRIU's process, in the move's
 * own control group, does without the agent.
 */
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { exitCodeOf, startDetached } from "./detached.ts";
import type { Host } from "./host.ts";
import { targetMoveOf } from "./layout.ts";
import { answerGreeting, type ExpectedGreeting } from "./page-greeting.ts";

export interface PageListening {
  moveUID: string;
  /** The node's own address. */
  address: string;
  /** 0: any free port. */
  port: number;
  sourceAddress: string;
  /** What is said first on a connection to this port. */
  greeting: (port: number) => ExpectedGreeting;
  /** cgroup.procs files of the move's group. */
  groups: readonly string[];
}

export interface PageListener {
  port: number;
  close(): void;
}

/** Name of the detached `criu page-server`. */
export function pageServerOf(moveUID: string): string {
  return join(targetMoveOf(moveUID).directory, "page-server");
}

/** Makes room for a page server anew when the move's has failed, e.g. with its connection. One that has all pages is kept. */
export function forgetFailedPageServer(host: Host, moveUID: string): boolean {
  if ((exitCodeOf(host, pageServerOf(moveUID)) ?? 0) === 0) return false;
  for (const ending of ["pid", "exit", "out"]) rmSync(host.path(`${pageServerOf(moveUID)}.${ending}`), { force: true });
  return true;
}

/** Connections that have not said yet who they are. The oldest gives way to a newer one: the source greets as soon as it is connected. */
const WAITING = 16;
const GREETING_MS = 1_000;
/** Reading a greeting takes a process. The source connects again when it is turned away. */
const GREETINGS_PER_SECOND = 100;

export async function listenForPages(
  host: Host,
  options: PageListening,
  onRefused: (message: string) => void,
): Promise<PageListener> {
  const server = createServer({ pauseOnConnect: true });
  const waiting = new Map<Socket, AbortController>();
  let latestMs: number[] = [];
  const refuse = (socket: Socket, why: string) => {
    if (server.listening)
      onRefused(`${nameOf(socket)} to the page server of move ${options.moveUID} was refused: ${why}`);
    socket.destroy();
  };
  const close = () => {
    server.close();
    for (const reading of waiting.values()) reading.abort();
  };
  const take = async (socket: Socket) => {
    const reading = new AbortController();
    waiting.set(socket, reading);
    const [oldest] = waiting.values();
    if (waiting.size > WAITING) oldest?.abort(new Error("it said nothing, and others wait"));
    latestMs = [...latestMs.filter((ms) => Date.now() - ms < 1_000), Date.now()];
    const word = options.greeting(portOf(server));
    await answerGreeting(socket, word, GREETING_MS, reading.signal).finally(() => waiting.delete(socket));
    if (!server.listening) throw new Error("another connection was taken");
    close();
    await handOver(host, options, socket).catch((error: unknown) => onRefused(`page server: ${String(error)}`));
  };
  server.on("connection", (socket) => {
    socket.on("error", () => undefined);
    if (plainAddress(socket.remoteAddress) !== plainAddress(options.sourceAddress))
      refuse(socket, "not the source's address");
    else if (latestMs.filter((ms) => Date.now() - ms < 1_000).length >= GREETINGS_PER_SECOND)
      refuse(socket, "too many connect");
    else void take(socket).catch((error: Error) => refuse(socket, error.message));
  });
  await listening(server, options);
  return { port: portOf(server), close };
}

function nameOf(socket: Socket): string {
  return `a connection from ${socket.remoteAddress}`;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

function listening(server: Server, options: PageListening): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.address, resolve);
  });
}

/** An IPv4 address may come in IPv6 notation. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "");
}

/** CRIU works on the connection from here on; the agent's own descriptor is closed once CRIU has its copy. */
async function handOver(host: Host, options: PageListening, socket: Socket): Promise<void> {
  const move = targetMoveOf(options.moveUID);
  try {
    await startDetached(host, {
      name: pageServerOf(options.moveUID),
      argv: [
        "criu",
        "page-server",
        "--ps-socket",
        "9",
        "-D",
        move.images,
        "-W",
        move.work,
        "-o",
        "page-server.log",
        "-v2",
      ],
      groups: options.groups,
      socket,
    });
  } finally {
    socket.destroy();
  }
}
