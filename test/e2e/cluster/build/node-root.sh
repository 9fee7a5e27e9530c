#!/bin/bash
# The nodes' root file system: Debian trixie with containerd, runc and what a kubelet needs; no CRIU. About 100 s, 650 MB.
# usage: node-root.sh OUT_DIR
set -euo pipefail
out=$1
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap; }

packages=(
  containerd runc containernetworking-plugins etcd-server
  iproute2 iptables nftables conntrack socat kmod mount util-linux procps
  tini busybox-static ca-certificates
  libstdc++6 # for the Node binary of the operator's image, whose base layer is cut from this tree
  strace     # for whoever looks into a failed run
)
debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" trixie "$out/root"

rm -rf "$out"/root/var/cache/apt/archives/*.deb "$out"/root/var/lib/apt/lists/*
: > "$out/root/etc/machine-id"
