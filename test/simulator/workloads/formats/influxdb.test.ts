import { describe, expect, it } from "vitest";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { refusal } from "./refusal.ts";

const COLUMNS = "result,table,_time,_value,_field,_measurement,container_name,namespace,node_name,pod_name";
const annotations = (type = "long") =>
  `#datatype,string,long,dateTime:RFC3339,${type},string,string,string,string,string,string
#group,false,false,false,false,true,true,true,true,true,true
#default,_result,,,,,,,,,`;
interface Row {
  time?: string;
  value?: string;
  field?: string;
  measurement?: string;
  container?: string;
  pod?: string;
}
const row = ({
  time = "2026-01-01T00:00:00Z",
  value = "500",
  field = "memory_working_set_bytes",
  measurement = "kubernetes_pod_container",
  container = "main",
  pod = "a",
}: Row = {}) => `,,0,${time},${value},${field},${measurement},${container},default,n1,${pod}`;
const table = (rows: readonly Row[], type?: string) =>
  `${annotations(type)}\n,${COLUMNS}\n${rows.map((one) => row(one)).join("\n")}\n`;
const read = (text: string) => readWorkload(text, { fileName: "export.csv" });
const shown = (text: string) =>
  read(text).map(({ name, node, trace }) => [name, node, [...trace.seconds], [...trace.bytes]]);
const later = "2026-01-01T00:01:00Z";

describe("an InfluxDB export", () => {
  it("adds up a pod's containers, whatever the tables' types, and order", () => {
    const text = `${table([{ time: later, value: "300" }, { value: "100" }])}\n\n${table(
      [
        { container: "other", value: "7.5" },
        { container: "other", time: later, value: "8.5" },
      ],
      "double",
    )}`;
    expect(shown(text)).toEqual([["a", "n1", [0, 60], [107.5, 308.5]]]);
    expect(shown(text.replaceAll("\n", "\r\n"))).toEqual(shown(text));
  });

  it("may be several that were joined without an empty line, with columns of their own", () => {
    const other = [
      "#datatype,string,long,double,dateTime:RFC3339,string,string,string",
      ",result,table,_value,_time,container_name,namespace,pod_name",
      `,,0,700,${later},main,default,a`,
    ].join("\n");
    expect(shown(`${table([{}])}${other}\n`)).toEqual([["a", "n1", [0, 60], [500, 700]]]);
    expect(refusal(`${table([{}])}${other.replace("700", "-7")}`, "export.csv")).toContain("line 8: _value: expected");
  });

  it("passes over other measurements and fields, and what has no value", () => {
    const text = table([
      {},
      { measurement: "mem", field: "used" },
      { field: "cpu_usage_nanocores", value: "-3" },
      { field: "restarts_total" },
      { time: later, value: "" },
    ]);
    expect(shown(text)).toEqual([["a", "n1", [0], [500]]]);
  });

  it("takes usage only where there is no working set", () => {
    const usage = { field: "memory_usage_bytes", value: "900" };
    expect(shown(table([{}, usage, { ...usage, pod: "b" }]))).toEqual([
      ["a", "n1", [0], [500]],
      ["b", "n1", [0], [900]],
    ]);
  });

  it("takes requests and limits from kube_inventory's rows", () => {
    const text = table([
      {},
      { field: "resource_requests_memory_bytes", value: "200" },
      { field: "resource_limits_memory_bytes", value: "600" },
    ]);
    expect(read(text)[0]).toMatchObject({ requestBytes: 200, limitBytes: 600 });
  });

  it.each([
    [table([{}, { value: "-5" }]), 'export.csv, line 6: _value: expected a number of bytes from 0 on; not "-5"'],
    [table([{ value: "1e308" }], "double"), 'bytes from 0 on; not "1e308", which is more than 8Ei'],
    [table([{ value: "lots" }]), 'line 5: _value: expected a number of bytes from 0 on; not "lots"'],
    [table([{ time: "yesterday" }]), 'line 5: _time: expected a time such as 2026-01-01T00:00:00Z; not "yesterday"'],
    [
      table([{ time: "2026-01-01T00:00:00" }]),
      'line 5: _time: expected a time such as 2026-01-01T00:00:00Z; not "2026-',
    ],
    [table([{ time: "1" }]), 'line 5: _time: expected a time such as 2026-01-01T00:00:00Z; not "1"'],
    [
      `${table([{}])},,0,2026-01-01T00:01:00Z,500,memory_work`,
      "line 6: expected 10 columns, there are 5: is the file cut off?",
    ],
    [
      table([{ measurement: "mem" }]),
      "export.csv: expected rows of kubernetes_pod_container with memory_working_set_bytes",
    ],
    [table([{ pod: "" }]), "export.csv: expected rows of kubernetes_pod_container"],
    [`${annotations()}\n`, "export.csv: expected rows of kubernetes_pod_container"],
    [
      `,${COLUMNS}\n${row()}\n`,
      "_value: expected a number of bytes from 0 on, with #datatype long or double for this column",
    ],
    [
      "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,query was cut off,897\n",
      "line 5: expected rows of annotated CSV; query was cut off",
    ],
  ])("is refused with line and column: %j", (text, expected) => {
    expect(refusal(text, "export.csv")).toContain(expected);
  });

  it("is refused with each row that is wrong, and with both columns of one", () => {
    const text = table([{ value: "-5" }, {}, { time: "yesterday", value: "lots" }, { value: "x" }]);
    expect(refusal(text, "export.csv").split("\n")).toEqual([
      'export.csv, line 5: _value: expected a number of bytes from 0 on; not "-5"',
      'export.csv, line 7: _time: expected a time such as 2026-01-01T00:00:00Z; not "yesterday"',
      'export.csv, line 7: _value: expected a number of bytes from 0 on; not "lots"',
      'export.csv, line 8: _value: expected a number of bytes from 0 on; not "x"',
    ]);
  });

  it("of a table whose columns are wrong, the rows are not; those of the next one are", () => {
    const text = `#datatype,string,long\n,${COLUMNS}\n${row()}\n${row()}\n\n${table([{ value: "x" }])}`;
    expect(refusal(text, "export.csv").split("\n")).toEqual([
      "export.csv, line 2: expected annotated CSV, no more columns than one line above",
      'export.csv, line 10: _value: expected a number of bytes from 0 on; not "x"',
    ]);
  });
});
