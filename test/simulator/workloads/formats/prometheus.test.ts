import { describe, expect, it } from "vitest";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { refusal } from "./refusal.ts";

const WORKING_SET = "container_memory_working_set_bytes";
const series = (metric: object, values: unknown) => ({ metric, values });
const answer = (...result: unknown[]) => ({ status: "success", data: { resultType: "matrix", result } });
const read = (value: unknown) => readWorkload(JSON.stringify(value), { fileName: "memory.json" });
const labels = (more: object = {}) => ({
  __name__: WORKING_SET,
  namespace: "prod",
  pod: "db-0",
  container: "db",
  ...more,
});
const shown = (value: unknown) =>
  read(value).map(({ namespace, name, trace }) => [namespace, name, [...trace.seconds], [...trace.bytes]]);

describe("a Prometheus range query", () => {
  it("adds up a pod's containers, and neither its pause container nor the pod's own total", () => {
    const values = (bytes: number): [number, string][] => [
      [100.5, `${bytes}`],
      [160.5, `${2 * bytes}`],
    ];
    const result = [
      series(labels(), values(1000)),
      series(labels({ container: "proxy", node: "n1" }), values(10)),
      series(labels({ container: "POD" }), values(1)),
      series({ __name__: WORKING_SET, namespace: "prod", pod: "db-0" }, values(1011)),
      series({ __name__: WORKING_SET, id: "/" }, values(5000)),
    ];
    expect(shown(answer(...result))).toEqual([["prod", "db-0", [0, 60], [1010, 2020]]]);
    expect(read(answer(...result))[0]?.node).toBe("n1");
  });

  it("takes the sum that the query made, without the metric's name", () => {
    expect(
      shown(
        answer(
          series({ namespace: "prod", pod: "db-0" }, [
            [1, "5"],
            [2, "6"],
          ]),
        ),
      ),
    ).toEqual([["prod", "db-0", [0, 1], [5, 6]]]);
  });

  it("a container that is missing somewhere counts with what lies between, one that came later from then on", () => {
    const result = [
      series(labels(), [
        [0, "100"],
        [60, "100"],
        [120, "100"],
        [180, "100"],
      ]),
      series(labels({ container: "late" }), [
        [60, "10"],
        [120, "NaN"],
        [180, "30"],
      ]),
    ];
    expect(shown(answer(...result))).toEqual([["prod", "db-0", [0, 60, 120, 180], [100, 110, 120, 130]]]);
  });

  it("prefers the working set to other measures of the same container", () => {
    const result = [
      series(labels({ __name__: "container_memory_usage_bytes" }), [[0, "900"]]),
      series(labels(), [[0, "500"]]),
    ];
    expect(shown(answer(...result))).toEqual([["prod", "db-0", [0], [500]]]);
    expect(shown(answer(...result.slice(0, 1)))).toEqual([["prod", "db-0", [0], [900]]]);
  });

  it("takes requests and limits from kube-state-metrics", () => {
    const resource = (kind: string, more: object) =>
      labels({ __name__: `kube_pod_container_resource_${kind}`, resource: "memory", ...more });
    const result = [
      series(labels(), [[0, "500"]]),
      series(labels({ container: "proxy" }), [[0, "5"]]),
      series(resource("requests", {}), [[0, "300"]]),
      series(resource("requests", { resource: "cpu" }), [[0, "2"]]),
      series(resource("limits", {}), [[0, "600"]]),
    ];
    expect(read(answer(...result))[0]).toMatchObject({ requestBytes: 300 });
    expect(read(answer(...result))[0]?.limitBytes, "one container has no limit").toBeUndefined();
    const limited = [...result, series(resource("limits", { container: "proxy" }), [[0, "50"]])];
    expect(read(answer(...limited))[0]).toMatchObject({ requestBytes: 300, limitBytes: 650 });
  });

  it("may be what promtool prints, or the data alone", () => {
    const result = [series(labels(), [[0, "500"]])];
    expect(shown(result)).toEqual(shown(answer(...result)));
    expect(shown({ resultType: "matrix", result })).toEqual(shown(answer(...result)));
  });

  it.each([
    [
      answer(
        series(labels(), [
          [0, "1"],
          [0, "2"],
        ]),
      ),
      "data.result[0].values[1]: expected ascending times, above 0; not 0",
    ],
    [answer(series(labels(), [[0, "-1"]])), 'data.result[0].values[0]: expected bytes from 0 on; not "-1"'],
    [answer(series(labels(), [[0, "+Inf"]])), 'data.result[0].values[0]: expected bytes from 0 on; not "+Inf"'],
    [answer(series(labels(), [[0, "much"]])), 'data.result[0].values[0]: expected bytes from 0 on; not "much"'],
    [answer(series(labels(), [[0, ""]])), 'data.result[0].values[0]: expected bytes from 0 on; not ""'],
    [answer(series(labels(), [[0, " "]])), 'data.result[0].values[0]: expected bytes from 0 on; not " "'],
    [answer(series(labels(), [[0, "1e308"]])), 'expected bytes from 0 on; not "1e308", which is more than 8Ei'],
    [answer(series(labels(), [[1e306, "5"]])), "data.result[0].values[0]: expected [seconds since 1970"],
    [answer(series(labels(), ["5"])), "data.result[0].values[0]: expected [seconds since 1970"],
    [answer(series(labels(), undefined)), "data.result[0].values: expected a list of [time, value]"],
    [answer({ values: [[0, "1"]], value: 3 }), "data.result[0].metric: expected the series' labels"],
    [
      answer(series({ __name__: "container_cpu_usage_seconds_total", pod: "a" }, [[0, "1"]])),
      "data.result[0].metric.__name__: expected memory in bytes",
    ],
    [
      answer(series({ __name__: WORKING_SET, id: "/" }, [[0, "1"]])),
      "data.result: expected series with the labels namespace and pod",
    ],
    [answer(), "data.result: expected series with the labels namespace and pod"],
    [
      { status: "success", data: { resultType: "vector", result: [] } },
      'data.resultType: expected "matrix", the answer to /api/v1/query_range; not "vector"',
    ],
    [{ status: "success", data: { resultType: "matrix" } }, "data.result: expected a list of series"],
    [
      { status: "error", errorType: "timeout", error: "query timed out" },
      "error: Prometheus answered: query timed out",
    ],
  ])("is refused with line and field: %j", (value, expected) => {
    expect(refusal(JSON.stringify(value, null, 1), "memory.json")).toContain(expected);
    expect(refusal(JSON.stringify(value, null, 1), "memory.json")).toMatch(/^memory.json, line \d+: /);
  });
});
