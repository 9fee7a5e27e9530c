/**
 * Loaded into Headroom's programs by the tests (NODE_OPTIONS=--import=/clock.mjs): shifts their wall clock by the milliseconds in the file
 * /tmp/clock-offset, which is read at most every 200 ms. The product knows nothing of it. Timers and performance.now() are not shifted.
 */
import { readFileSync } from "node:fs";

const FILE = "/tmp/clock-offset";
const EVERY_MS = 200;
const RealDate = Date;
const realNow = Date.now;
let offset = 0;
let readAt = Number.NEGATIVE_INFINITY;

function readOffset() {
  try {
    return Number(readFileSync(FILE, "utf8")) || 0;
  } catch {
    return 0; // nobody has stepped it
  }
}

function now() {
  if (performance.now() - readAt >= EVERY_MS) {
    readAt = performance.now();
    offset = readOffset();
  }
  return realNow() + offset;
}

const ShiftedDate = new Proxy(RealDate, {
  construct(target, args, newTarget) {
    return Reflect.construct(target, args.length > 0 ? args : [now()], newTarget === ShiftedDate ? target : newTarget);
  },
  apply() {
    return new RealDate(now()).toString();
  },
});
RealDate.now = now;
RealDate.prototype.constructor = ShiftedDate;
globalThis.Date = ShiftedDate;
