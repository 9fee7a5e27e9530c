/**
 * Loaded into the controller by the tests (NODE_OPTIONS=--import=/failpoint.mjs): ends the process, as a power cut would, right
 * after the API server has taken a certain write. The product knows nothing of it.
 *
 * FAILPOINT is JSON: {"phase"?: a phase that a status write must name, "method"?, "path"?: a part of the path, "body"?: a part of
 * the body, "count"?: die after so many such writes (default 1)}. It strikes once per pod: the file FAILPOINT_RECORD (default
 * /tmp/failpoint-hit, in a volume that outlives the container) says that it has.
 */
import diagnosticsChannel from "node:diagnostics_channel";
import { existsSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const record = process.env.FAILPOINT_RECORD ?? "/tmp/failpoint-hit";
const wanted = process.env.FAILPOINT ? JSON.parse(process.env.FAILPOINT) : undefined;
let left = wanted?.count ?? 1;

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

/** Called when the API server has answered a call. */
function answered(method, path, body, status) {
  if (status >= 300 || !matches(method, path, body)) return;
  left -= 1;
  if (left > 0) return;
  writeFileSync(record, `${method} ${path}`);
  process.stderr.write(`failpoint: ${method} ${path}\n`);
  process.kill(process.pid, "SIGKILL");
}

/** Calls of node:http and node:https: the body is what is written, the answer is the `response` event. */
function watchHttp(module) {
  const original = module.request;
  module.request = function request(...args) {
    const call = original.apply(this, args);
    const chunks = [];
    for (const name of ["write", "end"]) {
      const send = call[name];
      call[name] = function keep(chunk, ...rest) {
        if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
        return send.call(this, chunk, ...rest);
      };
    }
    call.once("response", (response) => {
      answered(call.method, call.path, Buffer.concat(chunks).toString(), response.statusCode);
    });
    return call;
  };
}

/** Calls of undici, the package's and the built-in fetch's: both report on diagnostics channels. */
function watchUndici() {
  const bodies = new WeakMap();
  diagnosticsChannel.subscribe("undici:request:bodyChunkSent", ({ request, chunk }) => {
    bodies.set(request, (bodies.get(request) ?? "") + Buffer.from(chunk).toString());
  });
  diagnosticsChannel.subscribe("undici:request:headers", ({ request, response }) => {
    const whole =
      typeof request.body === "string" || Buffer.isBuffer(request.body) ? request.body.toString() : undefined;
    answered(request.method, request.path, whole ?? bodies.get(request) ?? "", response.statusCode);
  });
}

if (wanted && !existsSync(record)) {
  watchHttp(http);
  watchHttp(https);
  watchUndici();
}
