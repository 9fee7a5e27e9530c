#!/bin/bash
# containerd and runc of Debian forky, to be laid over the nodes' root file system, which is trixie's. About 30 s, 90 MB.
# usage: newer-runtime.sh OUT_DIR NODE_ROOT    (NODE_ROOT is not altered)
set -euo pipefail
out=$1 node_root=$2
# forky still changes: what it has is taken only if it is of these series.
series=(containerd=2.1 runc=1.3)
programs=(usr/bin/containerd usr/bin/containerd-shim-runc-v2 usr/bin/ctr usr/sbin/runc)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

"$here/forky.sh" --download-only --include=containerd,runc "$work/root"
for pair in "${series[@]}"; do
  package=${pair%=*} wanted=${pair#*=}
  archive=$(echo "$work/root/var/cache/apt/archives/${package}"_*.deb)
  version=$(dpkg-deb --field "$archive" Version)
  [[ $version == "$wanted".* ]] || {
    echo "Debian forky has $package $version, no longer $wanted: change \`series\` in $0, run the scenarios, and add the version to docs/compatibility.md" >&2
    exit 1
  }
  dpkg-deb --extract "$archive" "$work/unpacked"
done

# The programs alone, with trixie's libraries. A library that is too old for one of them shows here.
for program in "${programs[@]}"; do
  install -D -m 755 "$work/unpacked/$program" "$out/root/$program"
  checked=$("$node_root/lib64/ld-linux-x86-64.so.2" --library-path "$node_root/usr/lib/x86_64-linux-gnu" --list "$out/root/$program" 2>&1) &&
    ! grep 'not found' <<< "$checked" || {
    printf '%s does not run with the libraries of the nodes:\n%s\n' "$program" "$checked" >&2
    exit 1
  }
done
