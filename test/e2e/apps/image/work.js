// Counts in its memory, and reads a file all the time.
const { randomUUID } = require("node:crypto");
const { promises: files, renameSync, writeFileSync } = require("node:fs");

const begun = randomUUID();
const kept = new Map();

async function work(count) {
  kept.set(count % 5000, Buffer.alloc(8192, count));
  await files.readFile("/apps/work.js");
  if (count % 50 === 0) {
    writeFileSync("/state.new", `${begun} ${count} 0\n`);
    renameSync("/state.new", "/state");
  }
  setTimeout(work, count % 50 === 0 ? 5 : 0, count + 1);
}

void work(1);
