#!/bin/bash
# A disk with the programs that a node runs beside its distribution's, to be mounted read-only. 5 s.
# usage: vm-programs.sh OUT_DIR FOLDER…    (each ends up under its name without the hash)
set -euo pipefail
out=$1
tree=$out/tree
mkdir "$tree"
for folder in "${@:2}"; do
  name=$(basename "$folder")
  cp -a "$folder" "$tree/${name%-*}"
done
size=$(du -sm "$tree" | cut -f1)
mkfs.ext4 -q -O ^has_journal -d "$tree" "$out/programs.img" "$((size * 11 / 10 + 16))M"
rm -r "$tree"
