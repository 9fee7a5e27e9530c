/**
 * Who gets through to the TLS handshake. Anybody on the pod network can connect to an agent's port, and each connection costs memory; so only
 * a few may wait that have not shown a certificate yet, and a connection costs next to nothing until it speaks.
 *
 * When too many wait, one of the address with the most of them goes, the oldest first, and a silent one before one that has spoken. So a
 * flood from a few addresses displaces itself, and a client of another address always gets through. Addresses that have shown a certificate
 * before are favoured.
 */
import type { Socket } from "node:net";

export interface ConnectionLimitOptions {
  /** Connections that may wait, without a certificate yet. */
  waiting: number;
  /** What an address may have waiting beyond others when it has shown a certificate before. */
  favour: number;
  /** A connection must have spoken within this time. */
  silenceMs: number;
}

export const DEFAULT_LIMITS: ConnectionLimitOptions = { waiting: 256, favour: 64, silenceMs: 5_000 };

/** Of these at most is remembered that they have shown a certificate. */
const KNOWN_ADDRESSES = 1_000;

interface Waiting {
  socket: Socket;
  silence: NodeJS.Timeout;
}

/** The connections of one address that wait, the oldest first. */
interface Address {
  silent: Map<string, Waiting>;
  speaking: Map<string, Waiting>;
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitOptions;
  readonly #addresses = new Map<string, Address>();
  readonly #known = new Set<string>();
  #waiting = 0;

  constructor(options: ConnectionLimitOptions = DEFAULT_LIMITS) {
    this.#options = options;
  }

  /** Calls `onSpeaking` when the connection's first bytes are there to be read. */
  accept(socket: Socket, onSpeaking: (socket: Socket) => void): void {
    const address = socket.remoteAddress ?? "";
    const key = keyOf(socket);
    socket.on("error", () => undefined); // its handshake tells, where there is one
    socket.once("close", () => this.#forget(address, key));
    const silence = setTimeout(() => socket.resetAndDestroy(), this.#options.silenceMs);
    this.#of(address).silent.set(key, { socket, silence });
    this.#waiting++;
    socket.once("data", (first: Buffer) => {
      socket.pause();
      this.#speaks(address, key);
      socket.unshift(first);
      onSpeaking(socket);
    });
    if (this.#waiting > this.#options.waiting) this.#displace();
  }

  /** The connection has shown a certificate of the authority: it no longer counts. */
  authenticated(socket: Pick<Socket, "remoteAddress" | "remotePort">): void {
    const address = socket.remoteAddress ?? "";
    this.#forget(address, keyOf(socket));
    this.#known.delete(address);
    this.#known.add(address);
    const [oldest = ""] = this.#known;
    if (this.#known.size > KNOWN_ADDRESSES) this.#known.delete(oldest);
  }

  /** Ends all that wait. */
  close(): void {
    for (const { silent, speaking } of [...this.#addresses.values()]) {
      for (const { socket } of [...silent.values(), ...speaking.values()]) socket.destroy();
    }
  }

  #of(address: string): Address {
    const found = this.#addresses.get(address) ?? { silent: new Map(), speaking: new Map() };
    this.#addresses.set(address, found);
    return found;
  }

  #speaks(address: string, key: string): void {
    const { silent, speaking } = this.#of(address);
    const waiting = silent.get(key);
    if (!waiting) return;
    clearTimeout(waiting.silence);
    silent.delete(key);
    speaking.set(key, waiting);
  }

  #displace(): void {
    const counts = [...this.#addresses].map(([name, { silent, speaking }]) => ({
      name,
      beyond: silent.size + speaking.size - (this.#known.has(name) ? this.#options.favour : 0),
    }));
    const most = counts.reduce((a, b) => (b.beyond > a.beyond ? b : a));
    const { silent, speaking } = this.#of(most.name);
    const [[key, { socket }] = ["", { socket: undefined }]] = silent.size > 0 ? silent : speaking;
    this.#forget(most.name, key);
    socket?.resetAndDestroy();
  }

  #forget(address: string, key: string): void {
    const found = this.#addresses.get(address);
    const waiting = found?.silent.get(key) ?? found?.speaking.get(key);
    if (!found || !waiting) return;
    clearTimeout(waiting.silence);
    found.silent.delete(key);
    found.speaking.delete(key);
    this.#waiting--;
    if (found.silent.size + found.speaking.size === 0) this.#addresses.delete(address);
  }
}

/** A socket and the TLS socket on top of it have the same. */
function keyOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}
