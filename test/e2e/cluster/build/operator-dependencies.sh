#!/bin/bash
# The operator's node_modules without what only its development needs.
# usage: operator-dependencies.sh OUT_DIR
set -euo pipefail
out=$1 repository=$(cd "$(dirname "$0")/../../../.." && pwd)
cp "$repository"/package.json "$repository"/package-lock.json "$out/"
cd "$out"
npm ci --omit=dev --no-audit --no-fund
