/** The witness's ear, in a thread of its own: nothing that the tests do delays the time it notes for a datagram. */
import { createSocket } from "node:dgram";
import { parentPort, workerData } from "node:worker_threads";
import { emptyTestimony, hear, nodeAt, parseStatement, type Testimony } from "./testimony.ts";

const { address, port, instance } = workerData as { address: string; port: number; instance: number }; // given by ./witness.ts
const testimonies = new Map<string, Testimony>();

const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
socket.on("message", (message, sender) => {
  const atMs = performance.timeOrigin + performance.now();
  const statement = parseStatement(message.toString(), nodeAt(sender.address, instance));
  if (!statement) return;
  const testimony = testimonies.get(statement.name) ?? emptyTestimony();
  testimonies.set(statement.name, testimony);
  hear(testimony, statement, atMs);
});
socket.bind(port, address, () => parentPort?.postMessage("ready"));

parentPort?.on("message", ({ id, name }: { id: number; name: string }) => {
  parentPort?.postMessage({ id, testimony: testimonies.get(name) ?? emptyTestimony() });
});
