#!/bin/bash
# Makes the stock disk a node's: its files are laid over the root file system, and its own containerd gets the images. Here, not in the machine, which
# takes minutes for what takes seconds here.
# usage: unshare --mount --pid --fork --kill-child fill-disk.sh DISK FILES NEWER_RUNTIME IMAGE…
#   FILES          folder, laid over the root; NEWER_RUNTIME the same, or ""
#   IMAGE          archives for `ctr images import`
set -euo pipefail
disk=$1 files=$2 newer=$3
shift 3
root=$(mktemp -d) && trap 'umount -R "$root"; rmdir "$root"' EXIT
mount -o loop "$disk" "$root"
for tree in "$files" "$newer"; do
  [ -z "$tree" ] || tar -c --owner=0 --group=0 --mode=go-w -C "$tree" . | tar -x -p --keep-directory-symlink --no-overwrite-dir -C "$root"
done
mount -t proc proc "$root/proc"
for folder in run tmp dev; do mount -t tmpfs tmpfs "$root/$folder"; done
mknod -m 666 "$root/dev/null" c 1 3
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]\n' > "$root/tmp/containerd.toml"
chroot "$root" containerd --config /tmp/containerd.toml > "$disk.log" 2>&1 &
containerd=$!
for _ in $(seq 300); do chroot "$root" ctr version > /dev/null 2>&1 && break; sleep 0.1; done
for image in "$@"; do chroot "$root" ctr -n k8s.io images import - < "$image"; done
kill "$containerd"
wait "$containerd" || true
