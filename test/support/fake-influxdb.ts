/**
 * As much of InfluxDB 2's HTTP API as the metrics source uses: Flux queries answered with annotated CSV from points held in memory.
 * It does not understand Flux: it reads the range and the measurements out of the query's text. What real Flux makes of the queries is
 * tested against a real InfluxDB.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Secret } from "../../src/config/secret.ts";

export interface Point {
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, { type: "long" | "double"; value: string }>;
  timeMs: number;
}

export interface FakeAnswer {
  status?: number;
  body: string;
  contentType?: string;
  /** The connection is cut after the body. */
  cut?: boolean;
  /** Empty lines follow the body, one every few milliseconds, until the client leaves. */
  trickle?: boolean;
}

/** `points`: answer from them; `hang`: never answer; otherwise this very answer. */
type Behaviour = "points" | "hang" | FakeAnswer;

export class FakeInfluxDB {
  points: Point[] = [];
  behaviour: Behaviour = "points";
  readonly token = "the-very-secret-token";
  readonly org = "headroom";
  readonly bucket = "telegraf";
  /** The Flux of each query that came. */
  readonly queries: string[] = [];
  #server: Server | undefined;

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#handle(request, response).catch((error: Error) => response.destroy(error));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    this.#server = undefined;
  }

  get url(): string {
    // A TCP server's address is an object; only pipes have strings.
    const address = this.#server?.address() as AddressInfo | null | undefined;
    return `http://127.0.0.1:${address?.port ?? 9}`;
  }

  get connection() {
    return { url: this.url, org: this.org, bucket: this.bucket, token: new Secret(this.token) };
  }

  /** A gauge as inputs.kubernetes writes it for a node. */
  node(timeMs: number, node: string, fields: Record<string, number>, host = `telegraf-${node}`): void {
    this.points.push({
      measurement: "kubernetes_node",
      tags: { host, node_name: node },
      fields: typed(fields, "long"),
      timeMs,
    });
  }

  mem(timeMs: number, host: string, fields: Record<string, number>): void {
    this.points.push({ measurement: "mem", tags: { host }, fields: typed(fields, "double"), timeMs });
  }

  container(timeMs: number, node: string, pod: string, container: string, bytes: number, extra = {}): void {
    this.points.push({
      measurement: "kubernetes_pod_container",
      tags: {
        host: `telegraf-${node}`,
        node_name: node,
        namespace: "default",
        pod_name: pod,
        container_name: container,
      },
      fields: { ...typed({ memory_working_set_bytes: bytes }, "long"), ...extra },
      timeMs,
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    // The client sends JSON with the query's text as a member.
    const { query } = JSON.parse(body) as { query: string };
    this.queries.push(query);
    if (this.behaviour === "hang") return;
    const answer = this.behaviour === "points" ? this.#answer(request, query) : this.behaviour;
    response.writeHead(answer.status ?? 200, { "content-type": answer.contentType ?? "text/csv; charset=utf-8" });
    if (answer.trickle) trickle(response, answer.body);
    else if (answer.cut) response.write(answer.body, () => response.destroy());
    else response.end(answer.body);
  }

  #answer(request: IncomingMessage, query: string): FakeAnswer {
    const url = new URL(request.url ?? "/", this.url);
    if (request.headers.authorization !== `Token ${this.token}`) return problem(401, "unauthorized access");
    if (url.searchParams.get("org") !== this.org)
      return problem(400, "failed to decode request body: organization not found");
    if (!query.startsWith(`from(bucket: "${this.bucket}")`)) return problem(404, "could not find bucket");
    return { body: tablesOf(this.points.filter((point) => isAsked(point, query))) };
  }
}

function trickle(response: ServerResponse, body: string): void {
  response.write(body);
  const timer = setInterval(() => response.write("\r\n"), 5);
  response.once("close", () => clearInterval(timer));
}

function typed(fields: Record<string, number>, type: "long" | "double"): Point["fields"] {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { type, value: String(value) }]));
}

function problem(status: number, message: string): FakeAnswer {
  return { status, body: JSON.stringify({ code: "problem", message }), contentType: "application/json" };
}

function isAsked({ measurement, timeMs }: Point, query: string): boolean {
  const range = /range\(start: (\S+), stop: (\S+)\)/.exec(query);
  const [, start = "", stop = ""] = range ?? [];
  if (!query.includes(`r._measurement == "${measurement}"`)) return false;
  return timeMs >= Date.parse(start) && timeMs < Date.parse(stop);
}

/** One table for each point and field: the most that an answer can be cut up. */
function tablesOf(points: readonly Point[]): string {
  const tables = points.flatMap((point) =>
    Object.entries(point.fields).map(([field, { type, value }]) => {
      const tags = { _measurement: point.measurement, _field: field, ...point.tags };
      const columns = ["result", "table", "_time", "_value", ...Object.keys(tags)];
      const types = ["string", "long", "dateTime:RFC3339", type, ...Object.keys(tags).map(() => "string")];
      const row = ["", "0", new Date(point.timeMs).toISOString(), value, ...Object.values(tags)];
      return [
        `#datatype,${types.join(",")}`,
        `#group,${types.map(() => "false").join(",")}`,
        `#default,_result${",".repeat(types.length - 1)}`,
        `,${columns.join(",")}`,
        `,${row.join(",")}`,
        "",
      ].join("\r\n");
    }),
  );
  return `${tables.join("\r\n")}\r\n`;
}
