/**
 * The agent's HTTPS server: mutual TLS, identities, checked commands, epochs and repetition, in front of any NodeRuntime.
 *
 *   const server = new AgentServer({ node: "n1", runtime, records, identity, connectPeer, log });
 *   await server.start({ host: "0.0.0.0", port: AGENT_PORT });
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { AgentError, asAgentError } from "./agent-error.ts";
import { endOf } from "./certificates.ts";
import { AgentCommands } from "./commands.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { type AgentIdentity, type Client, clientOf } from "./identity.ts";
import type { MoveRecords } from "./move-records.ts";
import type { NodeRuntime, Peer } from "./node-runtime.ts";
import type { AgentErrorBody, DumpTarget } from "./protocol.ts";
import { mayUse, type Route, routeOf } from "./router.ts";

const MAX_BODY_BYTES = 1 << 20;
const DRAIN_MS = 5_000;
const HANDSHAKE_MS = 5_000;

export interface AgentLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface AgentServerOptions {
  node: string;
  runtime: NodeRuntime;
  records: MoveRecords;
  identity: AgentIdentity;
  /** The way to the agent of a dump's target. */
  connectPeer: (moveUID: string, peer: DumpTarget) => Peer;
  log: AgentLog;
}

export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #commands: AgentCommands;
  readonly #server: Server;
  readonly #limits = new ConnectionLimits();

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#commands = new AgentCommands(options, () => this.port);
    this.#server = createServer(
      { ...this.#tls(), keepAliveTimeout: 120_000, requestTimeout: 0, noDelay: true, handshakeTimeout: HANDSHAKE_MS },
      (request, response) => {
        void this.#answer(request, response);
      },
    );
    this.#server.headersTimeout = 30_000;
    this.#server.on("secureConnection", (socket) => this.#limits.authenticated(socket));
    this.#holdBackSilent();
    options.identity.onChange(() => this.#server.setSecureContext(this.#tls()));
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Lets the runtime pick up its moves, then listens. */
  async start(listen: { host: string; port: number }): Promise<void> {
    await this.#commands.recover();
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(listen.port, listen.host, resolve);
    });
  }

  /** Stops listening and cuts every connection. Steps that run go on to their end. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#limits.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Puts the limits in front of what the server itself does with a connection, which is to begin its handshake. */
  #holdBackSilent(): void {
    const listeners = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    this.#server.on("connection", (accepted: Socket) =>
      this.#limits.accept(accepted, (socket) => {
        for (const listener of listeners) listener.call(this.#server, socket);
      }),
    );
  }

  #tls() {
    const { key, certificate, authority } = this.#options.identity.credentials();
    return {
      key,
      cert: certificate,
      ca: authority,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
    } as const;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const route = routeOf(request.method ?? "", request.url ?? "/");
      const client = this.#admit(request, route);
      send(response, 200, await this.#dispatch(client, route, request));
    } catch (error) {
      const failure = asAgentError(error);
      this.#options.log.warn("refused or failed", { url: request.url, reason: failure.reason, error: failure.message });
      if (!request.complete) drain(request);
      send(response, STATUS[failure.reason], failure.toBody());
    }
  }

  #admit(request: IncomingMessage, route: Route): Client {
    if (route.kind === "none") throw new AgentError("NotFound", `no such path: ${request.method} ${request.url}`);
    const { socket } = request;
    const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
    const client = clientOf(certificate);
    if (mayUse(client, route, this.#options.identity.enrolled())) return client;
    throw new AgentError("Forbidden", `${nameOf(client)} may not ask for this`, { retryable: false });
  }

  async #dispatch(client: Client, route: Route, request: IncomingMessage): Promise<unknown> {
    const { identity, runtime } = this.#options;
    switch (route.kind) {
      case "features":
        return { ...(await runtime.features()), certificateEnds: endOf(identity.credentials().certificate) };
      case "warm":
        return {};
      case "moves":
        return { moves: this.#commands.list() };
      case "enrolment":
        return await identity.enrolment();
      case "certificate":
        return await this.#commands.certificate(await readJson(request));
      case "inspect":
        return await this.#commands.inspect(await readJson(request));
      case "prepare":
        return this.#commands.prepare(await readJson(request));
      case "files":
        return await this.#commands.files(client, route, request.headers.authorization, request);
      case "step":
        return await this.#commands.step(route, await readJson(request));
      case "none":
        throw new AgentError("NotFound", "no such path");
    }
  }
}

const STATUS: Record<AgentErrorBody["reason"], number> = {
  StaleEpoch: 409,
  BadRequest: 400,
  Forbidden: 403,
  NotFound: 404,
  WrongState: 409,
  NoRoom: 507,
  DumpFailed: 422,
  SendFailed: 422,
  RestoreFailed: 422,
  NotCarried: 422,
  ReleaseFailed: 422,
  CopyDead: 422,
  AlreadyReleased: 409,
  SourceGone: 410,
  LinkTooSlow: 422,
  Internal: 500,
};

/** Who still sends hears the refusal only if what it sends is taken from it; not for long. */
function drain(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), DRAIN_MS);
  timer.unref();
  request.once("close", () => clearTimeout(timer));
}

function nameOf(client: Client): string {
  if (client.kind === "controller") return "the controller";
  return client.kind === "agent" ? `the agent of ${client.node}` : `"${client.name}"`;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new AgentError("BadRequest", `the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new AgentError("BadRequest", "the body is not JSON", { cause });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body ?? {});
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}
