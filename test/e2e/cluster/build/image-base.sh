#!/bin/bash
# The lowest layer of the operator's image: Debian trixie, slim, with what the official Node binary links to. 40 s.
# usage: image-base.sh OUT_DIR
set -euo pipefail
out=$1
root=$out/root
debootstrap --variant=minbase --include=libstdc++6 trixie "$root"
rm -rf "$root"/usr/share/{doc,man,locale,info} "$root"/var/cache/apt "$root"/var/lib/apt "$root"/var/log/* "$root"/dev/*
tar --sort=name --mtime=@0 --numeric-owner -cf "$out/layer.tar" -C "$root" .
rm -rf "$root"
