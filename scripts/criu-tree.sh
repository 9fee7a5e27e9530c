#!/bin/sh
# Gathers CRIU with its own loader and C library into a folder that works wherever it is put, on nodes without either.
# Run in a Debian that has the package criu installed. usage: criu-tree.sh OUT_DIR
#   bin/criu      starts libexec/criu by the loader of the tree; alone in its folder, so that a PATH can name it
#   libexec/criu  the program; libexec/sleep is what runs in the containers of the agent's self-test; libexec/unshare is for bin/criu
#   lib/          the loader and every library that the program is linked to
#   plugins/      empty: plugins of the node's own CRIU would not fit this one
#   licenses/     of each package that something is taken from
#   id            hash of all that: two trees with the same one are the same
set -eu
out=$1
program=$(command -v criu)
for folder in bin libexec lib plugins licenses; do mkdir -p "$out/$folder"; done
cp "$program" "$out/libexec/criu"
cp "$(command -v sleep)" "$(command -v unshare)" "$out/libexec/" # linked to the C library alone

files="$program $(command -v sleep) $(command -v unshare)"
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

# With one cgroup hierarchy runc puts the CRIU that restores into the container's group, after it has started it and before it tells it anything. What
# CRIU restores is in CRIU's own cgroup namespace, so that is made then: its root is the container's group. Only such a CRIU is given a network (descriptor 4).
sed "s/LOADER/$loader/" > "$out/bin/criu" <<'EOF'
#!/bin/sh
tree=${0%/*}/..
CRIU_LIBS_DIR=$tree/plugins
export CRIU_LIBS_DIR
loaded() { exec "$tree/lib/LOADER" --inhibit-cache --library-path "$tree/lib" "$@"; }
group=
if [ -n "$HEADROOM_CONTAINER" ] && [ "$1" = swrk ] && [ -e /proc/$$/fd/4 ] && [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  looks=0
  until read -r group </proc/$$/cgroup && [ "$group" != "${group#*"$HEADROOM_CONTAINER"}" ]; do
    looks=$((looks + 1)) && [ "$looks" -lt 1000 ] || break
    (loaded "$tree/libexec/sleep" 0.005)
  done
fi
if [ "$group" != "${group#*"$HEADROOM_CONTAINER"}" ]; then
  loaded "$tree/libexec/unshare" --cgroup "$tree/lib/LOADER" --inhibit-cache --library-path "$tree/lib" "$tree/libexec/criu" "$@"
fi
loaded "$tree/libexec/criu" "$@"
EOF
chmod 755 "$out/bin/criu" "$out"/libexec/* "$out/lib/$loader"
(cd "$out" && find bin libexec lib licenses -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16) > "$out/id"
