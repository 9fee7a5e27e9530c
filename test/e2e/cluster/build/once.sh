#!/bin/bash
# Runs a recipe into OUT unless OUT is there. The caller holds a lock; the rename makes a half-built folder impossible.
# usage: once.sh OUT RECIPE [ARGUMENTS…]
set -euo pipefail
out=$1 recipe=$2
[ ! -e "$out" ] || exit 0
rm -rf "$out.part"
mkdir "$out.part"
"$recipe" "$out.part" "${@:3}" > "$out.log" 2>&1
mv "$out.part" "$out"
