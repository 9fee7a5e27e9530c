#!/usr/bin/perl
# What only a socket itself can tell: its protocol, and whether it holds datagrams back. Copies descriptors of other processes (pidfd_getfd, Linux 5.6), without
# stopping them.
#
#   sockets.pl PID...    a line for each socket that cannot be carried: pid, a name for what it is
use strict;
use warnings;

my ($PIDFD_OPEN, $PIDFD_GETFD) = (434, 438);              # the same on all architectures
my ($SOL_SOCKET, $SO_TYPE, $SO_PROTOCOL, $SO_DOMAIN) = (1, 3, 38, 39);
my ($SOL_UDP, $UDP_CORK, $UDP) = (17, 1, 17);
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

for my $pid (grep { /^\d+$/ } @ARGV) {
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
        my $kind = kind($socket);
        print "$pid $kind\n" if defined $kind;
        close($socket);
    }
    closedir($folder);
    open(my $done, '<&=', $process) or next;
    close($done);
}
