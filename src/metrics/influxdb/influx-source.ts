/** Memory from InfluxDB 2, as Telegraf's inputs.kubernetes and inputs.mem write it. */
import type { QueryApi } from "@influxdata/influxdb-client";
import type { InfluxConnection } from "../../config/controller-config.ts";
import type { Clock } from "../../kube/clock.ts";
import type { CollectRequest, CollectResult, LivePod, MetricsSource } from "../source.ts";
import { DEFAULT_LIMITS, type StoreLimits, UsageStore } from "../usage-store.ts";

import { describeFailure } from "./errors.ts";
import { nodesQuery, podsQuery, type QueryRange } from "./queries.ts";
import { queryRows, type RowHandler, withQuerySession } from "./query-session.ts";
import { windowStart } from "./query-window.ts";
import { type FigureField, figureField, joinFigures, readContainerRow, readNodeRow, type Whereabouts } from "./rows.ts";

export interface InfluxSourceOptions {
  limits: StoreLimits;
  /** Milliseconds. */
  overlapMs: number;
  /** For both queries together. Milliseconds. */
  timeoutMs: number;
}

export const DEFAULT_INFLUX_OPTIONS: InfluxSourceOptions = {
  limits: DEFAULT_LIMITS,
  overlapMs: 60_000,
  timeoutMs: 10_000,
};

/** So far into the future is asked, to see the clocks that are ahead. */
const AHEAD_MS = 60 * 60_000;

/** The kubelet's own figure first; inputs.mem sees the node without its limits. */
const CHANNELS = ["kubernetes_node", "mem"] as const;

type FiguresByTime = Map<number, Partial<Record<FigureField, number>>>;

export class InfluxSource implements MetricsSource {
  readonly name = "InfluxDB";
  readonly #connection: InfluxConnection;
  readonly #clock: Pick<Clock, "after">;
  readonly #options: InfluxSourceOptions;
  readonly #store: UsageStore;
  #answeredAtMs: number | undefined;
  /** Something is asked for whose past hasn't been answered yet. */
  #pastOwed = true;

  constructor(connection: InfluxConnection, clock: Pick<Clock, "after">, options: Partial<InfluxSourceOptions> = {}) {
    this.#connection = connection;
    this.#clock = clock;
    this.#options = { ...DEFAULT_INFLUX_OPTIONS, ...options };
    this.#store = new UsageStore(this.#options.limits);
  }

  async collect(request: CollectRequest): Promise<CollectResult> {
    const range = this.#range(request);
    try {
      await this.#ask(request, range);
    } catch (error) {
      return { ok: false, error: describeFailure(error, this.#connection) };
    }
    this.#answeredAtMs = request.nowMs;
    this.#pastOwed = false;
    return { ok: true, reading: { source: this.name, takenAtMs: request.nowMs, ...this.#store.read(CHANNELS) } };
  }

  /** Something asked for the first time gets its whole past, at the cost of one long answer for all. */
  #range(request: CollectRequest): QueryRange {
    const { limits, overlapMs } = this.#options;
    const sinceMs = windowStart(request.nowMs, this.#answeredAtMs, { retentionMs: limits.retentionMs, overlapMs });
    const { unknownHistory } = this.#store.begin(request, sinceMs);
    this.#pastOwed ||= unknownHistory;
    return {
      bucket: this.#connection.bucket,
      startMs: this.#pastOwed ? request.nowMs - limits.retentionMs : sinceMs,
      stopMs: request.nowMs + AHEAD_MS,
    };
  }

  /** What came before a failure stays in the store: it is true, and adding it again changes nothing. */
  async #ask(request: CollectRequest, range: QueryRange): Promise<void> {
    const session = { clock: this.#clock, timeoutMs: this.#options.timeoutMs };
    await withQuerySession(this.#connection, session, (queries) =>
      Promise.all([this.#askNodes(queries, request, range), this.#askPods(queries, request, range)]),
    );
  }

  async #askNodes(queries: QueryApi, request: CollectRequest, range: QueryRange): Promise<void> {
    const nodeOf = nodeFinder(request);
    const figures = new Map<string, FiguresByTime>();
    const onRow: RowHandler = (row, table) => {
      const read = readNodeRow(row, table);
      const node = nodeOf(read);
      const field = figureField(read);
      if (node === undefined || field === undefined) return;
      const moments = entry(figures, `${read.measurement} ${node}`, () => new Map());
      const moment = entry(moments, read.timeMs, () => ({}));
      moment[field] = worse(field, moment[field], read.value);
    };
    await queryRows(queries, nodesQuery(range), onRow);
    this.#storeNodes(figures);
  }

  #storeNodes(figures: ReadonlyMap<string, FiguresByTime>): void {
    for (const [key, moments] of figures) {
      const [channel = "", node = ""] = key.split(" ");
      for (const [timeMs, fields] of moments) this.#store.addNode(node, channel, timeMs, joinFigures(fields));
    }
  }

  async #askPods(queries: QueryApi, request: CollectRequest, range: QueryRange): Promise<void> {
    const nodeOf = nodeFinder(request);
    const pods = new Map(request.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
    const onRow: RowHandler = (row, table) => {
      const read = readContainerRow(row, table);
      if (read === undefined) return;
      const pod = pods.get(`${read.namespace}/${read.pod}`);
      if (pod !== undefined && isOn(pod, read, nodeOf)) {
        this.#store.addContainer(pod.uid, read.container, read.timeMs, read.bytes);
      }
    };
    await queryRows(queries, podsQuery(range), onRow);
  }
}

type NodeFinder = (at: Whereabouts) => string | undefined;

/** A node by its name; a host by the node's name or its host name. */
function nodeFinder({ nodes }: CollectRequest): NodeFinder {
  const names = new Set(nodes.map(({ name }) => name));
  const byHost = new Map(nodes.map(({ name, hostname = name }) => [hostname, name]));
  return ({ nodeName, host = "" }) => {
    if (nodeName !== undefined) return names.has(nodeName) ? nodeName : undefined;
    return names.has(host) ? host : byHost.get(host);
  };
}

/** A predecessor of the same name may have run elsewhere. An unknown host says nothing: an agent may watch several nodes. */
function isOn(pod: LivePod, at: Whereabouts, nodeOf: NodeFinder): boolean {
  return (at.nodeName ?? nodeOf(at) ?? pod.node) === pod.node;
}

/** Two agents may measure one node at one moment: the figure that leaves less room counts. */
function worse(field: FigureField, known: number | undefined, read: number): number {
  if (known === undefined) return read;
  return field.startsWith("available") ? Math.min(known, read) : Math.max(known, read);
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
