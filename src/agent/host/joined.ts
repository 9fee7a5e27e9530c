/** Work that is requested again while it is under way is done once: a caller that repeats its request does not add to the load. */
export class Joined<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** The outcome of the work under way for this key; of `begin` when there is none. */
  join(key: string, begin: () => Promise<T>): Promise<T> {
    const known = this.#running.get(key);
    if (known) return known;
    const outcome = begin().finally(() => this.#running.delete(key));
    this.#running.set(key, outcome);
    return outcome;
  }
}
