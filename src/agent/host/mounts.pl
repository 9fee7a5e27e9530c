#!/usr/bin/perl
# Sets flags of mounts in a process's mount namespace again.
#
#   mounts.pl PID (FLAGS PATH)...   FLAGS as the system call takes them
use strict;
use warnings;
use Config;

my ($pid, @mounts) = @ARGV;
die "usage: mounts.pl PID (FLAGS PATH)...\n" unless @mounts && @mounts % 2 == 0;
my ($SETNS, $MOUNT) = $Config{archname} =~ /^aarch64/ ? (268, 40) : (308, 165);
my ($NEW_MOUNTS, $REMOUNT_BIND) = (0x20000, 0x20 | 0x1000);

open(my $namespace, '<', "/proc/$pid/ns/mnt") or die "process $pid: $!\n";
syscall($SETNS, fileno($namespace), $NEW_MOUNTS) == 0 or die "the mounts of process $pid cannot be entered: $!\n";
while (my ($flags, $path) = splice(@mounts, 0, 2)) {
    syscall($MOUNT, 0, $path, 0, $REMOUNT_BIND | $flags, 0) == 0 or die "$path: $!\n";
}
