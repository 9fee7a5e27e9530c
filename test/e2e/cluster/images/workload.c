/*
 * A stateful program: it holds memory, lets it grow, checks it, and tells a witness outside of the cluster where it is.
 *
 *   workload --name=NAME --witness=ADDRESS:PORT [--start=MIB] [--rate=MIB_PER_SECOND] [--max=MIB] [--interval=MILLISECONDS]
 *            [--connect=ADDRESS:PORT] [--http=PORT] [--user=UID] [--clocks]
 *            [--file=PATH]... [--counter=PATH]... [--tree=PATH:COUNT:BYTES]... [--unlinked=PATH:COUNT:BYTES]... [--open=PATH]... [--socket=KIND]... [--watch=PATH]... [--children=COUNT]
 *   workload --check=PATH:COUNT:BYTES
 *
 * Every interval it sends one datagram: name, instance (drawn when the process starts), n (0, 1, 2, …), MiB held, damaged pages,
 * damaged files, and the time in microseconds. n grows only when the datagram could be sent. --connect holds an established TCP
 * connection; --http answers 200 to whatever is asked, for probes; --user gives up root for another user once the files are open, as daemons do;
 * --clocks logs by how much the clocks went on whenever that was more than 200 ms or less than nothing, and what its timers have counted: a timer
 * that signals, every 100 ms, and one that is a file, every 5 ms and so hardly ever without an expiry to be read. Files, each judged at every interval:
 *   --file      n is appended; the file stays open, and its size must be what was written
 *   --counter   holds instance and n; opened by its name, read and written again each time, never open in between
 *   --tree      a folder that is filled with COUNT files of BYTES each at the start; one page of one file is read each time
 *   --unlinked  the same files, but open and without a name
 *   --open      a file that is there already stays open, and must read as it did; one socket counts as a file, too: kinds are in opened.c
 *   --watch     a folder that is watched: what is made in it must be told
 * --children are forked once the first memory is there, share it from then on, and check it. One that has ended counts as a damaged file.
 * --check reads a whole tree, counts its files, says what is wrong and ends.
 */
#define _GNU_SOURCE
#include "opened.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, PAGES = MIB / PAGE, MAX_FILES = 4, MAX_MIB = 1 << 16, FOLDER = 1000, MAX_OPEN = 64 };

/* Files whose content follows from their number. */
struct tree {
    char *path;
    long count, bytes;
    int open[MAX_OPEN];
};

static const char *name = "workload", *witness, *peer, *files[MAX_FILES], *counters[MAX_FILES];
static struct tree trees[MAX_FILES], unlinked[MAX_FILES];
static int user, clocks, children, timer = -1, http_port, listener = -1, counter_count, tree_count, unlinked_count;
static char counted[64];
static long start_mib = 16, rate_mib = 0, max_mib = 0, interval_ms = 10;
static int file_count, descriptors[MAX_FILES];
static long written[MAX_FILES];
static uint64_t instance, ticks;
static volatile sig_atomic_t alarms;
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

static struct tree tree_of(const char *text) {
    struct tree tree = {0};
    if (sscanf(text, "%m[^:]:%ld:%ld", &tree.path, &tree.count, &tree.bytes) != 3 || tree.count < 1 || tree.bytes < 8 || tree.bytes % 8) {
        fprintf(stderr, "not PATH:COUNT:BYTES (bytes in eights): %s\n", text);
        exit(2);
    }
    return tree;
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
        else if ((value = option(arguments[i], "--open="))) open_to_read(value);
        else if ((value = option(arguments[i], "--socket="))) open_socket(value);
        else if ((value = option(arguments[i], "--watch="))) watch_folder(value);
        else if ((value = option(arguments[i], "--children="))) children = atoi(value);
        else if (strcmp(arguments[i], "--clocks") == 0) clocks = 1;
        else if ((value = option(arguments[i], "--user="))) user = atoi(value);
        else if ((value = option(arguments[i], "--http="))) http_port = atoi(value);
        else if ((value = option(arguments[i], "--counter=")) && counter_count < MAX_FILES) counters[counter_count++] = value;
        else if ((value = option(arguments[i], "--tree=")) && tree_count < MAX_FILES) trees[tree_count++] = tree_of(value);
        else if ((value = option(arguments[i], "--unlinked=")) && unlinked_count < MAX_FILES) unlinked[unlinked_count++] = tree_of(value);
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

static void rest(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
}

static void open_files(void) {
    for (int i = 0; i < file_count; i++) {
        descriptors[i] = open(files[i], O_RDWR | O_CREAT | O_APPEND, 0644);
        if (descriptors[i] < 0) fail(files[i]);
        written[i] = lseek(descriptors[i], 0, SEEK_END);
    }
}

static void answer(void);

/* On a full disk it waits, as a patient program does, for room; its probes are answered all the while. A part that was written counts for nothing. */
static void must_wait(long done, const char *path) {
    if (done < 0 && errno != ENOSPC && errno != EDQUOT) fail(path);
    if (listener >= 0) answer();
    rest(interval_ms);
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
        for (long done; (done = write(descriptors[i], line, length)) != length;) {
            must_wait(done, files[i]);
            while (ftruncate(descriptors[i], written[i]) != 0) must_wait(-1, files[i]);
        }
        written[i] += length;
    }
    return damaged;
}

/* What a page of a tree's file must hold. */
static void fill(uint64_t *page, long file, long offset, long length) {
    for (long word = 0; word < length / 8; word++) {
        page[word] = (((uint64_t)file << 40) ^ (uint64_t)(offset / 8 + word)) * 0x9e3779b97f4a7c15u;
    }
}

static long part(const struct tree *tree, long offset) { return tree->bytes - offset < PAGE ? tree->bytes - offset : PAGE; }

static void write_file(const struct tree *tree, int descriptor, long file) {
    uint64_t page[PAGE / 8];
    for (long offset = 0; offset < tree->bytes; offset += PAGE) {
        long length = part(tree, offset);
        fill(page, file, offset, length);
        if (write(descriptor, page, length) != length) fail(tree->path);
    }
}

/* Zero when the page is as it was written. */
static long damaged_page(const struct tree *tree, int descriptor, long file, long offset) {
    uint64_t expected[PAGE / 8], found[PAGE / 8];
    long length = part(tree, offset);
    fill(expected, file, offset, length);
    return pread(descriptor, found, length, offset) != length || memcmp(expected, found, length) != 0;
}

static const char *file_path(const struct tree *tree, long file) {
    static char path[320];
    snprintf(path, sizeof path, "%s/%ld/%ld", tree->path, file / FOLDER, file);
    return path;
}

static void plant(const struct tree *tree) {
    char folder[320];
    mkdir(tree->path, 0755);
    for (long file = 0; file < tree->count; file++) {
        snprintf(folder, sizeof folder, "%s/%ld", tree->path, file / FOLDER);
        if (file % FOLDER == 0 && mkdir(folder, 0755) != 0 && errno != EEXIST) fail(folder);
        int descriptor = open(file_path(tree, file), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (descriptor < 0) fail(file_path(tree, file));
        write_file(tree, descriptor, file);
        close(descriptor);
    }
}

static void plant_unlinked(struct tree *tree) {
    char path[320];
    if (tree->count > MAX_OPEN) { fprintf(stderr, "too many unlinked files\n"); exit(2); }
    for (long file = 0; file < tree->count; file++) {
        snprintf(path, sizeof path, "%s/unlinked-%ld", tree->path, file);
        tree->open[file] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
        if (tree->open[file] < 0) fail(path);
        write_file(tree, tree->open[file], file);
        unlink(path);
    }
}

static long page_offset(const struct tree *tree, long n) { return n / tree->count % ((tree->bytes + PAGE - 1) / PAGE) * PAGE; }

/* One page of one file of each tree; each has its turn. */
static long damaged_trees(long n) {
    long damaged = 0;
    for (int i = 0; i < tree_count; i++) {
        long file = n % trees[i].count;
        int descriptor = open(file_path(&trees[i], file), O_RDONLY);
        damaged += descriptor < 0 || damaged_page(&trees[i], descriptor, file, page_offset(&trees[i], n));
        if (descriptor >= 0) close(descriptor);
    }
    for (int i = 0; i < unlinked_count; i++) {
        long file = n % unlinked[i].count;
        damaged += damaged_page(&unlinked[i], unlinked[i].open[file], file, page_offset(&unlinked[i], n));
    }
    return damaged;
}

static long found_files;

static int count_file(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)path, (void)status, (void)where;
    found_files += type != FTW_D;
    return 0;
}

static int check(struct tree tree) {
    long damaged = 0;
    for (long file = 0; file < tree.count; file++) {
        struct stat status;
        int descriptor = open(file_path(&tree, file), O_RDONLY);
        long wrong = descriptor < 0 || fstat(descriptor, &status) != 0 || status.st_size != tree.bytes;
        for (long offset = 0; !wrong && offset < tree.bytes; offset += PAGE) wrong = damaged_page(&tree, descriptor, file, offset);
        if (wrong && ++damaged <= 5) printf("damaged: %s\n", file_path(&tree, file));
        if (descriptor >= 0) close(descriptor);
    }
    nftw(tree.path, count_file, 64, FTW_PHYS);
    printf("%ld files found, %ld expected, %ld damaged\n", found_files, tree.count, damaged);
    return found_files != tree.count || damaged > 0;
}

/* A counter found with anything but what was written last is damaged; it is written again all the same. */
static long count_up(long n) {
    long damaged = 0;
    char found[sizeof counted] = "", next[sizeof counted];
    snprintf(next, sizeof next, "%016llx %ld\n", (unsigned long long)instance, n);
    for (int i = 0; i < counter_count; i++) {
        int descriptor = open(counters[i], n == 0 ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR, 0644);
        if (descriptor < 0 && n == 0) fail(counters[i]);
        long length = descriptor < 0 ? -1 : pread(descriptor, found, sizeof found - 1, 0);
        if (n > 0 && (length != (long)strlen(counted) || memcmp(found, counted, length) != 0)) damaged++;
        if (descriptor < 0) descriptor = open(counters[i], O_RDWR | O_CREAT, 0644);
        long size = strlen(next);
        for (long done; descriptor >= 0 && (done = pwrite(descriptor, next, size, 0)) != size;) must_wait(done, counters[i]);
        while (descriptor >= 0 && ftruncate(descriptor, size) != 0) must_wait(-1, counters[i]);
        if (descriptor >= 0) close(descriptor);
    }
    memcpy(counted, next, sizeof counted);
    return damaged;
}

static void hold_connection(void) {
    struct sockaddr_in to = address(peer);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
}

static void serve(void) {
    struct sockaddr_in everywhere = {.sin_family = AF_INET, .sin_port = htons(http_port)};
    int yes = 1;
    if ((listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&everywhere, sizeof everywhere) != 0 || listen(listener, 16) != 0) fail("listen");
}

static void answer(void) {
    static const char text[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    char request[2048];
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return;
    if (read(connection, request, sizeof request) > 0 && write(connection, text, sizeof text - 1) < 0) perror("write");
    close(connection);
}

static void count_alarm(int signal_number) {
    (void)signal_number;
    alarms++;
}

static void start_timers(void) {
    struct itimerval alarm = {{0, 100000}, {0, 100000}};
    struct itimerspec tick = {{0, 5000000}, {0, 5000000}};
    signal(SIGALRM, count_alarm);
    if (setitimer(ITIMER_REAL, &alarm, NULL) != 0) fail("setitimer");
    if ((timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) < 0 || timerfd_settime(timer, 0, &tick, NULL) != 0) fail("timerfd");
}

static long long microseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The program's own memory of what the clocks showed is what a move must not make a lie. */
static void watch_clocks(long n) {
    static long long monotonic, boottime;
    long long before_monotonic = monotonic, before_boottime = boottime;
    uint64_t times;
    if (read(timer, &times, sizeof times) == sizeof times) ticks += times;
    monotonic = microseconds(CLOCK_MONOTONIC);
    boottime = microseconds(CLOCK_BOOTTIME);
    long long step = monotonic - before_monotonic, boot_step = boottime - before_boottime;
    if (n > 0 && (step < 0 || boot_step < 0 || step > 200000 || boot_step > 200000)) {
        printf("clocks at %ld: monotonic %lld boottime %lld\n", n, step / 1000, boot_step / 1000);
    }
    if (n % 50 == 0) printf("timers at %ld: alarms %d ticks %llu\n", n, (int)alarms, (unsigned long long)ticks);
    fflush(stdout);
}

static void give_up_root(void) {
    if (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) fail("setresuid");
}

static void check_for_ever(void) {
    for (long n = 0;; n++) {
        if (damaged_in(n % held)) _exit(1);
        rest(50);
    }
}

static void have_children(void) {
    for (int i = 0; i < children; i++) {
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) check_for_ever();
    }
}

static long lost_children(void) {
    long lost = 0;
    while (children && waitpid(-1, NULL, WNOHANG) > 0) lost++;
    return lost;
}

static void tell(int udp, const struct sockaddr_in *to, long n, long damaged, long damaged_files) {
    char message[256];
    for (;;) {
        int length = snprintf(message, sizeof message, "%s %016llx %ld %ld %ld %ld %lld", name, (unsigned long long)instance, n, held,
                              damaged, damaged_files, microseconds(CLOCK_REALTIME));
        /* Never connected: the address may be another after a move. */
        if (sendto(udp, message, length, 0, (const struct sockaddr *)to, sizeof *to) == length) return;
        rest(1);
    }
}

int main(int count, char **arguments) {
    const char *to_check = count == 2 ? option(arguments[1], "--check=") : NULL;
    if (to_check) return check(tree_of(to_check));
    signal(SIGTERM, leave);
    signal(SIGPIPE, SIG_IGN);
    parse(count, arguments);
    if (getrandom(&instance, sizeof instance, 0) != sizeof instance) fail("getrandom");
    open_files();
    for (int i = 0; i < tree_count; i++) plant(&trees[i]);
    for (int i = 0; i < unlinked_count; i++) plant_unlinked(&unlinked[i]);
    if (peer) hold_connection();
    if (http_port) serve();
    if (user) give_up_root();
    if (clocks) start_timers();
    struct sockaddr_in to = {0};
    int udp = -1;
    if (witness) {
        to = address(witness);
        if ((udp = socket(AF_INET, SOCK_DGRAM, 0)) < 0) fail("socket");
    }
    printf("instance %016llx\n", (unsigned long long)instance);
    fflush(stdout);
    long damaged = 0, damaged_files = 0;
    for (long n = 0;; n++) {
        long want = start_mib + rate_mib * n * interval_ms / 1000;
        grow(want < max_mib ? want : max_mib);
        if (n == 0) have_children();
        if (held > 0) damaged += damaged_in(n % held);
        damaged_files += append(n) + count_up(n) + damaged_trees(n) + broken() + lost_children();
        if (witness) tell(udp, &to, n, damaged, damaged_files);
        if (listener >= 0) answer();
        if (clocks) watch_clocks(n);
        if (n % 100 == 0) { printf("n %ld held %ld damaged %ld files %ld\n", n, held, damaged, damaged_files); fflush(stdout); }
        rest(interval_ms);
    }
}
