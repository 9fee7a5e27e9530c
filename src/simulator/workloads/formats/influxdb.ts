/**
 * An InfluxDB 2 export as annotated CSV (`influx query --raw`, or the API's answer) of what Telegraf writes about containers: measurement
 * kubernetes_pod_container with memory_working_set_bytes (inputs.kubernetes), and requests and limits from inputs.kube_inventory if they
 * are there. Rows are read as the controller reads them. Other measurements and fields are passed over.
 */
import { type FluxTableMetaData, linesToTables, UNKNOWN_COLUMN } from "@influxdata/influxdb-client";
import { BadAnswerError } from "../../../metrics/influxdb/errors.ts";
import { type ContainerRow, readContainerRow } from "../../../metrics/influxdb/rows.ts";
import { BrokenInputError, FileFlaws } from "../../input/broken-input.ts";
import { isBytes, notBytes } from "../../input/fields.ts";
import type { LineSource } from "../../input/lines.ts";
import type { Named } from "../../input/names.ts";
import type { ContainerRecording, Measure } from "../container-recording.ts";

/** By the first lines of a file. */
export function isInfluxExport(head: string): boolean {
  return (
    /^\uFEFF?\s*#(datatype|group|default),/.test(head) ||
    /^\uFEFF?,?(result,)?table,.*_value/m.test(head.split("\n", 1)[0] ?? "")
  );
}

const MEASUREMENT = "kubernetes_pod_container";
const WORKING_SET = "memory_working_set_bytes";

/** Returns which pods have samples in it. Throws with what is wrong in any of the rows. */
export function readInfluxExport(source: LineSource, recording: ContainerRecording): Iterable<Named> {
  const flaws = new FileFlaws(source.name);
  let [line, taken, passesOver] = [0, 0, false];
  const names = new Map<string, Named>();
  const tell: Tell = (field, message) => flaws.add({ line, field, message });
  const parser = linesToTables({
    next: (row, table) => {
      const read = readRow(row, table, tell);
      if (read === undefined) return;
      taken++;
      const { figure, row: told } = read;
      figure.take(recording, told);
      const name = `${told.namespace}/${told.pod}`;
      if (figure.isSample && !names.has(name)) names.set(name, { name, line, field: "pod_name" });
    },
    error: (error) => {
      throw error;
    },
    complete: () => {},
  });
  let isAnnotation = false;
  for (const text of source.lines()) {
    line++;
    // Exports that were joined need not have the empty line that ends a table.
    if (text.startsWith("#") && !isAnnotation) {
      next(parser, "", tell);
      passesOver = false;
    }
    isAnnotation = text.startsWith("#");
    // Where nothing is known of a table's columns its rows say nothing, until the next table.
    passesOver &&= text !== "";
    if (!passesOver) passesOver = !next(parser, line === 1 ? text.replace(/^\uFEFF/, "") : text, tell);
  }
  flaws.refuse();
  if (taken > 0) return names.values();
  const message = `expected rows of ${MEASUREMENT} with ${WORKING_SET}, pod_name, namespace and container_name`;
  throw new BrokenInputError([{ file: source.name, message }]);
}

type Tell = (field: string, message: string) => void;

/** False: the columns of a table cannot be made out. */
function next(parser: ReturnType<typeof linesToTables>, text: string, tell: Tell): boolean {
  try {
    parser.next(text);
    return true;
  } catch (error) {
    const isOfRow = error instanceof BadAnswerError;
    // The parser's own error is of the columns that an annotation or the header has too many.
    const wrong = isOfRow
      ? `rows of annotated CSV; ${error.message}`
      : "annotated CSV, no more columns than one line above";
    tell("", `expected ${wrong}`);
    return isOfRow;
  }
}

interface ReadRow {
  figure: Figure;
  row: ContainerRow;
}

/** Undefined: passed over, or something is wrong with it, and was told. */
function readRow(row: string[], table: FluxTableMetaData, tell: Tell): ReadRow | undefined {
  const [there, wanted] = [row.length, table.columns.length];
  if (there < wanted) {
    tell("", `expected ${wanted} columns, there are ${there}: is the file cut off?`);
    return undefined;
  }
  const error = cell(row, table, "error");
  if (error !== undefined) throw new BadAnswerError(error);
  const figure = FIGURES[cell(row, table, "_field") ?? WORKING_SET];
  if (figure === undefined || (cell(row, table, "_measurement") ?? MEASUREMENT) !== MEASUREMENT) return undefined;
  const read = readContainerRow(row, table);
  const raw = cell(row, table, "_value");
  // Without a pod's tags it is some agent's own invention; without a value there was no sample.
  if (read === undefined || raw === undefined) return undefined;
  const time = cell(row, table, "_time");
  const [hasTime, hasBytes] = [isTime(time) && !Number.isNaN(read.timeMs), isBytes(read.bytes)];
  if (!hasTime) tell("_time", `expected a time such as 2026-01-01T00:00:00Z; not ${JSON.stringify(time ?? "")}`);
  if (!hasBytes) tell("_value", valueMessage(raw, read.bytes, table));
  if (!hasTime || !hasBytes) return undefined;
  return { figure, row: read };
}

/** RFC 3339: JavaScript takes more for a time, as 1 for a year, and what has no zone for this machine's. Absent: the table has a default. */
const isTime = (text: string | undefined) =>
  text === undefined || /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text);

function valueMessage(raw: string, bytes: number, table: FluxTableMetaData): string {
  const type = table.column("_value").dataType;
  const isNumber = type === "long" || type === "unsignedLong" || type === "double";
  const annotation = isNumber ? "" : ", with #datatype long or double for this column (is the export annotated?)";
  return `expected a number of bytes from 0 on${annotation}; ${notBytes(raw, bytes)}`;
}

interface Figure {
  isSample: boolean;
  take(recording: ContainerRecording, row: ContainerRow): void;
}

const placeOf = ({ namespace, pod, container, nodeName }: ContainerRow) => ({
  namespace,
  pod,
  container,
  node: nodeName,
});

const sample = (measure: Measure): Figure => ({
  isSample: true,
  take: (into, row) => into.addSample(placeOf(row), measure, row.timeMs, row.bytes),
});

const FIGURES: Readonly<Record<string, Figure>> = {
  [WORKING_SET]: sample("WorkingSet"),
  memory_usage_bytes: sample("Usage"),
  resource_requests_memory_bytes: {
    isSample: false,
    take: (into, row) => into.setRequest(placeOf(row), row.bytes),
  },
  resource_limits_memory_bytes: {
    isSample: false,
    take: (into, row) => into.setLimit(placeOf(row), row.bytes),
  },
};

function cell(row: string[], table: FluxTableMetaData, name: string): string | undefined {
  const column = table.column(name, false);
  const text = column === UNKNOWN_COLUMN ? "" : row[column.index];
  return text === undefined || text === "" ? undefined : text;
}
