/*
 * A stateful program: it holds memory, lets it grow, checks it, and tells a witness outside of the cluster where it is.
 *
 *   workload --name=NAME --witness=ADDRESS:PORT [--start=MIB] [--rate=MIB_PER_SECOND] [--max=MIB] [--interval=MILLISECONDS]
 *            [--file=PATH]... [--connect=ADDRESS:PORT]
 *
 * Every interval it sends one datagram: name, instance (drawn when the process starts), n (0, 1, 2, …), MiB held, damaged pages,
 * and the time in microseconds. n grows only when the datagram could be sent. With --file, n is appended to the file and its size
 * checked against what was written: damage there counts as a damaged page. --connect holds an established TCP connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, PAGES = MIB / PAGE, MAX_FILES = 4, MAX_MIB = 1 << 16 };

static const char *name = "workload", *witness, *peer, *files[MAX_FILES];
static long start_mib = 16, rate_mib = 0, max_mib = 0, interval_ms = 10;
static int file_count, descriptors[MAX_FILES];
static long written[MAX_FILES];
static uint64_t instance;
static uint64_t *blocks[MAX_MIB];
static long held;

static void leave(int signal_number) {
    (void)signal_number;
    _exit(0);
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static const char *option(const char *argument, const char *key) {
    size_t length = strlen(key);
    return strncmp(argument, key, length) == 0 ? argument + length : NULL;
}

static void parse(int count, char **arguments) {
    const char *value;
    for (int i = 1; i < count; i++) {
        if ((value = option(arguments[i], "--name="))) name = value;
        else if ((value = option(arguments[i], "--witness="))) witness = value;
        else if ((value = option(arguments[i], "--connect="))) peer = value;
        else if ((value = option(arguments[i], "--start="))) start_mib = atol(value);
        else if ((value = option(arguments[i], "--rate="))) rate_mib = atol(value);
        else if ((value = option(arguments[i], "--max="))) max_mib = atol(value);
        else if ((value = option(arguments[i], "--interval="))) interval_ms = atol(value);
        else if ((value = option(arguments[i], "--file=")) && file_count < MAX_FILES) files[file_count++] = value;
        else { fprintf(stderr, "not understood: %s\n", arguments[i]); exit(2); }
    }
    if (max_mib < start_mib) max_mib = start_mib;
    if (max_mib > MAX_MIB || interval_ms < 1) { fprintf(stderr, "too much memory or too short an interval\n"); exit(2); }
}

static struct sockaddr_in address(const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    struct sockaddr_in result = {.sin_family = AF_INET};
    if (!colon || colon - text >= (long)sizeof host) { fprintf(stderr, "not an address: %s\n", text); exit(2); }
    memcpy(host, text, colon - text);
    host[colon - text] = 0;
    result.sin_port = htons(atoi(colon + 1));
    if (inet_pton(AF_INET, host, &result.sin_addr) != 1) { fprintf(stderr, "not an address: %s\n", text); exit(2); }
    return result;
}

/* What a page must hold: no two pages and no two processes have the same. */
static uint64_t mark(long block, long page) { return instance ^ ((uint64_t)block << 20) ^ (uint64_t)page; }

static void grow(long want) {
    for (; held < want; held++) {
        uint64_t *block = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) fail("mmap");
        for (long page = 0; page < PAGES; page++) {
            uint64_t *words = block + page * PAGE / sizeof *words;
            for (size_t word = 0; word < PAGE / sizeof *words; word++) words[word] = mark(held, page) + word;
        }
        blocks[held] = block;
    }
}

/* The first and the last word of every page in one block. */
static long damaged_in(long block) {
    long damaged = 0;
    for (long page = 0; page < PAGES; page++) {
        uint64_t *words = blocks[block] + page * PAGE / sizeof *words, last = PAGE / sizeof *words - 1;
        if (words[0] != mark(block, page) || words[last] != mark(block, page) + last) damaged++;
    }
    return damaged;
}

static void open_files(void) {
    for (int i = 0; i < file_count; i++) {
        descriptors[i] = open(files[i], O_RDWR | O_CREAT | O_APPEND, 0644);
        if (descriptors[i] < 0) fail(files[i]);
        written[i] = lseek(descriptors[i], 0, SEEK_END);
    }
}

/* The file is found by its name each time: an open descriptor alone would hide a lost file. */
static long append(long n) {
    long damaged = 0;
    char line[32];
    int length = snprintf(line, sizeof line, "%ld\n", n);
    for (int i = 0; i < file_count; i++) {
        int again = open(files[i], O_RDONLY);
        if (again < 0 || lseek(again, 0, SEEK_END) != written[i]) damaged++;
        if (again >= 0) close(again);
        if (write(descriptors[i], line, length) != length) fail(files[i]);
        written[i] += length;
    }
    return damaged;
}

static void hold_connection(void) {
    struct sockaddr_in to = address(peer);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
}

static void rest(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
}

static void tell(int udp, const struct sockaddr_in *to, long n, long damaged) {
    char message[256];
    for (;;) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        int length = snprintf(message, sizeof message, "%s %016llx %ld %ld %ld %lld", name, (unsigned long long)instance, n, held,
                              damaged, (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        /* Never connected: the address may be another after a move. */
        if (sendto(udp, message, length, 0, (const struct sockaddr *)to, sizeof *to) == length) return;
        rest(1);
    }
}

int main(int count, char **arguments) {
    signal(SIGTERM, leave);
    signal(SIGPIPE, SIG_IGN);
    parse(count, arguments);
    if (getrandom(&instance, sizeof instance, 0) != sizeof instance) fail("getrandom");
    open_files();
    if (peer) hold_connection();
    struct sockaddr_in to = {0};
    int udp = -1;
    if (witness) {
        to = address(witness);
        if ((udp = socket(AF_INET, SOCK_DGRAM, 0)) < 0) fail("socket");
    }
    printf("instance %016llx\n", (unsigned long long)instance);
    fflush(stdout);
    long damaged = 0;
    for (long n = 0;; n++) {
        long want = start_mib + rate_mib * n * interval_ms / 1000;
        grow(want < max_mib ? want : max_mib);
        if (held > 0) damaged += damaged_in(n % held);
        damaged += append(n);
        if (witness) tell(udp, &to, n, damaged);
        if (n % 100 == 0) { printf("n %ld held %ld damaged %ld\n", n, held, damaged); fflush(stdout); }
        rest(interval_ms);
    }
}
