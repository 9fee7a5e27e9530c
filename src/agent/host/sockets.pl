#!/usr/bin/perl
# What only a socket itself can tell: its protocol, whether it holds datagrams back, and whether CRIU has left it in repair mode. Copies descriptors of other
# processes (pidfd_getfd, Linux 5.6), without stopping them.
#
#   sockets.pl kinds PID...   a line for each socket that cannot be carried: pid, a name for what it is
#   sockets.pl cure PID...    takes TCP sockets out of repair mode, in which they send nothing: a CRIU that was killed leaves them there
use strict;
use warnings;

my ($PIDFD_OPEN, $PIDFD_GETFD) = (434, 438);              # the same on all architectures
my ($SOL_SOCKET, $SO_TYPE, $SO_PROTOCOL, $SO_DOMAIN) = (1, 3, 38, 39);
my ($SOL_UDP, $UDP_CORK, $UDP) = (17, 1, 17);
my ($SOL_TCP, $TCP_REPAIR, $TCP, $OFF_WITHOUT_PROBE, $SO_REUSEADDR) = (6, 19, 6, -1, 2);
my %CARRIED = map { $_ => 1 } 1, 2, 10, 16, 17;           # unix, IPv4, IPv6, netlink, packet
my %DOMAINS = (38 => 'AF_ALG', 40 => 'vsock', 44 => 'XDP');
my %PROTOCOLS = (33 => 'DCCP', 132 => 'SCTP', 262 => 'MPTCP');

sub option {
    my ($socket, $level, $name) = @_;
    my $value = getsockopt($socket, $level, $name);
    return defined $value ? unpack('i', $value) : 0;
}

sub kind {
    my ($socket) = @_;
    my $domain = option($socket, $SOL_SOCKET, $SO_DOMAIN);
    return $DOMAINS{$domain} // "domain $domain" unless $CARRIED{$domain};
    return undef unless $domain == 2 || $domain == 10;
    my $protocol = option($socket, $SOL_SOCKET, $SO_PROTOCOL);
    return $PROTOCOLS{$protocol} if $PROTOCOLS{$protocol};
    return $protocol == $UDP && option($socket, $SOL_UDP, $UDP_CORK) ? 'corked UDP' : undef;
}

sub cure {
    my ($socket) = @_;
    return unless option($socket, $SOL_SOCKET, $SO_PROTOCOL) == $TCP && option($socket, $SOL_TCP, $TCP_REPAIR) == 1;
    setsockopt($socket, $SOL_TCP, $TCP_REPAIR, pack('i', $OFF_WITHOUT_PROBE)) or setsockopt($socket, $SOL_TCP, $TCP_REPAIR, pack('i', 0)) or die "repair mode: $!\n";
    setsockopt($socket, $SOL_SOCKET, $SO_REUSEADDR, pack('i', 1)); # the kernel has forgotten it
}

my ($what, @pids) = @ARGV;
die "usage: sockets.pl kinds PID... | cure PID...\n" unless defined $what && $what =~ /^(kinds|cure)$/;

for my $pid (grep { /^\d+$/ } @pids) {
    my $process = syscall($PIDFD_OPEN, $pid + 0, 0);
    next if $process < 0;                                 # it has ended
    my %seen;
    opendir(my $folder, "/proc/$pid/fd") or next;
    for my $number (grep { /^\d+$/ } readdir($folder)) {
        my $link = readlink("/proc/$pid/fd/$number") // next;
        next if $link !~ /^socket:/ || $seen{$link}++;
        my $copy = syscall($PIDFD_GETFD, $process, $number + 0, 0);
        next if $copy < 0;
        open(my $socket, '+<&=', $copy) or next;
        my $kind = $what eq 'kinds' ? kind($socket) : cure($socket);
        print "$pid $kind\n" if $what eq 'kinds' && defined $kind;
        close($socket);
    }
    closedir($folder);
    open(my $done, '<&=', $process) or next;
    close($done);
}
