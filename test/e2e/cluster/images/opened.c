/*
 * Files that are read, folders that are watched (inotify), and sockets:
 *
 *   pair, pair6, own   an echo over 127.0.0.1, ::1 or the pod's own address; both ends are this process's. `own` takes a new connection now and then, too
 *   full               a connection over 127.0.0.1 whose buffers are full: a few kilobytes are read each time, and as many written
 *   udp                two datagram sockets at the pod's own address, connected to each other
 *   mptcp, vsock, cork what CRIU cannot carry: open, and nothing more
 */
#define _GNU_SOURCE
#include "opened.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX = 16, READ = 4096, MPTCP = 262, MOST_EMPTY_LOOKS = 6000 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address_t;

struct item {
    const char *kind, *path;
    int file, listener, from, to;
    char *content;
    long size;
    uint64_t written, read, looks;
};

static struct item items[MAX];
static int item_count;
static uint32_t counter;

static void must(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static struct item *next_item(const char *kind) {
    must(item_count < MAX, "too many open things");
    struct item *item = &items[item_count++];
    *item = (struct item){.kind = kind, .file = -1, .listener = -1, .from = -1, .to = -1};
    return item;
}

void open_to_read(const char *path) {
    struct item *item = next_item("file");
    item->file = open(path, O_RDONLY);
    must(item->file >= 0, path);
    item->size = lseek(item->file, 0, SEEK_END);
    item->content = malloc(item->size + 1);
    must(item->size > 0 && pread(item->file, item->content, item->size + 1, 0) == item->size, path);
}

void watch_folder(const char *path) {
    struct item *item = next_item("watch");
    item->path = path;
    item->from = inotify_init1(IN_NONBLOCK);
    must(item->from >= 0 && inotify_add_watch(item->from, path, IN_CREATE) >= 0, path);
}

/* What is made in the folder must be told. */
static int is_told(struct item *item) {
    char file[512], events[4096];
    snprintf(file, sizeof file, "%s/made", item->path);
    while (read(item->from, events, sizeof events) > 0) {
    }
    int made = open(file, O_CREAT | O_WRONLY, 0600);
    if (made < 0) return errno == ENOSPC;
    close(made);
    unlink(file);
    return read(item->from, events, sizeof events) > 0;
}

static address_t loopback(int family) {
    address_t address = {0};
    address.any.sa_family = family;
    if (family == AF_INET) address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else address.v6.sin6_addr = in6addr_loopback;
    return address;
}

static address_t own(void) {
    struct ifaddrs *all, *one;
    address_t address = {0};
    must(getifaddrs(&all) == 0, "getifaddrs");
    for (one = all; one; one = one->ifa_next) {
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !(one->ifa_flags & IFF_LOOPBACK)) address.v4 = *(struct sockaddr_in *)one->ifa_addr;
    }
    must(address.any.sa_family == AF_INET, "no address of the pod");
    freeifaddrs(all);
    return address;
}

static int bound(address_t *address, int type) {
    socklen_t size = sizeof *address;
    int descriptor = socket(address->any.sa_family, type, 0);
    must(descriptor >= 0 && bind(descriptor, &address->any, size) == 0, "bind");
    must(getsockname(descriptor, &address->any, &size) == 0, "getsockname");
    return descriptor;
}

static int patient(int descriptor) {
    struct timeval limit = {5, 0};
    must(descriptor >= 0 && setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0, "a socket");
    return descriptor;
}

static int connected_to(const address_t *address) {
    int descriptor = patient(socket(address->any.sa_family, SOCK_STREAM, 0));
    must(connect(descriptor, &address->any, sizeof *address) == 0, "connect");
    return descriptor;
}

static void pair(struct item *item, address_t address) {
    item->listener = bound(&address, SOCK_STREAM);
    must(listen(item->listener, 8) == 0, "listen");
    item->from = connected_to(&address);
    item->to = patient(accept(item->listener, NULL, NULL));
}

static unsigned char byte_at(uint64_t offset) { return offset * 2654435761u >> 16; }

static void fill(struct item *item) {
    unsigned char bytes[READ];
    for (;;) {
        for (int i = 0; i < READ; i++) bytes[i] = byte_at(item->written + i);
        long sent = send(item->from, bytes, READ, MSG_DONTWAIT);
        if (sent <= 0) return;
        item->written += sent;
    }
}

void open_socket(const char *kind) {
    struct item *item = next_item(kind);
    if (strcmp(kind, "pair") == 0) pair(item, loopback(AF_INET));
    else if (strcmp(kind, "pair6") == 0) pair(item, loopback(AF_INET6));
    else if (strcmp(kind, "own") == 0) pair(item, own());
    else if (strcmp(kind, "full") == 0) {
        pair(item, loopback(AF_INET));
        fill(item);
    } else if (strcmp(kind, "udp") == 0) {
        address_t from = own(), to = own();
        item->from = patient(bound(&from, SOCK_DGRAM));
        item->to = patient(bound(&to, SOCK_DGRAM));
        must(connect(item->from, &to.any, sizeof to) == 0 && connect(item->to, &from.any, sizeof from) == 0, "connect");
    } else if (strcmp(kind, "mptcp") == 0) must(socket(AF_INET, SOCK_STREAM, MPTCP) >= 0, kind);
    else if (strcmp(kind, "vsock") == 0) must(socket(AF_VSOCK, SOCK_STREAM, 0) >= 0, kind);
    else if (strcmp(kind, "cork") == 0) {
        int yes = 1;
        must(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_UDP, UDP_CORK, &yes, sizeof yes) == 0, kind);
    } else {
        fprintf(stderr, "no such kind of socket: %s\n", kind);
        exit(2);
    }
}

static int crosses(int from, int to) {
    uint32_t sent = ++counter, received = 0;
    return send(from, &sent, sizeof sent, 0) == sizeof sent && recv(to, &received, sizeof received, MSG_WAITALL) == sizeof received && received == sent;
}

static int takes_another(int listener) {
    address_t address;
    socklen_t size = sizeof address;
    if (getsockname(listener, &address.any, &size) != 0) return 0;
    int from = socket(address.any.sa_family, SOCK_STREAM, 0);
    int to = connect(from, &address.any, size) == 0 ? patient(accept(listener, NULL, NULL)) : -1;
    int well = to >= 0 && crosses(from, to);
    close(from);
    close(to);
    return well;
}

static int flows(struct item *item) {
    unsigned char bytes[READ];
    long received = recv(item->to, bytes, READ, MSG_DONTWAIT);
    /* After a move the kernel sends again when it thinks fit. */
    if (received < 0 && errno == EAGAIN) return ++item->looks < MOST_EMPTY_LOOKS;
    item->looks = 0;
    for (long i = 0; i < received; i++) {
        if (bytes[i] != byte_at(item->read + i)) return 0;
    }
    if (received <= 0) return 0;
    item->read += received;
    fill(item);
    return 1;
}

static int well(struct item *item) {
    if (item->file >= 0) {
        char found[item->size + 1];
        return pread(item->file, found, sizeof found, 0) == item->size && memcmp(found, item->content, item->size) == 0;
    }
    if (item->path) return is_told(item);
    if (strcmp(item->kind, "full") == 0) return flows(item);
    if (item->from < 0) return 1;
    if (strcmp(item->kind, "own") == 0 && item->looks++ % 50 == 0 && !takes_another(item->listener)) return 0;
    return crosses(item->from, item->to) && crosses(item->to, item->from);
}

long broken(void) {
    long count = 0;
    for (int i = 0; i < item_count; i++) {
        if (well(&items[i])) continue;
        fprintf(stderr, "broken: %s: %s\n", items[i].kind, strerror(errno));
        count++;
    }
    return count;
}
