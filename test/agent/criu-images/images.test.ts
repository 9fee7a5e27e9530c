/** The reader and writer of CRIU's images, held against bytes that are written here after its definitions. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FILES, type FileEntry, tcpStreamOf } from "../../../src/agent/criu-images/definitions.ts";
import {
  decodeImage,
  decodeLeading,
  encodeImage,
  FIRST_MESSAGE_AT,
  overwrite,
  readImage,
  readLeading,
  writeImage,
} from "../../../src/agent/criu-images/image-file.ts";
import { fromText, ImageError, toText } from "../../../src/agent/criu-images/message.ts";

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push((left % 128) + (left >= 128 ? 128 : 0));
    if (left < 128) return bytes;
  }
};
const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const part = (field: number, bytes: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];
const words = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from(new Uint32Array([value]).buffer)));
const file = (...entries: number[][]): Buffer =>
  Buffer.concat([
    words(0x54564319, 0x56303138),
    ...entries.map((entry) => Buffer.concat([words(entry.length), Buffer.from(entry)])),
  ]);

const OWNER = [1, 2, 3, 4, 5].flatMap((field) => number(field, 0));
const NAME = [...Buffer.from("/tmp/a\u00e9"), 0xff]; // not UTF-8
const regular = [
  ...number(1, 300),
  ...number(2, 0o100000),
  ...number(3, 2 ** 40),
  ...part(5, OWNER),
  ...part(6, NAME),
  ...number(7, 9),
  ...number(11, 1),
  ...number(11, 2 ** 32 - 1),
];
const entry = [...number(1, 1), ...number(2, 300), ...part(3, regular)];
const FILE = file(entry, [...number(1, 6), ...number(2, 7), ...part(16, [1, 2, 3])]);

const anyEntry: fc.Arbitrary<FileEntry> = fc.record(
  {
    type: fc.nat(25),
    id: fc.nat(),
    reg: fc.record({
      id: fc.nat(),
      pos: fc.bigInt(0n, 2n ** 64n - 1n),
      name: fc.string({ unit: "binary-ascii" }),
      mnt_id: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      build_id: fc.array(fc.nat(), { minLength: 1 }),
      ext: fc.boolean(),
    }),
    isk: fc.record({
      src_addr: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 4 }),
      opts: fc.record({ so_filter: fc.array(fc.bigInt(0n, 2n ** 64n - 1n), { minLength: 1 }) }),
    }),
    usk: fc.uint8Array(),
  },
  { requiredKeys: ["type", "id"] },
);

describe("an image", () => {
  test("is read after CRIU's definitions, and written back byte for byte", () => {
    const [first, second] = decodeImage(FILES, FILE);
    expect(first?.reg).toMatchObject({ id: 300, pos: 2n ** 40n, mnt_id: -5, build_id: [1, 2 ** 32 - 1] });
    expect(Buffer.from(first?.reg?.name ?? "", "latin1")).toEqual(Buffer.from(NAME));
    expect(second).toEqual({ type: 6, id: 7, usk: new Uint8Array([1, 2, 3]) });
    expect(encodeImage(FILES, decodeImage(FILES, FILE))).toEqual(FILE);
  });

  test("says the same when it was written and is read again, whatever it says", () => {
    fc.assert(
      fc.property(fc.array(anyEntry), (entries) => {
        expect(decodeImage(FILES, encodeImage(FILES, entries))).toEqual(entries);
      }),
    );
  });

  test.each<[string, Buffer, RegExp]>([
    ["has an unknown field", file([...entry, ...number(23, 1)]), /files\.img: file_entry has an unknown field 23/],
    [
      "has one in a part of it",
      file([...number(1, 1), ...part(3, number(15, 1))]),
      /reg_file_entry has an unknown field 15/,
    ],
    ["says something twice", file([...number(1, 1), ...number(1, 2)]), /file_entry\.type is there twice/],
    ["has a number for a text", file(part(3, number(6, 1))), /reg_file_entry\.name is of type 0/],
    ["packs what CRIU writes one by one", file(part(3, part(11, [1, 2]))), /reg_file_entry\.build_id is of type 2/],
    ["is cut short in an entry", FILE.subarray(0, -1), /files\.img is cut short/],
    ["is cut short in a length", file(entry).subarray(0, 10), /files\.img is cut short/],
    ["has a length that leads out of it", file(part(3, [...varint(6 * 8 + 2), 100, 1])), /reg_file_entry is damaged/],
    ["is another image", Buffer.concat([words(0x54564319, 0x5), FILE.subarray(8)]), /does not begin/],
    ["is empty", Buffer.alloc(0), /cut short/],
  ])("that %s is refused", (_what, content, message) => {
    expect(() => decodeImage(FILES, content)).toThrow(message);
  });

  test("that is damaged anywhere is read or refused, and never more than that", () => {
    fc.assert(
      fc.property(fc.nat(FILE.length), fc.array(fc.tuple(fc.nat(FILE.length - 1), fc.nat(255))), (length, changes) => {
        const content = Buffer.from(FILE.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) content[at] = byte;
        try {
          const entries = decodeImage(FILES, content);
          expect(decodeImage(FILES, encodeImage(FILES, entries))).toEqual(entries);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("may go on with bytes that are no entries, of which the first is read and changed in its place", () => {
    const kind = tcpStreamOf(0xabc);
    expect(kind.name).toBe("tcp-stream-abc.img");
    const content = Buffer.concat([encodeImage(kind, [{ inq_len: 3 }]), Buffer.alloc(10_000, "abc")]);
    expect(decodeLeading(kind, content)).toEqual({ inq_len: 3 });
    const folder = mkdtempSync(join(tmpdir(), "images-"));
    try {
      writeImage(folder, kind, content);
      expect(readLeading(folder, kind)).toEqual({ inq_len: 3 });
      overwrite(folder, kind, FIRST_MESSAGE_AT + 1, new Uint8Array([4]));
      expect(readLeading(folder, kind)).toEqual({ inq_len: 4 });
      expect(readFileSync(join(folder, kind.name)).subarray(14)).toEqual(content.subarray(14));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("that is far too large is refused, not read", () => {
    const folder = mkdtempSync(join(tmpdir(), "images-"));
    try {
      writeFileSync(join(folder, FILES.name), "");
      truncateSync(join(folder, FILES.name), 2 ** 36);
      expect(() => readImage(folder, FILES)).toThrow(/files\.img has 68719476736 bytes/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("in a folder is replaced, and nothing else is left there", () => {
    const folder = mkdtempSync(join(tmpdir(), "images-"));
    try {
      writeImage(folder, FILES, Buffer.from("before"));
      writeImage(folder, FILES, FILE);
      expect(readFileSync(join(folder, "files.img"))).toEqual(FILE);
      expect(readImage(folder, FILES)).toHaveLength(2);
      expect(readdirSync(folder)).toEqual(["files.img"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test("names of files keep their bytes", () => {
  const name = "/caf\u00e9/\u{1f600}";
  expect(toText(fromText(name))).toBe(name);
  expect(Buffer.from(fromText(name), "latin1")).toEqual(Buffer.from(name, "utf8"));
});
