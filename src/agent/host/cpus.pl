#!/usr/bin/perl
# Says on which CPUs threads may run. One that may run on none of them here stays as it is.
#
#   cpus.pl (THREAD MASK)...   MASK in hexadecimal, the first byte's lowest bit is CPU 0
use strict;
use warnings;
use Config;

die "usage: cpus.pl (THREAD MASK)...\n" unless @ARGV && @ARGV % 2 == 0;
my $SET_AFFINITY = $Config{archname} =~ /^aarch64/ ? 122 : 203;
while (my ($thread, $mask) = splice(@ARGV, 0, 2)) {
    my $bytes = pack('H*', $mask);
    syscall($SET_AFFINITY, $thread + 0, length $bytes, $bytes);
}
