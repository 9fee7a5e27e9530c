/** `/healthz`, `/readyz` and `/metrics` over HTTP. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";

export interface ProbeServerOptions {
  /** 0 takes any free port. */
  port: number;
  /** Absent: all addresses. */
  host?: string;
  registry: Registry;
  /** Undefined: well; else what is wrong, in a sentence. */
  unhealthy(): string | undefined;
  notReady(): string | undefined;
}

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with one line when the port is taken. */
export async function startProbeServer(options: ProbeServerOptions): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    answer(options, path, response).catch((error: unknown) => say(response, 500, String(error)));
  });
  await listening(server, options);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  return { port, close: () => closed(server) };
}

async function answer(options: ProbeServerOptions, path: string, response: ServerResponse): Promise<void> {
  switch (path) {
    case "/healthz":
      return verdict(response, options.unhealthy());
    case "/readyz":
      return verdict(response, options.notReady());
    case "/metrics":
      return say(response, 200, await options.registry.metrics(), options.registry.contentType);
    default:
      return say(response, 404, "there is /healthz, /readyz and /metrics");
  }
}

function verdict(response: ServerResponse, wrong: string | undefined): void {
  say(response, wrong === undefined ? 200 : 503, wrong ?? "ok");
}

function say(response: ServerResponse, status: number, text: string, contentType = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": contentType }).end(`${text.trimEnd()}\n`);
}

function listening(server: Server, { port, host }: ProbeServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(new Error(`cannot listen on port ${port}: ${cause.message}`, { cause })));
    server.listen(port, host, resolve);
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
