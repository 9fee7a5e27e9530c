#!/usr/bin/perl
# Refuses a tar that would write, or link to, anything outside of the folder that it is unpacked into: one with a name below a symbolic link, which may be in the
# folder already or come with the tar. What a node sends as its container's files never has such a name. GNU tar itself takes care of ".." and of
# links in the tar that lead out. Nothing else writes in the folder meanwhile.
#
#   archive.pl FOLDER ARCHIVE
use strict;
use warnings;

my ($folder, $archive) = @ARGV;
die "usage: archive.pl FOLDER ARCHIVE\n" unless @ARGV == 2;
my $QUOTED = qr/"((?:[^"\\]|\\.)*)"/;
my %CHARACTERS = (n => "\n", t => "\t", r => "\r", a => "\a", b => "\b", f => "\f", v => "\013", '"' => '"', '\\' => '\\');
my (%links, %folders);

sub unquoted {
    my ($name) = @_;
    $name =~ s/\\([0-7]{3}|.)/length $1 == 3 ? chr(oct $1) : $CHARACTERS{$1} \/\/ die "a name that tar did not quote\n"/ge;
    return $name;
}

sub check {
    my ($name) = @_;
    my @parts = grep { $_ ne '' && $_ ne '.' } split m{/}, $name;
    pop @parts;
    my $at = '';
    for my $part (@parts) {
        $at .= "/$part";
        next if $folders{$at};
        die "$archive: $name is below a symbolic link\n" if $links{$at} || -l "$folder$at";
        $folders{$at} = 1;
    }
}

open(my $list, '-|', 'tar', '--force-local', '--numeric-owner', '--quoting-style=c', '-tvf', $archive) or die "tar: $!\n";
while (my $line = <$list>) {
    my ($kind, $name, $rest) = $line =~ /^(.)\S* \S+ +\S+ \S+ \S+ $QUOTED(.*)$/ or die "$archive: not understood: $line";
    $name = unquoted($name);
    check($name);
    check(unquoted($1)) if $kind eq 'h' && $rest =~ /^ link to $QUOTED/;
    next unless $kind eq 'l';
    my $link = join('', map { "/$_" } grep { $_ ne '' && $_ ne '.' } split m{/}, $name);
    $links{$link} = 1;
    delete $folders{$link};
}
close($list) or die "$archive cannot be read\n";
