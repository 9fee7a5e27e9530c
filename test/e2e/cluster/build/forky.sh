#!/bin/bash
# debootstrap for Debian forky. Older ones do not know its name; it is set up like every release since.
# usage: forky.sh OPTIONS… FOLDER
set -euo pipefail
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap; }
scripts=$(mktemp -d) && trap 'rm -rf "$scripts"' EXIT
cp -r /usr/share/debootstrap/. "$scripts"
[ -e "$scripts/scripts/forky" ] || ln -s sid "$scripts/scripts/forky"
DEBOOTSTRAP_DIR=$scripts debootstrap --variant=minbase "${@:1:$#-1}" forky "${@: -1}"
