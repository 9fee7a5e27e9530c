#!/usr/bin/perl
# A container's writable layer: lists one, and removes from a fresh copy of the image what a listing doesn't have.
# A program of its own, as a layer may have hundreds of thousands of files: their names, and what the kernel remembers of each, stay out
# of the agent's memory. Perl starts in a few milliseconds, so that the freeze doesn't grow, and is in every Debian.
#
#   layer.pl list UPPER MERGED    the listing to standard output, the names of the layer's own files to file descriptor 3
#   layer.pl remove ROOT LISTING  removes from ROOT what the file LISTING doesn't have
#
# UPPER is the overlay's upper folder, MERGED the mounted overlay. A whiteout is a name in UPPER that isn't in MERGED. The listing
# replaces overlayfs's own notation (whiteouts, opaque folders), which can't be written through a mounted overlay. It is made of
# records that end with a NUL: "F" and a folder of the layer ("." is the root, "./a/b"), then for each name in that folder "K" and the
# name if it is the image's and still visible, "S" and the name if it is a folder of the layer. A folder comes after the one it is in.
use strict;
use warnings;

sub names {
    my ($folder) = @_;
    opendir(my $handle, $folder) or die "$folder: $!\n";
    my @names = grep { $_ ne '.' && $_ ne '..' } readdir($handle);
    closedir($handle);
    return @names;
}

sub list {
    my ($upper, $merged) = @_;
    open(my $entries, '>&=', 3) or die "file descriptor 3: $!\n";
    my @folders = ('.');
    while (defined(my $folder = pop @folders)) {
        my %own = map { $_ => 1 } names("$upper/$folder");
        print "F$folder\0";
        for my $name (names("$merged/$folder")) {
            if (!$own{$name}) { print "K$name\0"; next }
            print $entries "$folder/$name\0";
            lstat("$upper/$folder/$name") or die "$upper/$folder/$name: $!\n";
            next unless -d _;
            print "S$name\0";
            push @folders, "$folder/$name";
        }
    }
    close($entries) or die "names: $!\n";
    close(STDOUT) or die "listing: $!\n";
}

# Only folders of ROOT that were seen to be folders, not links to some, are ever looked into: %safe.
sub clear_folder {
    my ($root, $folder, $kept, $below, $safe) = @_;
    return unless delete $safe->{$folder};
    for my $name (names("$root/$folder")) {
        next if $kept->{$name};
        my $path = "$root/$folder/$name";
        lstat($path) or die "$path: $!\n";
        if (-d _ && $below->{$name}) { $safe->{"$folder/$name"} = 1 }
        elsif (-d _) { system('rm', '-rf', '--', $path) == 0 or die "$path: cannot be removed\n" }
        else { unlink($path) or die "$path: $!\n" }
    }
}

sub remove {
    my ($root, $listing) = @_;
    open(my $records, '<', $listing) or die "$listing: $!\n";
    local $/ = "\0";
    my %safe = ('.' => 1);
    my ($folder, %kept, %below);
    while (defined(my $record = <$records>)) {
        chomp $record;
        my ($kind, $name) = (substr($record, 0, 1), substr($record, 1));
        if ($kind eq 'K') { $kept{$name} = 1 }
        elsif ($kind eq 'S') { $below{$name} = 1 }
        elsif ($kind eq 'F') {
            clear_folder($root, $folder, \%kept, \%below, \%safe) if defined $folder;
            $folder = $name;
            (%kept, %below) = ();
        }
        else { die "$listing: not a listing\n" }
    }
    defined $folder or die "$listing: not a listing\n";
    clear_folder($root, $folder, \%kept, \%below, \%safe);
}

my ($verb, @paths) = @ARGV;
if ($verb eq 'list' && @paths == 2) { list(@paths) }
elsif ($verb eq 'remove' && @paths == 2) { remove(@paths) }
else { die "usage: layer.pl list UPPER MERGED | remove ROOT LISTING\n" }
