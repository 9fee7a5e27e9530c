/**
 * An agent's identity in a cluster. The key is made here and never leaves the node's memory file system; the certificate is
 * signed by the controller, which the agent shows its service-account token to. See docs/adr/0002-agent-trust.md.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "./agent-error.ts";
import { certificateRequest, isFor, keysOf, newKeys, privateKeyPem, selfSigned } from "./certificates.ts";
import { readIfThere } from "./host/files.ts";
import type { AgentIdentity, TlsCredentials } from "./identity.ts";
import { writeDurably } from "./move-records.ts";
import { agentName } from "./protocol.ts";

const SELF_SIGNED_LIFE_MS = 365 * 24 * 3_600_000;

export interface EnrolledIdentityOptions {
  node: string;
  /** Folder for key and certificate: on a memory file system. */
  directory: string;
  /** The authority's certificate, published by the controller. */
  authorityFile: string;
  /** The pod's projected service-account token. */
  tokenFile: string;
  now: () => number;
}

export class EnrolledIdentity implements AgentIdentity {
  readonly #options: EnrolledIdentityOptions;
  readonly #listeners: (() => void)[] = [];
  readonly #key: string;
  readonly #selfSigned: string;
  #certificate: string | undefined;
  #authority: string;

  private constructor(options: EnrolledIdentityOptions, key: string, own: string) {
    this.#options = options;
    this.#key = key;
    this.#selfSigned = own;
    this.#authority = readFileSync(options.authorityFile, "utf8");
    this.#certificate = readIfThere(join(options.directory, "certificate.pem"));
  }

  /** Takes up the key and certificate of the agent before this one, or makes a key. */
  static async load(options: EnrolledIdentityOptions): Promise<EnrolledIdentity> {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const file = join(options.directory, "key.pem");
    let key = readIfThere(file);
    if (key === undefined) {
      key = await privateKeyPem(await newKeys());
      writeDurably(file, key);
    }
    const own = await selfSigned(await keysOf(key), agentName(options.node), options.now(), SELF_SIGNED_LIFE_MS);
    return new EnrolledIdentity(options, key, own);
  }

  credentials(): TlsCredentials {
    const certificate = this.enrolled() ? (this.#certificate ?? this.#selfSigned) : this.#selfSigned;
    return { key: this.#key, certificate, authority: this.#authority };
  }

  enrolled(): boolean {
    return this.#certificate !== undefined && this.#isMine(this.#certificate);
  }

  async enrolment(): Promise<{ csr: string; token: string }> {
    const csr = await certificateRequest(await keysOf(this.#key), agentName(this.#options.node));
    return { csr, token: (await readFile(this.#options.tokenFile, "utf8")).trim() };
  }

  accept(certificate: string): Promise<void> {
    if (!this.#isMine(certificate)) {
      return Promise.reject(new AgentError("BadRequest", "the certificate is not for this agent's key and name"));
    }
    writeDurably(join(this.#options.directory, "certificate.pem"), certificate);
    this.#certificate = certificate;
    this.#changed();
    return Promise.resolve();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks whether the controller has published another authority. Call it now and then. The controller renews the certificate. */
  refresh(): void {
    const authority = readIfThere(this.#options.authorityFile);
    if (authority === undefined || authority.trim() === "" || authority === this.#authority) return;
    this.#authority = authority;
    this.#changed();
  }

  #isMine(certificate: string): boolean {
    const { node, now } = this.#options;
    const expected = { key: this.#key, commonName: agentName(node), authority: this.#authority, nowMs: now() };
    return isFor(certificate, expected);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
