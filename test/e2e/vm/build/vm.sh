#!/bin/bash
# A virtual machine: Debian's stock cloud kernel over the test cluster's node file system with systemd, udev, sshd and AppArmor, and QEMU to run it. About
# 3 min, 2 GB.
# usage: vm.sh OUT_DIR NODE_ROOT    (NODE_ROOT is copied, never altered)
#   OUT/qemu/      QEMU 10 of trixie with its libraries (older ones crash the kernel under emulation)
#   OUT/root.img   the guest's root file system, ext4, sparse
#   OUT/vmlinuz    OUT/initrd.gz
set -euo pipefail
out=$1 node_root=$2
here=$(cd "$(dirname "$0")" && pwd)
tree=$out/tree
cp -a "$node_root" "$tree"
cp /etc/resolv.conf "$tree/etc/resolv.conf"

# What makes it a node of its own. Nothing of it is started in the chroot.
chroot "$tree" apt-get update -qq
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
DEBIAN_FRONTEND=noninteractive chroot "$tree" apt-get install -y -qq --no-install-recommends systemd-sysv udev dbus openssh-server apparmor
rm "$tree/usr/sbin/policy-rc.d"
systemctl() { chroot "$tree" systemctl --quiet "$@"; }
find "$tree/etc/apparmor.d" -maxdepth 1 -type f -delete # a hundred for programs that are not here; containerd loads its own
systemctl enable systemd-networkd ssh
systemctl disable containerd # it starts when its configuration is there
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online getty@ serial-getty@ etcd
printf 'UsePAM no\nUseDNS no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n' > "$tree/etc/ssh/sshd_config.d/e2e.conf"
printf 'net.ipv4.ip_forward = 1\n' > "$tree/etc/sysctl.d/e2e.conf"
printf '/dev/vdb /srv ext4 ro 0 0\n' > "$tree/etc/fstab"
mkdir -p "$tree/var/log/node"
mkdir -p "$tree/root/.ssh" && chmod 700 "$tree/root/.ssh"

# The kernel and its modules.
package=$(chroot "$tree" apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
chroot "$tree" sh -c "cd /tmp && apt-get download -qq $package"
dpkg -x "$tree"/tmp/linux-image-*.deb "$out/kernel"
rm "$tree"/tmp/linux-image-*.deb
version=$(basename "$out"/kernel/usr/lib/modules/*)
mv "$out/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
cp -a "$out/kernel/usr/lib/modules" "$tree/usr/lib/"
rm -rf "$out/kernel"
chroot "$tree" depmod "$version"

# It needs a driver to find its disks.
initrd=$(mktemp -d) && trap 'rm -rf "$initrd"' EXIT
mkdir -p "$initrd"/{bin,proc,dev,new}
cp "$tree/bin/busybox" "$initrd/bin/"
install -m 755 "$here/initramfs-init" "$initrd/init"
xz -dc "$(find "$tree/usr/lib/modules/$version" -name 'virtio_blk.ko.xz')" > "$initrd/virtio_blk.ko"
(cd "$initrd" && find . | "$initrd/bin/busybox" cpio -o -H newc 2> /dev/null | gzip) > "$out/initrd.gz"

mkdir -p "$tree/payload"
rm -f "$tree"/var/cache/apt/archives/*.deb
mkfs.ext4 -q -d "$tree" "$out/root.img" 8G

# QEMU with all its libraries, unpacked beside: none of it is installed, so the tree's own packages do not matter.
: > "$tree/tmp/none-installed"
chroot "$tree" apt-get install -y -qq --no-install-recommends --download-only -o Dir::State::status=/tmp/none-installed qemu-system-x86
mkdir "$out/qemu"
for package in "$tree"/var/cache/apt/archives/*.deb; do dpkg -x "$package" "$out/qemu"; done
rm -rf "$tree" "$out"/qemu/usr/share/{doc,man,locale,i18n} "$out"/qemu/var
