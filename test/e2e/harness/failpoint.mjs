/**
 * Loaded into the controller by the tests (NODE_OPTIONS=--import=/failpoint.mjs): stops it at a certain write to the API server, as
 * a power cut or a very long pause would. The product knows nothing of it.
 *
 * What is wanted is JSON in the file /tmp/failpoint.json, which may be written while the controller runs, else in FAILPOINT. Which write: "phase"? (that a status write sets), "method"?, "path"? and "body"? (parts of them), "count"? (the
 * how-manieth, default 1). When: "before" it is sent or "after" it was answered with success (default). "act": "die" (default), or
 * "hold" until the file /tmp/failpoint-go-<armed> exists. It strikes once: /tmp/failpoint-hit-<armed>, in a volume that outlives the
 * container, says that it has. "armed" is its number.
 */
import diagnosticsChannel from "node:diagnostics_channel";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const FILE = "/tmp/failpoint.json";
const hit = () => `/tmp/failpoint-hit-${wanted.armed}`;
const go = () => `/tmp/failpoint-go-${wanted.armed}`;
let text;
let wanted;
let left = 0;

/** Looks what is wanted now. */
function look() {
  const now = existsSync(FILE) ? readFileSync(FILE, "utf8") : process.env.FAILPOINT;
  if (now === text) return;
  text = now;
  wanted = now ? JSON.parse(now) : undefined;
  left = !wanted || existsSync(hit()) ? 0 : (wanted.count ?? 1);
}

/** The phase that a write of a whole object, a merge patch or a JSON patch sets. */
function phaseIn(body) {
  try {
    const parsed = JSON.parse(body);
    if (!Array.isArray(parsed)) return parsed.status?.phase;
    const last = parsed.findLast((change) => change.path === "/status/phase" || change.path === "/status");
    return last?.value?.phase ?? last?.value;
  } catch {
    return undefined;
  }
}

function matches(method, path, body) {
  if (wanted.method ? method !== wanted.method : !["PUT", "PATCH", "POST"].includes(method)) return false;
  if (wanted.path && !path.includes(wanted.path)) return false;
  if (wanted.body && !body.includes(wanted.body)) return false;
  return !wanted.phase || phaseIn(body) === wanted.phase;
}

function passing(when, method, path, body) {
  look();
  if (left <= 0 || when !== (wanted.when ?? "after") || !matches(method, path, body)) return;
  left -= 1;
  if (left === 0) strike(`${when} ${method} ${path}`);
}

function strike(what) {
  writeFileSync(hit(), what);
  process.stderr.write(`failpoint: ${what}\n`);
  // As process 1 of its namespace it could not kill itself; this ends it as abruptly: no handler runs.
  if (wanted.act !== "hold") process.reallyExit(137);
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(go())) Atomics.wait(never, 0, 0, 10);
}

/** Calls of node:http and node:https: the body is what is written, the answer is the `response` event. */
function watchHttp(module) {
  const original = module.request;
  module.request = function request(...args) {
    const call = original.apply(this, args);
    const chunks = [];
    const body = () => Buffer.concat(chunks).toString();
    for (const name of ["write", "end"]) {
      const send = call[name];
      call[name] = function keep(chunk, ...rest) {
        if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
        if (name === "end") passing("before", call.method, call.path, body());
        return send.call(this, chunk, ...rest);
      };
    }
    call.once("response", (response) => {
      if (response.statusCode < 300) passing("after", call.method, call.path, body());
    });
    return call;
  };
}

/** Calls of undici, the package's and the built-in fetch's: both report on diagnostics channels. */
function watchUndici() {
  const sent = new WeakMap();
  const body = (request) => {
    const whole = typeof request.body === "string" || Buffer.isBuffer(request.body);
    return whole ? request.body.toString() : (sent.get(request) ?? "");
  };
  diagnosticsChannel.subscribe("undici:request:create", ({ request }) => {
    passing("before", request.method, request.path, body(request));
  });
  diagnosticsChannel.subscribe("undici:request:bodyChunkSent", ({ request, chunk }) => {
    sent.set(request, (sent.get(request) ?? "") + Buffer.from(chunk).toString());
  });
  diagnosticsChannel.subscribe("undici:request:headers", ({ request, response }) => {
    if (response.statusCode < 300) passing("after", request.method, request.path, body(request));
  });
}

watchHttp(http);
watchHttp(https);
watchUndici();
