#!/bin/sh
# Gathers CRIU with its own loader and C library into a folder that works wherever it is put, on nodes without either.
# Run in a Debian that has the package criu installed. usage: criu-tree.sh OUT_DIR
#   bin/criu      starts libexec/criu by the loader of the tree; alone in its folder, so that a PATH can name it
#   libexec/criu  the program; libexec/sleep is what runs in the containers of the agent's self-test
#   lib/          the loader and every library that the program is linked to
#   plugins/      empty: plugins of the node's own CRIU would not fit this one
#   licenses/     of each package that something is taken from
#   id            hash of all that: two trees with the same one are the same
set -eu
out=$1
program=$(command -v criu)
for folder in bin libexec lib plugins licenses; do mkdir -p "$out/$folder"; done
cp "$program" "$out/libexec/criu"
cp "$(command -v sleep)" "$out/libexec/sleep" # linked to the C library alone

files="$program $(command -v sleep)"
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
  cp -L "$library" "$out/lib/"
  files="$files $library"
done
loader=$(basename "$(ldd "$program" | grep -o '^[[:space:]]*/[^ ]*' | tr -d '[:space:]')")
for file in $files; do
  for path in "$file" "$(readlink -f "$file")" "/usr$file"; do
    package=$(dpkg -S "$path" 2>/dev/null | grep -v ^diversion | head -n 1 | cut -d : -f 1) || true
    [ -z "$package" ] || break
  done
  [ -n "$package" ] || { echo "no package has $file" >&2; exit 1; }
  cp "/usr/share/doc/$package/copyright" "$out/licenses/$package"
done

cat > "$out/bin/criu" <<EOF
#!/bin/sh
tree=\${0%/*}/..
CRIU_LIBS_DIR=\$tree/plugins exec "\$tree/lib/$loader" --inhibit-cache --library-path "\$tree/lib" "\$tree/libexec/criu" "\$@"
EOF
chmod 755 "$out/bin/criu" "$out"/libexec/* "$out/lib/$loader"
(cd "$out" && find bin libexec lib licenses -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16) > "$out/id"
