#!/bin/bash
# kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl as one binary. 7 min cold, 20 s warm.
# usage: kubernetes.sh OUT_DIR VERSION    (such as 1.35.8)
set -euo pipefail
out=$1 version=v$2
staging=v0.${version#v1.}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export GOFLAGS="-mod=mod ${GOFLAGS:-}"

go mod download "k8s.io/kubernetes@$version"
upstream=$(go env GOMODCACHE)/k8s.io/kubernetes@$version
cd "$work"
cp "$here/kubernetes.go" main.go
# Before 1.32 the kubelet takes no context.
grep -q 'func NewKubeletCommand(ctx' "$upstream/cmd/kubelet/app/server.go" ||
  sed -i 's/context\.Background()//; /^\t"context"$/d' main.go
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
for component in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
  ln -s kubernetes "$out/$component"
done
