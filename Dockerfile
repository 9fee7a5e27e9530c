# syntax=docker/dockerfile:1
# Two images: `docker build --target agent` makes the agents', and without a target this is the controller's, which is the command line's too.

FROM node:24-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && node scripts/image-files.js scripts/headroom-agent.js /agent && npm prune --omit=dev

# CRIU with its own loader and C library, for nodes that have none. forky's, for older ones fail on Linux 6.16 and newer.
FROM debian:forky-slim AS criu
COPY scripts/criu-tree.sh /
RUN apt-get update && apt-get install -y --no-install-recommends criu && sh /criu-tree.sh /criu

# The last two stages hold COPY, USER, ENTRYPOINT, WORKDIR and ENV only: the test cluster reads them and puts the same images
# together without a container engine. The agent enters its node with nsenter, which the base image brings (util-linux).
FROM node:24-trixie-slim AS agent
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /agent ./
COPY --from=build /src/dist/agent/keep-running.sh ./dist/agent/keep-running.sh
COPY --from=criu /criu /opt/headroom/criu
USER 65532:65532
ENTRYPOINT ["node", "/app/scripts/headroom-agent.js"]

FROM node:24-trixie-slim AS controller
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /src/package.json ./package.json
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY --from=build /src/crds ./crds
COPY --from=build /src/scripts/headroom.js ./scripts/headroom.js
USER 65532:65532
ENTRYPOINT ["node", "/app/scripts/headroom.js"]
