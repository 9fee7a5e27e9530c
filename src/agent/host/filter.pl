#!/usr/bin/perl
# The seccomp filter that a process got first, as the kernel has it.
#
#   filter.pl PID   a line: the filter's flags, the filter in hexadecimal; the process is stopped for a moment
use strict;
use warnings;
use Config;

my ($pid) = @ARGV;
die "usage: filter.pl PID\n" unless defined $pid && $pid =~ /^\d+$/;
my $PTRACE = $Config{archname} =~ /^aarch64/ ? 117 : 101;
my ($SEIZE, $INTERRUPT, $DETACH, $GET_FILTER, $GET_METADATA) = (0x4206, 0x4207, 17, 0x420c, 0x420d);
my ($WALL, $INSTRUCTION_BYTES) = (0x40000000, 8);

# The kernel writes into the third argument itself, so it is not copied.
sub ptrace { return syscall($PTRACE, $_[0], $pid + 0, $_[1], $_[2]) }

ptrace($SEIZE, 0, 0) == 0 or die "process $pid cannot be traced: $!\n";
ptrace($INTERRUPT, 0, 0) == 0 or die "process $pid cannot be stopped: $!\n";
waitpid($pid, $WALL) == $pid or die "process $pid has not stopped: $!\n";
my $count = ptrace($GET_FILTER, 0, 0);
die "process $pid has no filter that can be read: $!\n" if $count <= 0;
my $filter = "\0" x ($count * $INSTRUCTION_BYTES);
ptrace($GET_FILTER, 0, $filter) == $count or die "the filter of process $pid cannot be read: $!\n";
my $metadata = pack('QQ', 0, 0);                          # which filter, its flags
my $known = ptrace($GET_METADATA, length $metadata, $metadata);
ptrace($DETACH, 0, 0);
print +($known > 0 ? (unpack('QQ', $metadata))[1] : 0), ' ', unpack('H*', $filter), "\n";
