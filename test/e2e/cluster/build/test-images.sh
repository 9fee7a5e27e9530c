#!/bin/bash
# The programs in the test's own images, linked statically. Needs gcc.
# usage: test-images.sh OUT_DIR
set -euo pipefail
out=$1
sources=$(cd "$(dirname "$0")/../images" && pwd)
for program in pause workload; do
  gcc -static -O2 -Wall -Wextra -Werror -o "$out/$program" "$sources/$program.c"
done
