#!/bin/bash
# Becomes a node: run in new mount, process, UTS, IPC and cgroup namespaces and in the node's network namespace and cgroups.
# Makes the node's root file system (a writable layer on a disk of its own over what is shared), then becomes its init.
# usage: machine.sh NAME FOLDER LAYERS KUBERNETES TELEGRAF MEMORY_MIB    (LAYERS: folders, the uppermost first, with colons between)
set -euo pipefail
name=$1 folder=$2 layers=$3 kubernetes=$4 telegraf=$5 memory_kib=$(($6 * 1024))
root=$folder/root

# /proc is still the host's: this is the process id that the host knows.
read -r pid _ < /proc/self/stat
echo "$pid" > "$folder/pid"

mount --make-rprivate /
# The kubelet must find a block device for its file system, and a node's images and writable layers must not be shared.
mkdir -p "$folder/disk" "$root"
mount -o loop "$folder/disk.img" "$folder/disk"
rm -rf "$folder"/disk/containerd/e2e-filler-* # without inodes nothing could be mounted over it
mkdir -p "$folder"/disk/{upper,work,containerd,kubelet}
mount -t overlay overlay -o "lowerdir=$layers,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$root"

# The node's own size in place of the machine's. It stands still: only the total means something.
awk -v kib="$memory_kib" '
  /^(MemTotal|MemFree|MemAvailable):/ { printf "%-15s %9d kB\n", $1, kib; next }
  /^Swap/ { printf "%-15s %9d kB\n", $1, 0; next }
  { print }' /proc/meminfo > "$folder/meminfo"

mount -t proc proc "$root/proc"
mount --bind "$folder/meminfo" "$root/proc/meminfo"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
awk '$3 == "cgroup" { print $2, $4 }' /proc/mounts | while read -r path options; do
  controller=$(basename "$path")
  mkdir "$root/sys/fs/cgroup/$controller"
  case $options in
  *name=systemd*) mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/$controller" ;;
  *) mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller" ;;
  esac
done

mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty kmsg fuse; do
  [ -e "/dev/$device" ] || continue
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

mkdir -p "$root"/var/lib/{containerd,kubelet} "$root/var/log/node" "$root"/opt/{kubernetes,telegraf,node}
mount --bind "$folder/disk/containerd" "$root/var/lib/containerd"
mount --bind "$folder/disk/kubelet" "$root/var/lib/kubelet"
mkdir -p "$folder/log"
mount --bind "$folder/log" "$root/var/log/node"
mount --bind "$kubernetes" "$root/opt/kubernetes"
mount --bind "$telegraf" "$root/opt/telegraf"
mount --bind "$(dirname "$0")" "$root/opt/node"
hostname "$name"
# At a second boot the disk may be full: nothing is written to it.
grep -qs " $name\$" "$root/etc/hosts" || printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" > "$root/etc/hosts"

mkdir "$root/run/old"
cd "$root"
pivot_root . run/old
cd /
umount -l /run/old
rmdir /run/old
mount --make-rshared / # volumes and pods' file systems are passed on from here
touch /run/node-ready
exec tini -- sleep infinity
