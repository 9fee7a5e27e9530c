/** The contract about watches: resuming, selectors, bookmarks, time limits and 410. */
import { expect } from "vitest";
import { stringAt, valueAt } from "../../src/sandbox/api-server/json.ts";
import type { WatchEvent } from "./api.ts";
import type { Contract } from "./api-contract.test.ts";

const told = (events: WatchEvent[]): string[] =>
  events
    .filter(({ type }) => type !== "BOOKMARK")
    .map(({ type, object }) => `${type} ${stringAt(object, "metadata", "name")}`);

export const watchContract: Contract = {
  "a watch tells of every change after the list, in order": async ({ api, configMaps, name }) => {
    const list = await api.get(configMaps);
    const version = stringAt(list.body, "metadata", "resourceVersion");
    const one = name();
    await api.post(configMaps, { metadata: { name: one } });
    await api.patch(`${configMaps}/${one}`, { data: { a: "1" } });
    const path = `${configMaps}?watch=true&resourceVersion=${version}`;
    const events = await api.watch(
      path,
      (all) => told(all).length >= 3,
      () => api.delete(`${configMaps}/${one}`),
    );
    expect(told(events)).toEqual([`ADDED ${one}`, `MODIFIED ${one}`, `DELETED ${one}`]);
  },
  "a watch can be resumed from the version of any event": async ({ api, configMaps, name }) => {
    const [one, two] = [name(), name()];
    const { body } = await api.post(configMaps, { metadata: { name: one } });
    await api.post(configMaps, { metadata: { name: two } });
    const path = `${configMaps}?watch=true&resourceVersion=${stringAt(body, "metadata", "resourceVersion")}`;
    const events = await api.watch(path, (all) => told(all).length >= 1);
    expect(told(events)).toEqual([`ADDED ${two}`]);
  },
  "a watch without a version begins with what is there": async ({ api, configMaps, name }) => {
    const one = name();
    await api.post(configMaps, { metadata: { name: one, labels: { begin: one } } });
    const events = await api.watch(
      `${configMaps}?watch=true&labelSelector=begin%3D${one}`,
      (all) => told(all).length >= 1,
    );
    expect(told(events)).toEqual([`ADDED ${one}`]);
  },
  "an object that ceases to match a selector is deleted for the watch": async ({ api, configMaps, name }) => {
    const one = name();
    const { body } = await api.post(configMaps, { metadata: { name: one, labels: { in: "yes" } } });
    const version = stringAt(body, "metadata", "resourceVersion");
    await api.patch(`${configMaps}/${one}`, { metadata: { labels: { in: "no" } } });
    await api.patch(`${configMaps}/${one}`, { metadata: { labels: { in: "yes" } } });
    const path = `${configMaps}?watch=true&labelSelector=in%3Dyes&resourceVersion=${version}`;
    const events = await api.watch(path, (all) => told(all).length >= 2);
    expect(told(events)).toEqual([`DELETED ${one}`, `ADDED ${one}`]);
  },
  "a deletion carries a new resourceVersion": async ({ api, configMaps, name }) => {
    const { body } = await api.post(configMaps, { metadata: { name: name() } });
    const version = stringAt(body, "metadata", "resourceVersion");
    await api.delete(`${configMaps}/${stringAt(body, "metadata", "name")}`);
    const events = await api.watch(
      `${configMaps}?watch=true&resourceVersion=${version}`,
      (all) => told(all).length >= 1,
    );
    expect(Number(valueAt(events[0]?.object, "metadata", "resourceVersion"))).toBeGreaterThan(Number(version));
  },
  "a watch ends at its time limit": async ({ api, configMaps }) => {
    const list = await api.get(configMaps);
    const version = stringAt(list.body, "metadata", "resourceVersion");
    const path = `${configMaps}?watch=true&timeoutSeconds=1&resourceVersion=${version}`;
    expect(told(await api.watch(path, () => false))).toEqual([]);
  },
  "after a change, bookmarks carry the kind and a newer resourceVersion": async ({ api, configMaps, name }) => {
    const list = await api.get(configMaps);
    const version = stringAt(list.body, "metadata", "resourceVersion");
    // Only what is new since the watch began moves a bookmark on.
    const change = () => api.post(configMaps, { metadata: { name: name() } });
    const bookmarked = (all: WatchEvent[]) => all.some(({ type }) => type === "BOOKMARK");
    const path = `${configMaps}?watch=true&allowWatchBookmarks=true&timeoutSeconds=10&resourceVersion=${version}`;
    const events = await api.watch(path, bookmarked, change);
    const bookmark = events.find(({ type }) => type === "BOOKMARK");
    expect(bookmark?.object).toMatchObject({ kind: "ConfigMap", apiVersion: "v1" });
    expect(Number(valueAt(bookmark?.object, "metadata", "resourceVersion"))).toBeGreaterThan(Number(version));
  },
  "a version that has been compacted away is answered with 410": async ({ api, configMaps, name }) => {
    if (api.real) return;
    const { body } = await api.post(configMaps, { metadata: { name: name() } });
    await api.post(configMaps, { metadata: { name: name() } });
    api.compact();
    const path = `${configMaps}?watch=true&resourceVersion=${stringAt(body, "metadata", "resourceVersion")}`;
    const events = await api.watch(path, () => false);
    expect(events).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
  },
};
