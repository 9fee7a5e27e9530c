import { Writable } from "node:stream";
import { format, inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { readControllerConfig } from "../../src/config/controller-config.ts";
import { Secret } from "../../src/config/secret.ts";
import { SettingsError } from "../../src/config/settings.ts";
import { winstonLogger } from "../../src/logging/winston-logger.ts";

const TOKEN = "influx-token-that-must-not-show";
const INFLUX = {
  INFLUXDB_URL: "http://influxdb:8086",
  INFLUXDB_ORG: "acme",
  INFLUXDB_BUCKET: "default",
  INFLUXDB_TOKEN: TOKEN,
};

const WAYS_TO_PRINT: { way: string; print: (secret: Secret) => string }[] = [
  { way: "a template", print: (secret) => `${secret}` },
  { way: "String", print: String },
  { way: "concatenation", print: (secret) => `token: ${[secret].join()}` },
  { way: "JSON", print: (secret) => JSON.stringify({ secret, nested: [{ secret }] }) },
  {
    way: "inspect",
    print: (secret) => inspect({ secret }, { depth: 9, showHidden: true, showProxy: true, getters: true }),
  },
  { way: "format", print: (secret) => format("%s %o %O %j", secret, secret, secret, secret) },
  {
    way: "its own keys",
    print: (secret) => JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret).map(String)]),
  },
  { way: "a clone", print: (secret) => inspect(structuredClone(secret)) + inspect({ ...secret }) },
  { way: "an error", print: (secret) => inspect(new Error(`bad ${secret}`, { cause: { secret } }), { depth: 9 }) },
];

describe("a secret", () => {
  test.each(WAYS_TO_PRINT)("does not show by $way", ({ print }) => {
    expect(print(new Secret(TOKEN))).not.toContain(TOKEN);
  });

  test("gives its value to who asks for it", () => {
    expect(new Secret(TOKEN).reveal()).toBe(TOKEN);
  });
});

describe.each(["json", "pretty"] as const)("the %s log", (form) => {
  test("does not show a token, however it came in", () => {
    const written: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        done();
      },
    });
    const secret = new Secret(TOKEN);
    const logger = winstonLogger({ level: "debug", format: form, secrets: [secret], stream });
    const leaked = new Error(`401 for Authorization: Token ${TOKEN}`, { cause: new TypeError(`header ${TOKEN}`) });
    logger.error(`failed with ${TOKEN}`, { error: leaked, secret, nested: { headers: [`Token ${TOKEN}`] } });
    logger.child({ secret, text: TOKEN }).info("child");
    expect(written).toHaveLength(2);
    expect(written.join("")).not.toContain(TOKEN);
    expect(written.join("")).toContain("[secret]");
  });
});

describe("the controller's configuration", () => {
  test("takes the environment, and a flag before it", () => {
    const config = readControllerConfig({
      flags: { httpPort: "9", logLevel: "debug" },
      env: { ...INFLUX, HTTP_PORT: "8" },
    });
    expect(config).toMatchObject({ httpPort: 9, logLevel: "debug", namespace: "headroom-system" });
    expect(config.influx?.token.reveal()).toBe(TOKEN);
    expect(JSON.stringify(config) + inspect(config, { depth: 9 })).not.toContain(TOKEN);
  });

  test("does without InfluxDB when nothing is said about it", () => {
    expect(readControllerConfig({ flags: {}, env: {} }).influx).toBeUndefined();
  });

  test.each([
    ["", { fraction: 0.1 }],
    ["25%", { fraction: 0.25 }],
    ["100%", { fraction: 1 }],
    ["3", { count: 3 }],
  ])("takes %j as a share of the nodes", (ROLL_OUT_SHARE, share) => {
    expect(readControllerConfig({ flags: {}, env: { ROLL_OUT_SHARE } }).rollOutShare).toEqual(share);
  });

  test.each(["0", "0%", "101%", "-1", "1.5", "half"])("takes no share of %j", (ROLL_OUT_SHARE) => {
    expect(() => readControllerConfig({ flags: {}, env: { ROLL_OUT_SHARE } })).toThrow(
      "ROLL_OUT_SHARE: must be a number of nodes",
    );
  });

  const WRONG: { name: string; env: Record<string, string>; lines: string[] }[] = [
    {
      name: "a missing token",
      env: { ...INFLUX, INFLUXDB_TOKEN: "" },
      lines: [
        "INFLUXDB_TOKEN: missing; InfluxDB needs all of INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET, INFLUXDB_TOKEN",
      ],
    },
    {
      name: "a URL without a scheme",
      env: { ...INFLUX, INFLUXDB_URL: "influxdb:8086" },
      lines: ["INFLUXDB_URL: must be a URL such as http://influxdb:8086"],
    },
    {
      name: "a URL with a password",
      env: { ...INFLUX, INFLUXDB_URL: `http://me:${TOKEN}@influxdb` },
      lines: ["INFLUXDB_URL: must not hold a user name or password"],
    },
    {
      name: "a port that is none",
      env: { HTTP_PORT: "http" },
      lines: ['HTTP_PORT: must be a whole number from 0 to 65535, not "http"'],
    },
    {
      name: "several at once",
      env: { HTTP_PORT: "70000", LOG_LEVEL: "loud", KUBELET_SUMMARY: "yes" },
      lines: [
        'LOG_LEVEL: must be one of error, warn, info, debug, not "loud"',
        'HTTP_PORT: must be a whole number from 0 to 65535, not "70000"',
        'KUBELET_SUMMARY: must be true or false, not "yes"',
      ],
    },
  ];

  test.each(WRONG)("says in one line each: $name", ({ env, lines }) => {
    const read = () => readControllerConfig({ flags: {}, env });
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(lines.join("\n"));
    expect(read).not.toThrow(TOKEN);
  });
});
