#!/bin/bash
# The programs in the test's own images, linked statically. Needs gcc.
# usage: test-images.sh OUT_DIR
set -euo pipefail
out=$1
sources=$(cd "$(dirname "$0")/../images" && pwd)
gcc -static -O2 -Wall -Wextra -Werror -o "$out/pause" "$sources/pause.c"
gcc -static -O2 -Wall -Wextra -Werror -o "$out/workload" "$sources/workload.c" "$sources/opened.c"
