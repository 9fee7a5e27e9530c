#!/usr/bin/env node
// The `headroom` command of the agent's image: see ../src/cli/agent-main.ts.
import { main } from "../dist/cli/agent-main.js";

process.exitCode = await main(process.argv);
