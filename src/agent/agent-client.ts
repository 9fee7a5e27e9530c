/** A client of one agent: mutual TLS, kept-alive connections, JSON, errors as the agent worded them. */
import type { Readable } from "node:stream";
import type { PeerCertificate } from "node:tls";
import { Agent, request } from "undici";
import { AgentError } from "./agent-error.ts";
import type { TlsCredentials } from "./identity.ts";
import { agentErrorSchema, agentName } from "./protocol.ts";

export interface AgentAddress {
  node: string;
  address: string;
  port: number;
}

/** No answer, or not an agent's: the command may or may not have been carried out. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export interface RequestOptions {
  method: "GET" | "POST" | "PUT";
  path: string;
  body?: unknown;
  stream?: Readable | Uint8Array;
  headers?: Record<string, string>;
  /** Milliseconds until NoAnswer; 0: none. */
  timeoutMs: number;
  /** Gives the request up. */
  signal?: AbortSignal;
}

export class AgentClient {
  readonly #agent: Agent;
  readonly #origin: string;
  readonly #to: AgentAddress;

  /** `verify: false` is for enrolment alone: the agent's certificate is then self-signed. */
  constructor(to: AgentAddress, credentials: TlsCredentials, options: { connections?: number; verify?: boolean } = {}) {
    this.#to = to;
    this.#origin = `https://${to.address.includes(":") ? `[${to.address}]` : to.address}:${to.port}`;
    const { key, certificate, authority } = credentials;
    this.#agent = new Agent({
      connections: options.connections ?? 4,
      pipelining: 1,
      keepAliveTimeout: 100_000,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        key,
        cert: certificate,
        ca: authority,
        timeout: 5_000,
        rejectUnauthorized: options.verify !== false,
        checkServerIdentity: (_host: string, shown: PeerCertificate) => isAgentOf(to.node, shown),
      },
    });
  }

  /** Opens connections, so that later requests need no handshake. Rejects with NoAnswer when the agent can't be reached. */
  async warm(connections: number): Promise<void> {
    const ask = () => this.#send({ method: "GET", path: "/v1/warm", timeoutMs: 5_000 });
    await Promise.all(Array.from({ length: connections }, ask));
  }

  /** The answer's JSON. Rejects with an AgentError in the agent's words, or with NoAnswer. */
  async call(options: RequestOptions): Promise<unknown> {
    const { status, text } = await this.#send(options);
    const body = parseJson(text);
    if (status === 200) return body;
    const failure = agentErrorSchema.safeParse(body);
    if (!failure.success) throw new NoAnswer(`${this.#to.node}: HTTP ${status}: ${text.slice(0, 200)}`);
    const { reason, message, retryable, epoch } = failure.data;
    throw new AgentError(reason, message, { retryable, epoch });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(options: RequestOptions): Promise<{ status: number; text: string }> {
    const json = options.body === undefined ? undefined : JSON.stringify(options.body);
    try {
      const { statusCode, body } = await request(`${this.#origin}${options.path}`, {
        method: options.method,
        dispatcher: this.#agent,
        headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...options.headers },
        body: json ?? options.stream ?? null,
        signal: signalOf(options),
      });
      return { status: statusCode, text: await body.text() };
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new NoAnswer(`the agent of ${this.#to.node} at ${this.#origin} gave no answer: ${said}`, { cause });
    }
  }
}

function signalOf({ timeoutMs, signal }: RequestOptions): AbortSignal | null {
  const limits = [...(timeoutMs > 0 ? [AbortSignal.timeout(timeoutMs)] : []), ...(signal ? [signal] : [])];
  return limits.length > 0 ? AbortSignal.any(limits) : null;
}

/** The authority has signed it; it must also be that node's agent. */
function isAgentOf(node: string, shown: PeerCertificate): Error | undefined {
  if (shown.subject?.CN === agentName(node)) return undefined;
  return new Error(`the certificate is not that of the agent of ${node}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
