#!/bin/sh
# usage: keep-running.sh PROGRAM [ARGUMENTS…]
# Starts the agent again as soon as it has died. The kubelet waits for up to five minutes when that happens more than once, and a pod that is frozen for
# its move can neither go on nor be restored meanwhile. One that ends within ten seconds, or because it was told to, is left to the kubelet.
child= told=
tell() { told=1 && [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }
trap tell TERM INT
while :; do
  began=$(date +%s)
  "$@" &
  child=$!
  [ -z "$told" ] || tell
  # A trapped signal ends `wait` as well.
  while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done
  [ -z "$told" ] && [ "$(($(date +%s) - began))" -ge "${HEADROOM_MIN_SECONDS:-10}" ] || exit "$code"
  echo "the agent ended with exit code $code, and is started again" >&2
done
