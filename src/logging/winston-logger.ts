/** {@link Logger} on winston: JSON lines for machines, coloured lines on a terminal. */
import type { Writable } from "node:stream";
import chalk from "chalk";
import { createLogger, format, transports } from "winston";
import type { LogLevel } from "../config/controller-config.ts";
import type { Secret } from "../config/secret.ts";
import type { LogFields, Logger } from "./logger.ts";
import { plainFields } from "./plain-fields.ts";

export interface WinstonLoggerOptions {
  level: LogLevel;
  format: "json" | "pretty";
  /** Only where a person looks on. */
  colour?: boolean;
  /** Never shown, even when a library has put one into a message. */
  secrets?: readonly Secret[];
  /** Absent: standard error. */
  stream?: Writable;
}

/** JSON unless standard error is a terminal. */
export function resolveFormat(wanted: "auto" | "json" | "pretty", isTerminal: boolean): "json" | "pretty" {
  if (wanted !== "auto") return wanted;
  return isTerminal ? "pretty" : "json";
}

export function winstonLogger(options: WinstonLoggerOptions): Logger {
  const line = options.format === "json" ? jsonLine : prettyLine(options.colour ?? false);
  const hide = (text: string) => (options.secrets ?? []).reduce((shown, secret) => secret.hideIn(shown), text);
  const logger = createLogger({
    level: options.level,
    format: format.printf((info) => hide(line(info))),
    transports: [new transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  return wrap((level, message, fields) => logger.log({ level, message, fields, time: new Date().toISOString() }), {});
}

type Write = (level: LogLevel, message: string, fields: LogFields) => void;

function wrap(write: Write, own: LogFields): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => write(level, message, { ...own, ...fields });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => wrap(write, { ...own, ...fields }),
  };
}

interface Line {
  level: string;
  message: unknown;
  [rest: string]: unknown;
}

function jsonLine(info: Line): string {
  const { level, message, time, fields } = info;
  return JSON.stringify({ time, level, message, ...plainFields(fields) });
}

const COLOURS: Record<string, (text: string) => string> = {
  error: chalk.red,
  warn: chalk.yellow,
  info: chalk.green,
  debug: chalk.gray,
};

function prettyLine(colour: boolean): (info: Line) => string {
  return ({ level, message, time, fields }) => {
    const paint = (colour ? COLOURS[level] : undefined) ?? ((text: string) => text);
    const rest = Object.entries(plainFields(fields)).map(([name, value]) => `${name}=${shortly(value)}`);
    return [String(time).slice(11, 23), paint(level.padEnd(5)), message, ...rest].join(" ");
  };
}

function shortly(value: unknown): string {
  if (typeof value === "string") return /[\s"]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? "undefined";
}
