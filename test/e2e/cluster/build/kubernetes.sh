#!/bin/bash
# kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy as one binary. 7 min cold, 20 s warm.
# usage: kubernetes.sh OUT_DIR
set -euo pipefail
out=$1 version=v1.35.8
staging=v0.${version#v1.}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export GOFLAGS=-mod=mod

go mod download "k8s.io/kubernetes@$version"
upstream=$(go env GOMODCACHE)/k8s.io/kubernetes@$version
cd "$work"
cp "$here/kubernetes.go" main.go
install -m 644 "$upstream/go.sum" go.sum
{
  printf 'module headroom.dev/testcluster\n\n%s\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$(grep '^go ' "$upstream/go.mod")" "$version"
  # Upstream's replaces point at folders that are not part of the module: pin the modules published from them.
  awk -v pin="$staging" '$2 == "=>" && $3 ~ /^\.\/staging/ { print "\t" $1 " => " $1 " " pin }' "$upstream/go.mod"
  printf ')\n'
} > go.mod
go mod tidy
stamp=k8s.io/component-base/version
CGO_ENABLED=0 nice go build -trimpath -o "$out/kubernetes" \
  -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<< "$version")" .
for component in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
  ln -s kubernetes "$out/$component"
done
