/** Colour, only where a person looks on: not in pipes, files and CI logs, nor where NO_COLOR asks for none. */
import { Chalk, type ChalkInstance } from "chalk";

export function hasColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  return stream.isTTY === true && env.TERM !== "dumb";
}

export function paletteFor(stream: { isTTY?: boolean }): ChalkInstance {
  return new Chalk({ level: hasColour(stream) ? 1 : 0 });
}
