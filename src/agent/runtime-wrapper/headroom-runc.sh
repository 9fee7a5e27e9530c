#!/bin/sh
# Headroom's OCI runtime: containerd runs it in place of runc for the runtime handler "headroom".
#
# It turns `create` into a restore for the container of a pod that this node's agent has registered as the target of a
# move, and passes everything else to runc untouched:
#   not registered           runc, always
#   not known, moves here    fails: it may be a target
#   registered               waits for the checkpoint, then restores or fails; never a cold start
#   restored already         fails: an image is restored once
#   registered and released  runc: after the commit a restart is an ordinary one
# A pod is registered by the mere existence of $STATE/targets/<pod UID>; whatever is damaged in there makes `create` fail.
# The pod's UID is the one that containerd itself wrote into the bundle, not one that a user can write on a pod.
STATE=${HEADROOM_STATE:-/var/lib/headroom}
RUN=${HEADROOM_RUN:-/run/headroom}
runc= && read -r runc 2>/dev/null <"$STATE/bin/runc-path"
RUNC=${HEADROOM_RUNC:-${runc:-runc}}
LIMIT=${HEADROOM_WAIT_SECONDS:-110} # below the two minutes that the kubelet gives a container to start

# The verb is the first argument that is neither a global option nor such an option's value.
verb= log= previous=
for argument do
  case $previous in
    --root | --log-format | --criu | --rootless) previous= && continue ;;
    --log) log=$argument previous= && continue ;;
  esac
  case $argument in
    --root | --log | --log-format | --criu | --rootless) previous=$argument ;;
    -*) ;;
    *) verb=$argument && break ;;
  esac
done

# A restored container runs already: containerd's `start` has nothing left to do.
if [ "$verb" = start ]; then
  for id do :; done
  case $id in */* | '') exec "$RUNC" "$@" ;; esac
  [ -e "$RUN/restored/$id" ] || exec "$RUNC" "$@"
  rm -f "$RUN/restored/$id"
  exit 0
fi
[ "$verb" = create ] || exec "$RUNC" "$@"

# No target at all on this node: the usual case, decided without reading anything.
any=
for entry in "$STATE"/targets/*; do
  if [ -e "$entry" ] || [ -L "$entry" ]; then any=1 && break; fi
done
[ -n "$any" ] || exec "$RUNC" "$@"

bundle=. previous= id=
for argument do
  case $previous in --bundle | -b) bundle=$argument ;; esac
  case $argument in --bundle=*) bundle=${argument#--bundle=} ;; esac
  previous=$argument id=$argument
done

# Quotes inside JSON strings are escaped, so that only a key of an object matches, not a text that looks like one.
annotation() {
  tr ',{}' '\n\n\n' <"$bundle/config.json" 2>/dev/null |
    sed -n 's/^[[:space:]]*"io\.kubernetes\.cri\.'"$1"'"[[:space:]]*:[[:space:]]*"\([^"\\]*\)"[[:space:]]*$/\1/p'
}

# containerd shows the last error in the log that it names.
fail() {
  echo "headroom: $1" >&2
  [ -z "$log" ] || printf '{"level":"error","msg":"headroom: %s","time":"%s"}\n' "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$log"
  exit 1
}

[ "$(annotation container-type)" = sandbox ] && exec "$RUNC" "$@"
# Any pod may be the target: one that is not known is not started cold. containerd before 1.6.11 doesn't say.
uids=$(annotation sandbox-uid)
[ -n "$uids" ] || fail "moves to this node are under way, and $bundle/config.json does not name the pod; is containerd older than 1.6.11?"
target=
for uid in $uids; do
  case $uid in */* | . | .. | '') continue ;; esac
  if [ -e "$STATE/targets/$uid" ] || [ -L "$STATE/targets/$uid" ]; then target=$STATE/targets/$uid; fi
done
[ -n "$target" ] || exec "$RUNC" "$@"

[ -d "$target" ] && [ -r "$target/move" ] && [ -r "$target/container" ] || fail "the registration of this pod is damaged: $target"
[ -e "$target/released" ] && exec "$RUNC" "$@"
[ -e "$target/aborted" ] && fail "the move of this pod was rolled back"
move= && read -r move <"$target/move"
name= && read -r name <"$target/container"
case $move in '' | *[!0-9a-f-]*) fail "the registration of this pod is damaged: $target/move" ;; esac
[ "$(annotation container-name)" = "$name" ] || fail "only container $name of this pod is restored, nothing else is started in it before the commit"
[ -e "$target/claimed" ] && fail "this pod was restored before, and its move is not committed"
work=$RUN/target/$move
[ -d "$work/waiting" ] || fail "what the move staged is gone; was the node restarted?"

# Opened for reading and writing: neither side waits for the other, and no word is lost.
waiting=$work/waiting/$id
rm -f "$waiting"
echo "$$" >"$waiting.pid" && mkfifo "$waiting" && exec 9<>"$waiting" || fail "cannot wait in $work"
answer=$(timeout "$LIMIT" head -n 1 <&9)
exec 9>&-
rm -f "$waiting" "$waiting.pid"
case $answer in
  restore) ;;
  '') fail "no checkpoint arrived within $LIMIT seconds" ;;
  *) fail "the move of this pod was given up: $answer" ;;
esac
files= && read -r files 2>/dev/null <"$work/files-for"
[ "$files" = "$id" ] || fail "the files of the move were not copied into this container"
# Whoever rolls back marks the pod first and looks for this process then: one of the two sees the other.
(set -C && echo "$$ $id" >"$work/restore.pid") 2>/dev/null || fail "this pod was restored before, and its move is not committed"
[ -e "$target/aborted" ] && fail "the move of this pod was rolled back"
mkdir "$target/claimed" 2>/dev/null || fail "this pod was restored before, and its move is not committed"

# runc takes the first criu of its PATH.
criu= && read -r criu 2>/dev/null <"$work/criu" && PATH=$criu:$PATH && export PATH

lazy=
[ -e "$work/lazy" ] && lazy=--lazy-pages

# runc puts CRIU into the target's own groups. It would go on to those that the images name. Only a configuration file named in the bundle wins over what runc
# tells CRIU about that.
grep -q manage-cgroups "$work/criu.conf" 2>/dev/null || echo 'manage-cgroups=ignore' >>"$work/criu.conf"
sed 's|"annotations":{|&"org.criu.config":"'"$work"'/criu.conf",|' "$bundle/config.json" >"$bundle/config.json.new" &&
  grep -q '"org.criu.config"' "$bundle/config.json.new" && mv "$bundle/config.json.new" "$bundle/config.json" ||
  fail "cannot name CRIU's configuration in $bundle/config.json"
count=$# replaced=
while [ "$count" -gt 0 ]; do
  argument=$1 count=$((count - 1))
  shift
  if [ -z "$replaced" ] && [ "$argument" = create ]; then
    replaced=1
    set -- "$@" restore --detach --file-locks --tcp-established $lazy --image-path "$work/staging/images" --work-path "$work/staging/work"
  else
    set -- "$@" "$argument"
  fi
done
CRIU_CONFIG_FILE=$work/criu.conf HEADROOM_CONTAINER=$id
export CRIU_CONFIG_FILE HEADROOM_CONTAINER
"$RUNC" "$@"
code=$?
if [ "$code" = 0 ]; then mkdir -p "$RUN/restored" && : >"$RUN/restored/$id"; fi
echo "$code" >"$work/restore.exit.new" && mv "$work/restore.exit.new" "$work/restore.exit"
exit "$code"
