#!/bin/bash
# One layer with real programs of Debian trixie and what drives them, for the scenario `apps`. 2 to 5 min for each group.
# usage: apps.sh OUT_DIR GROUP [INFLUXD_FOLDER]
set -euo pipefail
out=$1 group=$2 root=$1/root
sources=$(cd "$(dirname "$0")/../../apps/image" && pwd)

common=(curl procps)
case $group in
  servers)
    packages=(valkey-server valkey-tools memcached etcd-server etcd-client nats-server prometheus nginx-light haproxy python3) ;;
  languages) packages=(openjdk-21-jdk-headless nodejs erlang-base r-base-core ruby) ;;
  python) packages=(python3-numpy python3-torch python3-distributed python3-ipykernel python3-jupyter-client python3-cffi-backend gunicorn) ;;
esac
debootstrap --variant=minbase --include="$(IFS=,; echo "${common[*]},${packages[*]}")" trixie "$root"

mkdir "$root/apps"
cp "$sources"/* "$root/apps/"
if [ "$group" = servers ]; then
  cp "$3/influxd" "$root/apps/influxd"
  work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
  cp "$sources/server.go" "$work/" && printf 'module server\n\ngo 1.24\n' > "$work/go.mod"
  (cd "$work" && CGO_ENABLED=0 go build -o "$root/apps/server" .)
fi
rm -rf "$root"/usr/share/{doc,man,locale,info} "$root"/var/cache/apt "$root"/var/lib/apt "$root"/var/log/* "$root"/dev/*
tar --sort=name --mtime=@0 --numeric-owner -cf "$out/layer.tar" -C "$root" .
rm -rf "$root"
