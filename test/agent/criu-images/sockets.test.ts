import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressOf,
  addressText,
  isOfItsOwn,
  localAddresses,
  wordsOf,
} from "../../../src/agent/criu-images/addresses.ts";
import {
  type FileEntry,
  type InetSocket,
  type TcpStream,
  tcpStreamOf,
} from "../../../src/agent/criu-images/definitions.ts";
import {
  connectionsThatLeave,
  connectionsWithin,
  countingAsSent,
  streamsWithUnsent,
  withAddresses,
  withConnectionsClosed,
} from "../../../src/agent/criu-images/sockets.ts";

const v4 = (text: string): number[] => [Buffer.from(text.split(".").map(Number)).readUInt32LE()];
const mapped = (text: string): number[] => [0, 0, 0xffff0000, ...v4(text)];
const v6 = (hex: string): number[] => wordsOf(hex, 4);
const LOOPBACK6 = v6("00000000000000000000000000000001");
const [TCP, UDP] = [6, 17];
const [ESTABLISHED, CLOSE, CLOSE_WAIT, LISTEN] = [1, 7, 8, 10];

let ino = 100;
function socket(
  from: number[],
  port: number,
  to: number[] | undefined,
  toPort: number,
  more: InetSocket = {},
): FileEntry {
  ino++;
  const isk = { id: ino, ino, family: from.length === 1 ? 2 : 10, type: 1, proto: TCP, state: ESTABLISHED };
  const dst_addr = to ?? from.map(() => 0);
  return { type: 4, id: ino, isk: { ...isk, src_port: port, dst_port: toPort, src_addr: from, dst_addr, ...more } };
}
const listener = (at: number[], port: number): FileEntry => socket(at, port, undefined, 0, { state: LISTEN });
const pair = (from: number[], to = from): FileEntry[] => [socket(from, 40000, to, 80), socket(to, 80, from, 40000)];
const out = (from: string): FileEntry => socket(v4(from), 50000, v4("192.0.2.7"), 443);
const endsOf = ({ isk }: FileEntry) => [isk?.src_addr, isk?.dst_addr];

describe("TCP connections", () => {
  test.each<[string, FileEntry[]]>([
    ["over 127.0.0.1", pair(v4("127.0.0.1"))],
    ["over ::1", pair(LOOPBACK6)],
    ["over the pod's own address", pair(v4("10.1.2.3"))],
    [
      "between a socket of version 4 and one of both",
      [
        socket(v4("127.0.0.1"), 40000, v4("127.0.0.1"), 80),
        socket(mapped("127.0.0.1"), 80, mapped("127.0.0.1"), 40000),
      ],
    ],
  ])("%s go on when both ends are there", (_what, files) => {
    expect(connectionsThatLeave(files)).toEqual([]);
    expect(withConnectionsClosed(files)).toEqual(files);
    expect([...connectionsWithin(files)]).toEqual(files.map(({ isk }) => isk?.ino));
  });

  test.each<[string, FileEntry[], string]>([
    ["that leads out of the pod", [out("10.1.2.3")], "10.1.2.3:50000 -> 192.0.2.7:443"],
    ["whose other end another program holds", pair(v4("127.0.0.1")).slice(0, 1), "127.0.0.1:40000 -> 127.0.0.1:80"],
    ["of version 6", [socket(LOOPBACK6, 1, LOOPBACK6, 2)], "[0:0:0:0:0:0:0:1]:1 -> [0:0:0:0:0:0:0:1]:2"],
  ])("one %s is closed, and told by its ends", (_what, files, ends) => {
    expect(connectionsThatLeave(files)).toEqual([ends]);
    const [closed] = withConnectionsClosed(files);
    const zeros = files[0]?.isk?.src_addr?.map(() => 0);
    expect(closed?.isk).toMatchObject({ state: CLOSE, src_port: 0, dst_port: 0, src_addr: zeros, dst_addr: zeros });
    expect(connectionsWithin(files).size).toBe(0);
  });

  test("one that is half closed is closed, both ends of it", () => {
    const [one, other] = pair(v4("127.0.0.1")) as [FileEntry, FileEntry];
    const files = [one, { ...other, isk: { ...other.isk, state: CLOSE_WAIT } }];
    expect(connectionsThatLeave(files)).toHaveLength(2);
    expect(withConnectionsClosed(files).map(({ isk }) => isk?.state)).toEqual([CLOSE, CLOSE]);
  });

  test("listeners, datagrams and files are none", () => {
    const files: FileEntry[] = [
      listener(v4("0.0.0.0"), 80),
      socket(v4("10.1.2.3"), 4000, v4("192.0.2.7"), 53, { proto: UDP, type: 2 }),
      { type: 1, id: 1, reg: { name: "/a" } },
    ];
    expect(connectionsThatLeave(files)).toEqual([]);
    expect(withConnectionsClosed(files)).toEqual(files);
  });

  test("that an older agent has dumped, without their streams, are closed", () => {
    const files = pair(v4("127.0.0.1"));
    expect(withConnectionsClosed(files, () => false).map(({ isk }) => isk?.state)).toEqual([CLOSE, CLOSE]);
    expect(withConnectionsClosed(files, (one) => one === files[0]?.isk?.ino).map(({ isk }) => isk?.state)).toEqual([
      CLOSE,
      CLOSE,
    ]);
  });

  test("once closed they stay so", () => {
    const once = withConnectionsClosed([out("10.1.2.3"), ...pair(v4("127.0.0.1"))]);
    expect(withConnectionsClosed(once)).toEqual(once);
  });
});

describe("the streams of a connection that goes on", () => {
  const files = pair(v4("127.0.0.1"));
  const [first = 0] = files.map(({ isk }) => isk?.ino);
  const streams = (one: TcpStream, other: TcpStream) =>
    streamsWithUnsent(files, (of) => ({ ...(of === first ? one : other) }));

  test("count what was not sent yet as sent, and stay as long as they were", () => {
    const one = { inq_seq: 500, inq_len: 7, outq_seq: 1000, outq_len: 100, unsq_len: 40, snd_wnd: 9 };
    const other = { inq_seq: 960, inq_len: 60, outq_seq: 500, outq_len: 0, unsq_len: 0 };
    expect([...streams(one, other)]).toEqual([[first, one]]);
  });

  test("are overwritten by a 0 of the same length", () => {
    const { entry } = tcpStreamOf(0);
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const stream = fc.record(
      { inq_len: word, outq_seq: word, timestamp: word, nodelay: fc.boolean(), snd_wnd: word, rcv_wup: word },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 2 ** 32 - 1 }), (some, unsq_len) => {
        const written = entry.encode({ ...some, unsq_len });
        const { at, bytes } = countingAsSent({ ...some, unsq_len });
        written.set(bytes, at);
        expect(entry.decode(written)).toEqual({ ...some, unsq_len: 0 });
      }),
    );
  });

  test.each([
    ["that the sender keeps and the receiver has, too", 900, 950],
    ["that are all acknowledged", 1000, 1000],
    ["whose numbers wrap", 2 ** 32 - 10, 20],
  ])("may have bytes %s", (_what, unacknowledgedFrom, arrivedUpTo) => {
    const one = { outq_seq: (unacknowledgedFrom + 100) % 2 ** 32, outq_len: 100, inq_seq: 5 };
    expect(() => streams(one, { inq_seq: arrivedUpTo, outq_seq: 5, outq_len: 0 })).not.toThrow();
  });

  test.each([
    ["one", 1000, 990],
    ["one whose numbers wrap", 5, 2 ** 32 - 3],
  ])("are refused when bytes are with neither end: %s", (_what, unacknowledgedFrom, arrivedUpTo) => {
    const one = { outq_seq: unacknowledgedFrom + 100, outq_len: 100, inq_seq: 5 };
    expect(() => streams(one, { inq_seq: arrivedUpTo, outq_seq: 5, outq_len: 0 })).toThrow(/on their way/);
  });
});

describe("addresses of the pod", () => {
  const HERE = [
    "00000000000000000000ffff0a090807",
    "fd000000000000000000000000000009",
    "fe80000000000000000000000000abcd",
  ];

  test.each<[string, FileEntry, (number[] | undefined)[]]>([
    ["a listener", listener(v4("10.1.2.3"), 80), [v4("10.9.8.7"), v4("0.0.0.0")]],
    ["a listener of both versions", listener(mapped("10.1.2.3"), 80), [mapped("10.9.8.7"), v6("0".repeat(32))]],
    [
      "a listener of version 6",
      listener(v6("fd000000000000000000000000000001"), 80),
      [v6(HERE[1] ?? ""), v6("0".repeat(32))],
    ],
    ["one of the link", listener(v6("fe800000000000000000000000000001"), 80), [v6(HERE[2] ?? ""), v6("0".repeat(32))]],
    [
      "a connected datagram socket",
      socket(v4("10.1.2.3"), 4000, v4("192.0.2.7"), 53, { proto: UDP, type: 2 }),
      [v4("10.9.8.7"), v4("192.0.2.7")],
    ],
  ])("%s is bound to the pod's address here", (_what, file, ends) => {
    expect(withAddresses([file], HERE).map(endsOf)).toEqual([ends]);
  });

  test("both ends of a connection over the pod's own address are", () => {
    const [one, other] = withAddresses(pair(v4("10.1.2.3")), HERE);
    expect(one && endsOf(one)).toEqual([v4("10.9.8.7"), v4("10.9.8.7")]);
    expect(other && endsOf(other)).toEqual([v4("10.9.8.7"), v4("10.9.8.7")]);
  });

  test.each(["0.0.0.0", "127.0.0.1", "127.1.2.3", "224.0.0.251", "255.255.255.255"])("%s stays", (text) => {
    expect(withAddresses([listener(v4(text), 80)], HERE).map(endsOf)).toEqual([[v4(text), v4("0.0.0.0")]]);
  });

  test.each([LOOPBACK6, v6("0".repeat(32)), v6("ff020000000000000000000000000001"), mapped("127.0.0.1")])(
    "of version 6, too: %#",
    (...words) => {
      expect(withAddresses([listener(words, 80)], HERE).map(endsOf)[0]?.[0]).toEqual(words);
    },
  );

  test.each<[string, FileEntry[], string[]]>([
    ["has none of that version here", [listener(v6("fd000000000000000000000000000001"), 80)], HERE.slice(0, 1)],
    ["had two", [listener(v4("10.1.2.3"), 80), listener(v4("10.1.2.4"), 80)], HERE],
    ["has two here", [listener(v4("10.1.2.3"), 80)], [...HERE, "00000000000000000000ffff0a090806"]],
  ])("when the pod %s, it is refused by that address", (_what, files, here) => {
    expect(() => withAddresses(files, here)).toThrow(/bound to the pod's address (10\.1\.2\.3|fd00:0:)/);
  });

  test("those that it still has stay", () => {
    const files = [listener(v4("10.9.8.7"), 80)];
    expect(withAddresses(files, [...HERE, "00000000000000000000ffff0a090806"])).toEqual(files);
  });

  test("are read from what the kernel says of the namespace", () => {
    const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.2.0/24 2 0 2
        |-- 10.1.2.0
           /24 link UNICAST
Local:
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 10.1.2.0/24 2 0 2
        |-- 10.1.2.3
           /32 host LOCAL
        |-- 10.1.2.255
           /32 link BROADCAST
`;
    const v6Table =
      "00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000e0d4fffffe000001 02 40 20 80     eth0\n";
    expect(localAddresses(trie, v6Table).map(addressText)).toEqual(["10.1.2.3", "fe80:0:0:0:e0d4:ffff:fe00:1"]);
    expect(localAddresses("", "")).toEqual([]);
    expect(isOfItsOwn(addressOf(v4("10.1.2.3")))).toBe(true);
  });
});
