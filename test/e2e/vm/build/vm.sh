#!/bin/bash
# A virtual machine with Debian's stock cloud kernel over the test cluster's node file system, and QEMU to run it. About 2 min, 2 GB.
# usage: vm.sh OUT_DIR NODE_ROOT    (NODE_ROOT is copied, never altered)
#   OUT/qemu/      QEMU 10 of trixie with its libraries (older ones crash the kernel under emulation)
#   OUT/root.img   the guest's root file system, ext4
#   OUT/vmlinuz    OUT/initrd.gz
set -euo pipefail
out=$1 node_root=$2
here=$(cd "$(dirname "$0")" && pwd)
tree=$out/tree
cp -a "$node_root" "$tree"
cp /etc/resolv.conf "$tree/etc/resolv.conf"

# The kernel and its modules.
chroot "$tree" apt-get update -qq
package=$(chroot "$tree" apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
chroot "$tree" sh -c "cd /tmp && apt-get download -qq $package"
dpkg -x "$tree"/tmp/linux-image-*.deb "$out/kernel"
rm "$tree"/tmp/linux-image-*.deb
version=$(basename "$out"/kernel/usr/lib/modules/*)
mv "$out/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
cp -a "$out/kernel/usr/lib/modules" "$tree/usr/lib/"
rm -rf "$out/kernel"
chroot "$tree" depmod "$version"

# It needs a driver to find its disk.
initrd=$(mktemp -d) && trap 'rm -rf "$initrd"' EXIT
mkdir -p "$initrd"/{bin,proc,dev,new}
cp "$tree/bin/busybox" "$initrd/bin/"
install -m 755 "$here/initramfs-init" "$initrd/init"
xz -dc "$(find "$tree/usr/lib/modules/$version" -name 'virtio_blk.ko.xz')" > "$initrd/virtio_blk.ko"
(cd "$initrd" && find . | "$initrd/bin/busybox" cpio -o -H newc 2> /dev/null | gzip) > "$out/initrd.gz"

mkdir -p "$tree/payload"
mkfs.ext4 -q -O ^has_journal -d "$tree" "$out/root.img" 2G

# QEMU with all its libraries, unpacked beside: none of it is installed, so the tree's own packages do not matter.
: > "$tree/tmp/none-installed"
chroot "$tree" apt-get install -y -qq --no-install-recommends --download-only -o Dir::State::status=/tmp/none-installed qemu-system-x86
mkdir "$out/qemu"
for package in "$tree"/var/cache/apt/archives/*.deb; do dpkg -x "$package" "$out/qemu"; done
rm -rf "$tree" "$out"/qemu/usr/share/{doc,man,locale,i18n} "$out"/qemu/var
