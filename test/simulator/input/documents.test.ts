import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { documentsOf } from "../../../src/simulator/input/documents.ts";

const YAML = "kind: Workload\npods: []\n";
/** As it is read from a file. */
const read = (bytes: Buffer) => documentsOf({ name: "f.yaml", text: bytes.toString("utf8") });

describe("a file that is not UTF-8", () => {
  it.each([
    ["UTF-16 with a byte order mark", Buffer.from(`\uFEFF${YAML}`, "utf16le")],
    ["UTF-16 of the other order", Buffer.from(`\uFEFF${YAML}`, "utf16le").swap16()],
    ["UTF-16 without a byte order mark", Buffer.from(YAML, "utf16le")],
    ["compressed", gzipSync(YAML)],
  ])("is refused as what it is: %s", (_, bytes) => {
    expect(() => read(bytes)).toThrow(
      "f.yaml: expected text in UTF-8; this is UTF-16, as Windows shells write it, or no text",
    );
  });
});

it.each([YAML, JSON.stringify({ kind: "Workload", pods: [] })])("a byte order mark changes nothing: %s", (text) => {
  expect(read(Buffer.from(`\uFEFF${text}`)).map(({ value }) => value)).toEqual([{ kind: "Workload", pods: [] }]);
});
