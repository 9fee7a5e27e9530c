/** Reads the rows of an annotated CSV answer. */
import { type FluxTableMetaData, UNKNOWN_COLUMN } from "@influxdata/influxdb-client";
import type { NodeFigures } from "../plausibility.ts";
import { BadAnswerError } from "./errors.ts";

/** The node's name where the agent knows it, else the host it runs on. */
export interface Whereabouts {
  nodeName: string | undefined;
  host: string | undefined;
}

export interface NodeRow extends Whereabouts {
  timeMs: number;
  measurement: string;
  field: string;
  /** NaN when the answer has no number there. */
  value: number;
}

export interface ContainerRow extends Whereabouts {
  timeMs: number;
  namespace: string;
  pod: string;
  container: string;
  bytes: number;
}

export function readNodeRow(row: string[], table: FluxTableMetaData): NodeRow {
  refuseOthers(row, table);
  return {
    ...whereabouts(row, table),
    timeMs: time(row, table),
    measurement: text(row, table, "_measurement") ?? "",
    field: text(row, table, "_field") ?? "",
    value: number(row, table),
  };
}

/** Undefined for rows without a pod's tags: some agent's own invention. */
export function readContainerRow(row: string[], table: FluxTableMetaData): ContainerRow | undefined {
  refuseOthers(row, table);
  const namespace = text(row, table, "namespace");
  const pod = text(row, table, "pod_name");
  const container = text(row, table, "container_name");
  if (namespace === undefined || pod === undefined || container === undefined) return undefined;
  return {
    ...whereabouts(row, table),
    timeMs: time(row, table),
    namespace,
    pod,
    container,
    bytes: number(row, table),
  };
}

/** One field of a node's figures; of `mem`, `used` and `total` only mean something together. */
export type FigureField = "availableBytes" | "workingSetBytes" | "availablePercent" | "usedBytes" | "totalBytes";

const FIELDS: Readonly<Record<string, FigureField>> = {
  "kubernetes_node memory_available_bytes": "availableBytes",
  "kubernetes_node memory_working_set_bytes": "workingSetBytes",
  "mem available_percent": "availablePercent",
  "mem used": "usedBytes",
  "mem total": "totalBytes",
};

export function figureField({ measurement, field }: NodeRow): FigureField | undefined {
  return FIELDS[`${measurement} ${field}`];
}

/** Joins the fields that one agent wrote for one moment. */
export function joinFigures(fields: Partial<Record<FigureField, number>>): NodeFigures {
  const { usedBytes, totalBytes, ...figures } = fields;
  if (usedBytes === undefined || totalBytes === undefined) return figures;
  return { ...figures, usedOfTotal: { usedBytes, totalBytes } };
}

/** Flux reports an error that comes up after the answer has begun as one more table. */
function refuseOthers(row: string[], table: FluxTableMetaData): void {
  const error = text(row, table, "error");
  if (error !== undefined) throw new BadAnswerError(error);
  if (["_time", "_value"].some((name) => table.column(name, false) === UNKNOWN_COLUMN)) {
    throw new BadAnswerError("a table without _time and _value; is this InfluxDB 2?");
  }
}

function whereabouts(row: string[], table: FluxTableMetaData): Whereabouts {
  return { nodeName: text(row, table, "node_name"), host: text(row, table, "host") };
}

function text(row: string[], table: FluxTableMetaData, column: string): string | undefined {
  const value: unknown = table.get(row, column);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function time(row: string[], table: FluxTableMetaData): number {
  return Date.parse(text(row, table, "_time") ?? "");
}

function number(row: string[], table: FluxTableMetaData): number {
  const value: unknown = table.get(row, "_value");
  return typeof value === "number" ? value : Number.NaN;
}
