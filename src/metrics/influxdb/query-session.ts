/** The Flux queries of one collection, streamed row by row; it ends for certain and leaves no connection behind. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { type FluxTableMetaData, InfluxDB, type ParameterizedQuery, type QueryApi } from "@influxdata/influxdb-client";
import type { InfluxConnection } from "../../config/controller-config.ts";
import type { Clock } from "../../kube/clock.ts";

import { CollectTimeoutError } from "./errors.ts";

export type RowHandler = (row: string[], table: FluxTableMetaData) => void;

export interface SessionOptions {
  clock: Pick<Clock, "after">;
  /** For all queries together. Milliseconds. */
  timeoutMs: number;
}

/**
 * Lets `ask` query; rejects with what it rejects with, or with a {@link CollectTimeoutError}.
 *
 * The client's own time-out leaves the connection open, and an AbortSignal handed to Node's HTTP client stays with the pooled
 * connection and, when it fires late, ends the process. So each session has an agent of its own, and destroying that is the end of all.
 */
export async function withQuerySession<T>(
  connection: InfluxConnection,
  options: SessionOptions,
  ask: (queries: QueryApi) => Promise<T>,
): Promise<T> {
  const { url, token, org } = connection;
  const agent = url.startsWith("https:") ? new HttpsAgent() : new HttpAgent();
  const limit = Promise.withResolvers<never>();
  const timer = options.clock.after(options.timeoutMs, () => limit.reject(new CollectTimeoutError()));
  try {
    const client = new InfluxDB({
      url,
      token: token.reveal(),
      timeout: options.timeoutMs,
      transportOptions: { agent },
    });
    return await Promise.race([ask(client.getQueryApi({ org })), limit.promise]);
  } finally {
    timer.cancel();
    agent.destroy();
  }
}

/** Resolves when the answer is complete; rejects with the client's error or what `onRow` threw. */
export function queryRows(queries: QueryApi, query: ParameterizedQuery, onRow: RowHandler): Promise<void> {
  return new Promise((resolve, reject) => {
    let failed = false;
    queries.queryRows(query, {
      // What a handler throws would otherwise leave through the socket's event and end the process.
      next(row, table) {
        if (failed) return;
        try {
          onRow(row, table);
        } catch (error) {
          failed = true;
          reject(error);
        }
      },
      error: reject,
      complete: resolve,
    });
  });
}
