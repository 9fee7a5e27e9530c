import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  exitCodeOf,
  joinedGroups,
  outputOf,
  startDetached,
  waitForExit,
  wasStarted,
} from "../../../src/agent/host/detached.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";
import { connectPages } from "../../../src/agent/host/page-connection.ts";
import { expected, greetingOf } from "../../../src/agent/host/page-greeting.ts";
import { forgetFailedPageServer, listenForPages, pageServerOf } from "../../../src/agent/host/page-server.ts";

const moveUID = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "host-"));
  const path = `${join(root, "bin")}:${process.env.PATH}`;
  const inside = (name: string) => (name.startsWith("/run/") ? join(root, name) : name);
  host = {
    path: inside,
    command: ([file = "true", ...args]) => ({ file, args: args.map(inside) }),
    environment: (extra = {}) => ({ PATH: path, ...extra }),
  };
  mkdirSync(join(root, "bin"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("a detached program", () => {
  const name = () => join(root, "program");
  const run = (script: string, more = {}) =>
    startDetached(host, { name: name(), argv: ["/bin/sh", "-c", script], groups: [], ...more });

  test("leaves its exit code and its words in files", async () => {
    await run("echo it went wrong >&2; exit 3");
    expect(await waitForExit(host, name(), { ms: 5_000 })).toBe(3);
    expect([wasStarted(host, name()), outputOf(host, name())]).toEqual([true, "it went wrong"]);
  });

  test("joins its groups before it starts", async () => {
    const group = join(root, "cgroup.procs");
    await run(`cat ${group}`, { groups: [join(root, "no", "such", "group"), group] });
    await waitForExit(host, name(), { ms: 5_000 });
    expect(outputOf(host, name())).toBe(readFileSync(`${name()}.pid`, "utf8").trim());
  });

  test("is known to have joined its groups only once it has", async () => {
    const group = join(root, "cgroup.procs");
    execFileSync("mkfifo", [group]); // the shell waits here to write itself into it
    await run("exit 0", { groups: [group] });
    let joined = false;
    const waiting = joinedGroups(host, name(), 10_000).then(() => {
      joined = true;
    });
    await expect(joinedGroups(host, name(), 50)).resolves.toBeUndefined();
    expect(joined).toBe(false);
    execFileSync("cat", [group]);
    await waiting;
    expect(await waitForExit(host, name(), { ms: 5_000 })).toBe(0);
  });

  test("that was killed without a word counts as failed", async () => {
    await run("sleep 60");
    while (readFileSync(`${name()}.pid`, { encoding: "utf8", flag: "a+" }).trim() === "")
      await new Promise(setImmediate);
    expect(exitCodeOf(host, name())).toBeUndefined();
    const pid = Number(readFileSync(`${name()}.pid`, "utf8"));
    process.kill(-pid, "SIGKILL");
    expect(await waitForExit(host, name(), { ms: 5_000 })).toBe(137);
  });

  test("that fails has its consequence before anybody learns of it; one that ends well hasn't", async () => {
    const mark = join(root, "mark");
    await run("exit 1", { onFailure: `echo killed >${mark}` });
    await waitForExit(host, name(), { ms: 5_000 });
    expect(readFileSync(mark, "utf8")).toBe("killed\n");
    rmSync(mark);
    await run("exit 0", { onFailure: `echo killed >${mark}` });
    await waitForExit(host, name(), { ms: 5_000 });
    expect(() => readFileSync(mark)).toThrow();
  });

  test("is not waited for longer than the limit, nor once the wait is given up", async () => {
    await run("exec sleep 5");
    await expect(waitForExit(host, name(), { ms: 10 })).rejects.toThrow(/has not ended/);
    const signal = AbortSignal.abort();
    await expect(waitForExit(host, name(), { ms: 5_000, signal })).rejects.toThrow();
    process.kill(-Number(readFileSync(`${name()}.pid`, "utf8")), "SIGKILL");
  });
});

describe("the page server", () => {
  const received = () => join(root, "received");

  beforeEach(() => {
    mkdirSync(host.path(targetMoveOf(moveUID).directory), { recursive: true });
    // In CRIU's place: blocks on what comes through the descriptor, says the arguments, answers.
    writeFileSync(join(root, "bin", "criu"), `#!/bin/sh\necho "$@"; cat <&9 >${received()}; echo good bye >&9\n`, {
      mode: 0o755,
    });
  });

  const token = "t".repeat(32);
  const greetingFor = (port: number) => greetingOf(token, moveUID, port);
  const pagesTo = (port: number, greeting = greetingFor(port)) =>
    connectPages({ address: "127.0.0.1", port, greeting }, 5_000);

  async function listen(refused: string[]) {
    const greeting = (port: number) => expected(greetingFor(port));
    const options = { moveUID, address: "127.0.0.1", port: 0, sourceAddress: "127.0.0.1", groups: [], greeting };
    return await listenForPages(host, options, (message) => refused.push(message));
  }

  test("hands the source's connection to CRIU, from its very first byte, and takes no second one", async () => {
    const { port } = await listen([]);
    const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const { source, target } = greetingFor(port);
    // All at once: nobody but CRIU may have read what follows the greeting.
    client.end(Buffer.concat([source, Buffer.from("pages")]));
    const answers: Buffer[] = [];
    for await (const chunk of client) answers.push(chunk);
    expect(Buffer.concat(answers)).toEqual(Buffer.concat([target, Buffer.from("good bye\n")]));
    expect(await waitForExit(host, pageServerOf(moveUID), { ms: 5_000 })).toBe(0);
    expect(readFileSync(received(), "utf8")).toBe("pages");
    expect(outputOf(host, pageServerOf(moveUID))).toContain("--ps-socket 9");
    await expect(pagesTo(port)).rejects.toThrow(/ECONNREFUSED/);
  });

  test("leaves what the page server says to CRIU on the source's side, too", async () => {
    const { port } = await listen([]);
    const pages = await pagesTo(port);
    pages.socket.end("pages");
    const said = join(root, "said");
    writeFileSync(join(root, "bin", "sender"), `#!/bin/sh\ncat <&9 >${said}\n`, { mode: 0o755 });
    const name = join(root, "sender");
    await startDetached(host, { name, argv: ["sender"], groups: [], socket: pages.socket });
    expect(await waitForExit(host, name, { ms: 5_000 })).toBe(0);
    expect(readFileSync(said, "utf8")).toBe("good bye\n");
    pages.close();
  });

  test("ends with its dump when the source gives that up, and not when only the agent lets go of it", async () => {
    const { port } = await listen([]);
    const pages = await pagesTo(port);
    writeFileSync(join(root, "bin", "dump"), "#!/bin/sh\nwhile echo page >&9; do sleep 0.02; done\n", { mode: 0o755 });
    const name = join(root, "dump");
    await startDetached(host, { name, argv: ["dump"], groups: [], socket: pages.socket });
    await expect(waitForExit(host, name, { ms: 200 })).rejects.toThrow(/has not ended/);
    pages.shutDown();
    pages.close();
    expect(await waitForExit(host, name, { ms: 5_000 })).not.toBe(0);
  });

  test.each([
    ["does not know the token", (port: number) => greetingOf("u".repeat(32), moveUID, port).source],
    ["repeats the word of another port", (port: number) => greetingFor(port + 1).source],
    ["says too little", (port: number) => greetingFor(port).source.subarray(1)],
  ])("refuses one who %s, and goes on waiting for the source", async (_who, word) => {
    const refused: string[] = [];
    const { port } = await listen(refused);
    const stranger = connect({ host: "127.0.0.1", port });
    stranger.end(word(port));
    await new Promise((resolve) => stranger.once("close", resolve));
    expect(refused).toHaveLength(1);
    expect(wasStarted(host, pageServerOf(moveUID))).toBe(false);
    (await pagesTo(port)).close();
    expect(await waitForExit(host, pageServerOf(moveUID), { ms: 5_000 })).toBe(0);
  });

  test("is not kept from the source by those who connect and say nothing", async () => {
    const { port } = await listen([]);
    const silent = Array.from({ length: 30 }, () => connect({ host: "127.0.0.1", port }));
    for (const socket of silent) socket.on("error", () => undefined);
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    (await pagesTo(port)).close();
    for (const socket of silent.filter(({ closed }) => !closed)) await once(socket, "close");
    expect(await waitForExit(host, pageServerOf(moveUID), { ms: 5_000 })).toBe(0);
  });

  test("is not believed by a source when it does not know the token", async () => {
    const impostor = createServer((socket) => void socket.end("x".repeat(32)));
    await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
    const address = impostor.address();
    const port = typeof address === "object" && address ? address.port : 0;
    await expect(pagesTo(port)).rejects.toThrow(/not the move's target/);
    impostor.close();
  });

  test.each([
    ["that failed makes room for another", 1, true],
    ["that has all pages is kept", 0, false],
    ["that works is kept", undefined, false],
  ])("%s", (_what, code, forgotten) => {
    writeFileSync(host.path(`${pageServerOf(moveUID)}.pid`), `${process.pid}\n`);
    if (code !== undefined) writeFileSync(host.path(`${pageServerOf(moveUID)}.exit`), `${code}\n`);
    expect(forgetFailedPageServer(host, moveUID)).toBe(forgotten);
    expect(wasStarted(host, pageServerOf(moveUID))).toBe(!forgotten);
  });

  test("refuses a connection from anywhere else, and goes on waiting for the source", async () => {
    const refused: string[] = [];
    const { port, close } = await listen(refused);
    const stranger = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.2" });
    await new Promise((resolve) => stranger.once("close", resolve));
    expect(refused.join()).toMatch(/127\.0\.0\.2 .* refused: not the source/);
    expect(wasStarted(host, pageServerOf(moveUID))).toBe(false);
    (await pagesTo(port)).close();
    expect(await waitForExit(host, pageServerOf(moveUID), { ms: 5_000 })).toBe(0);
    close();
  });
});
