/**
 * Holds idle TCP connections open, in a process of its own; those that are closed by the other side are opened again. Says once a second
 * how many there are. Ends with its standard input.
 */
import { connect } from "node:net";

interface Order {
  host: string;
  port: number;
  count: number;
  /** One after the other. */
  sourceAddresses: string[];
}

const order = JSON.parse(process.argv[2] ?? "") as Order; // written by ./flood.ts
const OPENED_EACH_TICK = 100;
/** Once all have been tried: a flood of idle connections, not of new ones. */
const REOPENED_EACH_TICK = 10;
const TICK_MILLISECONDS = 50;
const counts = { open: 0, opening: 0, opened: 0, ended: 0, failed: 0 };

function openOne(): void {
  const { host, port, sourceAddresses } = order;
  const localAddress = sourceAddresses[(counts.opened + counts.failed + counts.opening) % sourceAddresses.length];
  const socket = connect({ host, port, ...(localAddress ? { localAddress } : {}) });
  let connected = false;
  counts.opening += 1;
  socket.once("connect", () => {
    connected = true;
    counts.opening -= 1;
    counts.open += 1;
    counts.opened += 1;
  });
  socket.on("error", () => undefined); // "close" follows
  socket.once("close", () => {
    counts[connected ? "open" : "opening"] -= 1;
    counts[connected ? "ended" : "failed"] += 1;
  });
  socket.resume();
}

setInterval(() => {
  const missing = order.count - counts.open - counts.opening;
  const most = counts.opened + counts.failed < order.count ? OPENED_EACH_TICK : REOPENED_EACH_TICK;
  for (let i = 0; i < Math.min(missing, most); i++) openOne();
}, TICK_MILLISECONDS);
setInterval(() => process.stdout.write(`${JSON.stringify(counts)}\n`), 1000);
process.stdin.resume().once("end", () => process.exit());
