/** One Flux query, streamed row by row, that ends for certain. */
import { type FluxTableMetaData, InfluxDB, type ParameterizedQuery } from "@influxdata/influxdb-client";
import type { InfluxConnection } from "./connection.ts";

export type RowHandler = (row: string[], table: FluxTableMetaData) => void;

/**
 * Resolves when the answer is complete; rejects with the client's error, what `onRow` threw, or the signal's reason.
 *
 * The client leaves the connection open after its own time-out and knows no limit for a whole answer; so the signal goes to the HTTP
 * request itself, and a client is made for each query (it holds nothing but the options).
 */
export function queryRows(
  connection: InfluxConnection,
  query: ParameterizedQuery,
  onRow: RowHandler,
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      reject(either.aborted ? either.reason : error);
      failed.abort(error);
    };
    const { url, token, org } = connection;
    const client = new InfluxDB({ url, token, timeout: 0, transportOptions: { signal: either } });
    client.getQueryApi({ org }).queryRows(query, {
      // What a handler throws would otherwise leave through the socket's event and end the process.
      next(row, table) {
        if (failed.signal.aborted) return;
        try {
          onRow(row, table);
        } catch (error) {
          fail(error);
        }
      },
      error: fail,
      complete: resolve,
    });
  });
}
