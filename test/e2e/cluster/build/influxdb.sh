#!/bin/bash
# influxd 2.7 from its Go module. Its query language is in Rust: needs cargo and gcc. 5 min cold.
# usage: influxdb.sh OUT_DIR
set -euo pipefail
out=$1 version=v2.7.12 module=github.com/influxdata/influxdb/v2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export GOFLAGS=-mod=mod

go mod download "$module@$version"
cd "$work"
install -m 644 "$(go env GOMODCACHE)/$module@$version/go.sum" go.sum
printf 'module headroom.dev/testinfluxdb\n\ngo 1.23.0\n\nrequire %s %s\n' "$module" "$version" > go.mod
# A main package cannot be imported: import what it imports, so that tidy keeps those modules.
cat > packages.go <<GO
package packages

import (
	_ "$module/cmd/influxd/launcher"
	_ "$module/tsdb/engine/tsm1"
	_ "$module/tsdb/index/tsi1"
)
GO
go mod tidy
go install github.com/influxdata/pkg-config@v0.2.14 # builds libflux when cgo asks for its flags

# libflux pins an old toolchain and turns warnings into errors: build it with the installed one, lints capped.
printf '#!/bin/sh\nexec "$@" --cap-lints allow\n' > rustc-capped && chmod +x rustc-capped
if command -v rustup >/dev/null; then
  RUSTUP_TOOLCHAIN=$(rustup toolchain list | awk 'NR == 1 { print $1 }') && export RUSTUP_TOOLCHAIN
fi
PKG_CONFIG=$(go env GOPATH)/bin/pkg-config RUSTC_WORKSPACE_WRAPPER=$work/rustc-capped CGO_ENABLED=1 \
  nice go build -trimpath -tags "sqlite_foreign_keys sqlite_json noassets" -ldflags "-s -w" -o "$out/influxd" "$module/cmd/influxd"
