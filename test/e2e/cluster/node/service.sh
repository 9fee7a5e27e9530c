#!/bin/sh
# Keeps a program running, as a machine's init system would: it comes back half a second after it ends.
# Its log is /var/log/node/NAME.log, its current process id is in /run/service/NAME.pid; while /run/service/NAME.down exists, it
# is not started again.
# usage: service.sh NAME COMMAND...
name=$1
shift
mkdir -p /run/service
while :; do
  if [ ! -e "/run/service/$name.down" ]; then
    "$@" >> "/var/log/node/$name.log" 2>&1 &
    echo $! > "/run/service/$name.pid"
    wait $!
  fi
  sleep 0.5
done
