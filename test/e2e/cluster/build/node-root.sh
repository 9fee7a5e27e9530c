#!/bin/bash
# The nodes' root file system: Debian trixie with containerd, runc, CRIU and what a kubelet needs. About 100 s, 650 MB.
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

# trixie's CRIU 4.1 dumps no process with an Internet socket on Linux 6.16 or newer; the next release's does. Only what it needs
# comes from there. A mirror of it may lag behind its own date.
root=$out/root
echo "deb [check-valid-until=no] $(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list") forky main" > "$root/etc/apt/sources.list.d/forky.list"
echo 'APT::Default-Release "trixie";' > "$root/etc/apt/apt.conf.d/release"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update -qq
chroot "$root" apt-get install -y -qq --no-install-recommends criu/forky libcompel1/forky libnet9/forky libnl-3-200/forky
rm -rf "$out"/root/var/cache/apt/archives/*.deb "$out"/root/var/lib/apt/lists/*
: > "$out/root/etc/machine-id"
