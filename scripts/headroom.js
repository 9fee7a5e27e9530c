#!/usr/bin/env node
// The `headroom` command. A checkout runs from source (Node ≥ 24 strips the types), an installed package from dist.
import { existsSync } from "node:fs";

const source = new URL("../src/cli/main.ts", import.meta.url);
const built = new URL("../dist/cli/main.js", import.meta.url);
const { main } = await import(existsSync(source) ? source.href : built.href);
process.exitCode = await main(process.argv);
