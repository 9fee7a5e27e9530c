/**
 * The TCP connection that CRIU's pages flow through. It is made before the freeze and handed to CRIU as a descriptor
 * (`ps-socket`). CRIU corks it, and says goodbye with a few bytes that a corked socket holds back for 200 ms: switching
 * TCP_NODELAY on pushes them out, so that is done every few milliseconds for as long as CRIU dumps.
 */
import { connect, type Socket } from "node:net";
import { greet, type PageGreeting } from "./page-greeting.ts";

const PUSH_INTERVAL_MS = 3;

export interface PageConnection {
  socket: Socket;
  /** Closes this process's end; CRIU goes on with its own. */
  close(): void;
  /** Shuts the connection down, for CRIU as well: its dump fails, and it cures the tasks that it works on. */
  shutDown(): void;
}

/** Where to, and what both sides say first. */
export interface PageAddress {
  address: string;
  port: number;
  greeting: PageGreeting;
}

/** Resolves when the target has shown that it is the move's. `timeoutMs` for each of connecting and greeting. */
export async function connectPages(
  { address, port, greeting }: PageAddress,
  timeoutMs: number,
): Promise<PageConnection> {
  const socket = connect({ host: address, port });
  socket.pause(); // what the page server says is CRIU's to read
  await connected(socket, timeoutMs);
  socket.on("error", () => undefined); // CRIU reports a broken connection in its own words
  await greet(socket, greeting, timeoutMs).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  const pushing = setInterval(() => {
    socket.setNoDelay(false);
    socket.setNoDelay(true);
  }, PUSH_INTERVAL_MS);
  const shutDown = () => {
    clearInterval(pushing);
    socket.end(() => socket.destroy());
  };
  const close = () => {
    clearInterval(pushing);
    if (!socket.writableEnded) socket.destroy();
  };
  return { socket, close, shutDown };
}

function connected(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
