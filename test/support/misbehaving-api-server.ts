/** A small API server for one kind of object (pods) that misbehaves on demand, in the ways real ones do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";

/** What the next request of its sort meets, in place of a proper answer. */
export type Mischief =
  | { kind: "status"; code: number; retryAfter?: number; plain?: boolean }
  /** Watch: 200, then an ERROR event with this code. */
  | { kind: "errorEvent"; code: number }
  /** The connection is cut: before the answer (list), or after the headers (watch). */
  | { kind: "reset" }
  /** Accepted, and then nothing. */
  | { kind: "silence" }
  /** Watch: a whole event, then half of one, then the connection is cut. */
  | { kind: "cutInTheMiddle" }
  | { kind: "garbage" }
  /** Watch: ends properly at once. */
  | { kind: "hangUp" }
  /** A proper answer after so many milliseconds. */
  | { kind: "slow"; milliseconds: number };

export interface SeenRequest {
  sort: "list" | "watch" | "other";
  resourceVersion: string | undefined;
  atMs: number;
  authorization: string | undefined;
}

interface Stored {
  metadata: { name: string; namespace: string; uid: string; resourceVersion: string };
}

interface Change {
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: Stored;
  version: number;
}

export class MisbehavingApiServer {
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;
  readonly #objects = new Map<string, Stored>();
  readonly #streams = new Set<ServerResponse>();
  readonly #mischief: Record<"list" | "watch", Mischief[]> = { list: [], watch: [] };
  #history: Change[] = [];
  #version = 100;
  #compacted = 0;

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async start(): Promise<MisbehavingApiServer> {
    const server = new MisbehavingApiServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: "test", server: this.url, skipTLSVerify: true }],
      users: [{ name: "test", token: "kube-token-that-must-not-show" }],
      contexts: [{ name: "test", cluster: "test", user: "test" }],
      currentContext: "test",
    });
    return config;
  }

  /** The next requests of this sort meet these, one each, in this order. */
  next(sort: "list" | "watch", ...mischief: Mischief[]): void {
    this.#mischief[sort].push(...mischief);
  }

  put(name: string): void {
    const version = ++this.#version;
    const known = this.#objects.get(name);
    const uid = known?.metadata.uid ?? `uid-${name}-${version}`;
    const object = { metadata: { name, namespace: "default", uid, resourceVersion: String(version) } };
    this.#objects.set(name, object);
    this.#publish({ type: known ? "MODIFIED" : "ADDED", object, version });
  }

  remove(name: string): void {
    const known = this.#objects.get(name);
    if (!known) return;
    const version = ++this.#version;
    this.#objects.delete(name);
    const object = { metadata: { ...known.metadata, resourceVersion: String(version) } };
    this.#publish({ type: "DELETED", object, version });
  }

  bookmark(): void {
    const version = ++this.#version;
    const object = { kind: "Pod", apiVersion: "v1", metadata: { resourceVersion: String(version) } };
    for (const stream of this.#streams) writeLine(stream, { type: "BOOKMARK", object });
  }

  /** Forgets the history: watches from before now get 410. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  get watching(): number {
    return this.#streams.size;
  }

  get version(): string {
    return String(this.#version);
  }

  /** Cuts every watch. */
  cutWatches(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  count(sort: "list" | "watch"): number {
    return this.seen.filter((request) => request.sort === sort).length;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #publish(change: Change): void {
    this.#history.push(change);
    for (const stream of this.#streams) writeLine(stream, change);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    const pods = url.pathname === "/api/v1/pods";
    const sort = !pods ? "other" : url.searchParams.has("watch") ? "watch" : "list";
    const resourceVersion = url.searchParams.get("resourceVersion") ?? undefined;
    this.seen.push({ sort, resourceVersion, atMs: Date.now(), authorization: request.headers.authorization });
    const proper = () => (sort === "list" ? this.#list(response) : this.#watch(response, Number(resourceVersion)));
    const mischief = sort === "other" ? undefined : this.#mischief[sort].shift();
    if (sort === "other") status(response, 404);
    else if (mischief) this.#misbehave(mischief, response, proper);
    else proper();
  }

  #list(response: ServerResponse): void {
    const body = { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: this.version } };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ ...body, items: [...this.#objects.values()] }));
  }

  #watch(response: ServerResponse, from: number): void {
    begin(response);
    if (from < this.#compacted) {
      writeLine(response, errorEvent(410)).end();
      return;
    }
    for (const change of this.#history) if (change.version > from) writeLine(response, change);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #misbehave(mischief: Mischief, response: ServerResponse, proper: () => void): void {
    const { kind } = mischief;
    if (kind === "status") status(response, mischief.code, mischief);
    else if (kind === "reset") response.destroy();
    else if (kind === "slow") setTimeout(proper, mischief.milliseconds);
    else {
      begin(response);
      if (kind === "errorEvent") writeLine(response, errorEvent(mischief.code)).end();
      if (kind === "cutInTheMiddle") this.#cutInTheMiddle(response);
      if (kind === "garbage") response.write("<html>Bad gateway</html>\n");
      if (kind === "hangUp") response.end();
    }
  }

  #cutInTheMiddle(response: ServerResponse): void {
    const line = JSON.stringify(this.#history.at(-1) ?? {});
    response.write(line.slice(0, line.length / 2), () => response.destroy());
  }
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
}

function writeLine(response: ServerResponse, event: { type: string; object: unknown }): ServerResponse {
  response.write(`${JSON.stringify({ type: event.type, object: event.object })}\n`);
  return response;
}

function errorEvent(code: number): { type: string; object: unknown } {
  return { type: "ERROR", object: { kind: "Status", status: "Failure", code, message: `code ${code}` } };
}

function status(response: ServerResponse, code: number, how: { retryAfter?: number; plain?: boolean } = {}): void {
  if (how.retryAfter !== undefined) response.setHeader("retry-after", String(how.retryAfter));
  response.writeHead(code, { "content-type": how.plain ? "text/plain" : "application/json" });
  const body = { kind: "Status", status: "Failure", code, message: `code ${code}`, details: {} };
  response.end(how.plain ? "go away" : JSON.stringify(body));
}
