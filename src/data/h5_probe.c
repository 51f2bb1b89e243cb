/* HDF5 files are untrusted until probed.
 *
 * The library trusts what a file says: damaged metadata can crash it, keep it busy for ever or make it ask for absurd
 * memory. So before a file is opened for reading, a child process goes through all of its metadata, with limits on time
 * and memory: names, types, extents, indices of chunks, attributes, the first and the last row of every data set (of
 * rows beyond some size one value only). What breaks, breaks the child, and becomes one line for the user. Chunks in
 * between are inflated and checked when they are read; the recorded checksum is what vouches for their values.
 *
 * The limits follow what a sound file of that size may need: metadata grow with the file, and a chunk is inflated as a
 * whole.
 *
 * A data set is refused when it lies in other files, or when it is larger than what the file can hold for it: deflate,
 * the densest common filter, gains at most 1032 : 1 (zlib's technical details), so more is a bomb or damage. N-Bit,
 * ScaleOffset and others shrink equal values without such a bound; they are allowed more.
 *
 * Of many files one child looks into hundreds, one after the other, each with limits of its own, and tells which are fine.
 *
 * The child is a fork, made under the lock of h5.c and thus outside any other call into the library; it calls nothing
 * but the library and ends by _exit. Cost: some milliseconds a file, 20 us an object, and a read of the index of
 * chunks (5 million a second). */
#include "h5_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hiss/alloc.h"

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { CPU_SECONDS = 2, WALL_SECONDS = 15 };
#else
enum { CPU_SECONDS = 20, WALL_SECONDS = 600 };
#endif
enum { DENSEST = 1100, DENSER = 1 << 13, TEXT_BYTES = 1 << 20, ROWS_BYTES = 1 << 28, PIECES_BYTES = 1 << 25 };
enum { EXIT_UNOPENABLE = 3, EXIT_MEMORY = 4, EXIT_UNREADABLE = 5, EXIT_SHORT = 6 };
static const uint64_t small_bytes = 1 << 20;        /* no reason to refuse anything */
static const uint64_t small_chunk_bytes = 64 << 20; /* the same, of a chunk that denser filters made */
static const uint64_t extra_bytes = 1ull << 30;     /* address space the child may ask for */
static const uint64_t look_bytes = 32 << 20;        /* what sound metadata take at most, as a rule */
static const uint64_t bytes_a_second = 4 << 20;     /* of the file: so much longer the child may compute */
static const uint64_t objects_a_second = 1000;      /* the same, a tenth of what a slow machine visits */
static const uint64_t inflated_a_second = 32 << 20; /* the same of what its chunks become */
static const uint64_t most_bytes = 1ull << 62;

const char data_h5_memory_remedy[] = "start fewer ranks on a node, or ask for more memory";

static herr_t stay_inside(const char *parent_file, const char *parent_group, const char *child_file,
                          const char *child_object, unsigned *flags, hid_t access, void *user) {
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_object, (void)flags, (void)access, (void)user;
    return -1;
}

hid_t data_h5_inside_only(void) {
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_elink_cb(access, stay_inside, NULL);
    return access;
}

/* a * b, at most most_bytes. */
static uint64_t product(uint64_t a, uint64_t b) {
    return b > 0 && a > most_bytes / b ? most_bytes : a * b;
}

static uint64_t volume(int ndim, const hsize_t *dim, uint64_t value_bytes) {
    uint64_t bytes = value_bytes;
    for (int i = 0; i < ndim; i++) {
        bytes = product(bytes, dim[i]);
    }
    return bytes;
}

static bool elsewhere(hid_t create, char *why, size_t size) {
    static const char copy[] = "copy them where they are complete: h5repack -l CONTI OLD NEW";
    if (H5Pget_layout(create) == H5D_VIRTUAL) {
        snprintf(why, size, "it is virtual: its values lie in other data sets, or in none; %s", copy);
        return true;
    }
    if (H5Pget_external_count(create) != 0) {
        snprintf(why, size, "its values lie outside the HDF5 file; %s", copy);
        return true;
    }
    return false;
}

/* Whether its filters may gain more than one deflate does. */
static bool is_dense(hid_t create) {
    int deflates = 0, others = 0;
    const int count = H5Pget_nfilters(create);
    for (int i = 0; i < count; i++) {
        unsigned flags;
        size_t nvalues = 0;
        const H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &nvalues, NULL, 0, NULL, NULL);
        deflates += id == H5Z_FILTER_DEFLATE;
        others += id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32;
    }
    return others > 0 || deflates > 1;
}

static uint64_t chunk_bytes_of(const data_h5_grid *g, uint64_t value_bytes) {
    return g->chunked ? volume(g->ndim, g->chunk, value_bytes) : 0;
}

/* What the file holds for the data set: its claim, but no more than the file has. */
static uint64_t stored_bytes(hid_t dataset) {
    const uint64_t claimed = H5Dget_storage_size(dataset);
    hsize_t size = 0;
    const hid_t file = H5Iget_file_id(dataset);
    const bool known = H5Fget_filesize(file, &size) >= 0;
    H5Fclose(file);
    return known && claimed > size ? size : claimed;
}

/* Data sets may claim rows that were never written, which is legal and takes no room; then that is what is said. */
static bool oversized(hid_t dataset, hid_t create, char *why, size_t size) {
    const data_h5_grid g = data_h5_grid_of(dataset);
    const hid_t type = H5Dget_type(dataset);
    char unwritten[HISS_H5_REASON];
    const uint64_t value_bytes = H5Tget_size(type), stored = stored_bytes(dataset);
    const bool dense = is_dense(create);
    const uint64_t times = dense ? DENSER : DENSEST, room = small_bytes + product(stored, times);
    const uint64_t chunk_room = room + (dense ? small_chunk_bytes : 0);
    const uint64_t bytes = volume(g.ndim, g.dim, value_bytes), chunk_bytes = chunk_bytes_of(&g, value_bytes);
    H5Tclose(type);
    if (bytes <= room && (chunk_bytes <= chunk_room || stored == 0)) {
        return false;
    }
    const int used = snprintf(why, size, "it claims %llu bytes%s, but the file holds %llu for it",
                              (unsigned long long)(bytes > room ? bytes : chunk_bytes), bytes > room ? "" : " a chunk",
                              (unsigned long long)stored);
    if (used > 0 && (size_t)used < size && bytes > room && data_h5_unwritten(dataset, unwritten, sizeof unwritten)) {
        snprintf(why + used, size - (size_t)used, ": %s; write them, or make it as short as what was written",
                 unwritten);
    } else if (used > 0 && (size_t)used < size) {
        snprintf(why + used, size - (size_t)used,
                 ", more than %llu times less: the file is damaged, or packs equal values more densely than hiss "
                 "believes; if it is sound, h5repack -f GZIP=1 OLD NEW",
                 (unsigned long long)times);
    }
    return true;
}

bool data_h5_refuses(hid_t dataset, char *why, size_t size) {
    const hid_t create = H5Dget_create_plist(dataset);
    if (create < 0) {
        snprintf(why, size, "its description cannot be read; the file is damaged");
        return true;
    }
    const bool refused = elsewhere(create, why, size) || oversized(dataset, create, why, size);
    H5Pclose(create);
    return refused;
}

/* ---- in the child ---- */

typedef struct look {
    uint64_t memory;    /* address space the child may have; 0: unlimited */
    uint64_t inherited; /* the limit it was born with */
    uint64_t rows_left; /* bytes of rows that are still read whole */
    uint64_t seconds;   /* of computing it may take, objects and chunks aside */
    uint64_t inherited_seconds;
    uint64_t objects;  /* visited so far */
    uint64_t inflated; /* bytes of chunks, so far */
    uint64_t chunk;    /* bytes of the chunks that are read now, or 0 */
} look;

/* Have at most `most` of something, or what was allowed anyway if that is less. */
static void limit(int what, uint64_t most, uint64_t inherited) {
    struct rlimit now;
    if (getrlimit(what, &now) == 0) {
        now.rlim_cur = most < inherited ? most : inherited;
        setrlimit(what, &now);
    }
}

static uint64_t limit_of(int what) {
    struct rlimit now;
    return getrlimit(what, &now) == 0 ? now.rlim_cur : RLIM_INFINITY;
}

static void allow_memory(const look *l, uint64_t more) {
    if (l->memory) {
        limit(RLIMIT_AS, l->memory + more, l->inherited);
    }
}

/* Every object and every chunk may take its time, on a slow machine too. */
static void allow_time(const look *l) {
    const uint64_t more = l->objects / objects_a_second + l->inflated / inflated_a_second;
    limit(RLIMIT_CPU, l->seconds + more, l->inherited_seconds);
}

/* The row at `index` into a buffer of its own, or its first value; whether it can be read is for later. */
static void touch_row(hid_t dataset, hid_t type, hid_t space, hsize_t index, look *l) {
    hsize_t dim[H5S_MAX_RANK], start[H5S_MAX_RANK] = {index};
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    if (ndim < 1 || dim[0] <= index) {
        return;
    }
    dim[0] = 1;
    uint64_t bytes = volume(ndim, dim, H5Tget_size(type));
    for (int i = 1; i < ndim && bytes > l->rows_left; i++) {
        dim[i] = dim[i] < 1 ? dim[i] : 1;
    }
    bytes = volume(ndim, dim, H5Tget_size(type));
    l->rows_left -= bytes < l->rows_left ? bytes : l->rows_left;
    void *row = bytes > 0 ? malloc(bytes) : NULL;
    const hid_t here = H5Screate_simple(ndim, dim, NULL);
    if (row && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dim, NULL) >= 0) {
        H5Dread(dataset, type, here, space, H5P_DEFAULT, row);
    }
    H5Sclose(here);
    free(row);
}

static void touch_values(hid_t dataset, look *l) {
    const data_h5_grid g = data_h5_grid_of(dataset);
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const H5T_class_t class = H5Tget_class(type);
    hsize_t chunks;
    if ((class == H5T_INTEGER || class == H5T_FLOAT) && g.ndim > 0) {
        l->chunk = H5Dget_storage_size(dataset) > 0 ? chunk_bytes_of(&g, H5Tget_size(type)) : 0;
        l->inflated += 2 * l->chunk;
        allow_time(l);
        allow_memory(l, 4 * l->chunk);              /* as stored, growing while it is inflated, and whole */
        H5Dget_num_chunks(dataset, space, &chunks); /* walks the whole index; fails without one */
        touch_row(dataset, type, space, 0, l);
        if (g.dim[0] > 1 && (!g.chunked || g.chunks[0] > 1)) {
            touch_row(dataset, type, space, g.dim[0] - 1, l);
        }
        l->chunk = 0;
        allow_memory(l, 0);
    }
    H5Sclose(space);
    H5Tclose(type);
}

static bool touch_text(void *user, const char *text, size_t bytes) {
    (void)user;
    volatile char last = text && bytes > 0 ? text[bytes - 1] : 0;
    (void)last;
    return true;
}

/* All strings of one data set. */
static void touch_texts(hid_t file, const char *name, look *l) {
    const hid_t access = data_h5_inside_only(), dataset = H5Dopen2(file, name, access);
    char why[256];
    if (dataset >= 0 && !data_h5_refuses(dataset, why, sizeof why)) {
        const data_h5_grid g = data_h5_grid_of(dataset);
        const hid_t type = H5Dget_type(dataset);
        allow_memory(l, 4 * chunk_bytes_of(&g, H5Tget_size(type)) + PIECES_BYTES + H5Tget_size(type));
        data_h5_read_texts(dataset, touch_text, NULL);
        H5Tclose(type);
    }
    H5Dclose(dataset);
    H5Pclose(access);
}

static herr_t touch_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)info, (void)user;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const bool scalar = H5Sget_simple_extent_npoints(space) == 1;
    int64_t number;
    double real;
    if (scalar && H5Tget_class(type) == H5T_INTEGER) {
        H5Aread(attribute, H5T_NATIVE_INT64, &number);
        H5Aread(attribute, H5T_NATIVE_DOUBLE, &real);
    } else if (scalar && H5Tget_class(type) == H5T_FLOAT) {
        H5Aread(attribute, H5T_NATIVE_DOUBLE, &real);
    } else if (scalar && H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        H5Aread(attribute, type, &text);
        volatile size_t length = text ? strlen(text) : 0;
        (void)length;
        H5free_memory(text);
    } else if (scalar && H5Tget_class(type) == H5T_STRING && H5Tget_size(type) <= TEXT_BYTES) {
        char *text = malloc(H5Tget_size(type));
        H5Aread(attribute, type, text);
        free(text);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return 0;
}

static void touch_object(hid_t object, const char *path, void *user) {
    char why[256];
    look *l = user;
    (void)path;
    if (++l->objects % objects_a_second == 0) {
        allow_time(l);
    }
    if (object < 0) {
        return;
    }
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, touch_attribute, NULL);
    if (H5Iget_type(object) == H5I_DATASET && !data_h5_refuses(object, why, sizeof why)) {
        touch_values(object, l);
    }
}

static herr_t find_lack(unsigned n, const H5E_error2_t *record, void *user) {
    (void)n;
    *(bool *)user = *(bool *)user || record->maj_num == H5E_RESOURCE || record->min_num == H5E_NOSPACE ||
                    record->min_num == H5E_CANTALLOC;
    return 0;
}

static bool lacks_memory(hid_t stack) {
    bool lacks = false;
    H5Ewalk2(stack, H5E_WALK_UPWARD, find_lack, &lacks);
    return lacks;
}

bool data_h5_lacks_memory(void) {
    return lacks_memory(H5E_DEFAULT);
}

/* Called when HDF5 fails: the parent, which has more memory, would not fail at the same place. Where this process could
 * have got all it was allowed without its own limit, that limit was what failed it, and the file is to blame. */
static herr_t end_for_lack(hid_t stack, void *user) {
    const look *l = user;
    if (lacks_memory(stack)) {
        limit(RLIMIT_AS, l->inherited, l->inherited);
        _exit(l->memory && hiss_alloc_room(extra_bytes + 4 * l->chunk) ? EXIT_MEMORY : EXIT_SHORT);
    }
    return 0;
}

static uint64_t address_space(void) {
    unsigned long long pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    const bool known = stream && fscanf(stream, "%llu", &pages) == 1;
    if (stream) {
        fclose(stream);
    }
    return known ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Sanitizers reserve address space by the terabyte. */
static bool may_limit_memory(void) {
    return address_space() > 0 && address_space() < 1ull << 42;
}

/* The child ends as the system has it, whatever handlers this process has. */
static void reset_signals(void) {
    static const int all[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGXCPU, SIGTERM, SIGINT, SIGUSR1};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        signal(all[i], SIG_DFL);
    }
}

static _Noreturn void tell(int out, const char *why, int code) {
    _exit(write(out, why, strlen(why)) < 0 ? 1 : code);
}

/* Each file is given its own. */
static look set_limits(const char *path) {
    struct stat info;
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    const uint64_t size = stat(path, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
    look l = {.inherited = limit_of(RLIMIT_AS), .rows_left = ROWS_BYTES};
    l.inherited_seconds = limit_of(RLIMIT_CPU);
    l.seconds = CPU_SECONDS + size / bytes_a_second + (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    alarm((unsigned)(WALL_SECONDS + size / bytes_a_second));
    allow_time(&l);
    limit(RLIMIT_CORE, 0, 0);
    l.memory = may_limit_memory() ? address_space() + extra_bytes + 8 * size : 0;
    allow_memory(&l, 0);
    return l;
}

/* Ends with EXIT_UNOPENABLE and HDF5's reason in the pipe when the file cannot be opened, with EXIT_UNREADABLE and what
 * is wrong when a group hides what is in it. */
static void look_into(const char *path, const char *texts, const look *inherited, int out) {
    char why[HISS_H5_REASON];
    look l = set_limits(path);
    l.inherited = inherited->inherited;
    l.inherited_seconds = inherited->inherited_seconds;
    allow_time(&l);
    allow_memory(&l, 0);
    H5Eset_auto2(H5E_DEFAULT, end_for_lack, &l);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        tell(out, data_h5_reason(why), EXIT_UNOPENABLE);
    }
    if (texts) {
        touch_texts(file, texts, &l);
    } else if (data_h5_walk(file, touch_object, &l, why) < 0) {
        tell(out, why, EXIT_UNREADABLE);
    }
    H5Fclose(file);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* One byte 0 in the pipe for every file that is fine. What is merely wrong gets its message where it is read. */
static _Noreturn void look_through(int64_t count, const char *const *path, const char *texts, int out) {
    const look inherited = {.inherited = limit_of(RLIMIT_AS), .inherited_seconds = limit_of(RLIMIT_CPU)};
    reset_signals();
    for (int64_t k = 0; k < count; k++) {
        look_into(path[k], texts, &inherited, out);
        if (write(out, "", 1) < 0) {
            _exit(1);
        }
    }
    _exit(0);
}

/* ---- in the parent ---- */

static data_h5_finding judge(int status, char why[HISS_H5_REASON]) {
    const char *const advice = hiss_alloc_room(extra_bytes)
                                   ? "the file is damaged; copy or write it again"
                                   : "the file is damaged, or it is for want of memory: less than 1 GiB is left";
    const int size = HISS_H5_REASON;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        snprintf(why, size, "HDF5 does not come to an end with its metadata: %s%s", advice,
                 limit_of(RLIMIT_CPU) == RLIM_INFINITY ? "" : ", or allow more seconds of computing (ulimit -t)");
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(why, size, "no answer within %d s or more; look after the file system, or it has too much in it",
                 WALL_SECONDS);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        snprintf(why, size, "the process that looked into it was killed, as the system does for want of memory; %s",
                 data_h5_memory_remedy);
    } else if (WIFSIGNALED(status)) {
        snprintf(why, size, "HDF5 crashes on it (%s): %s", strsignal(WTERMSIG(status)), advice);
    } else if (WEXITSTATUS(status) == EXIT_UNOPENABLE) {
        return HISS_H5_UNOPENABLE;
    } else if (WEXITSTATUS(status) == EXIT_UNREADABLE) {
        char reason[HISS_H5_REASON], remedy[HISS_H5_REASON];
        snprintf(reason, sizeof reason, "%s", why);
        data_h5_remedy(reason, remedy);
        snprintf(why, size, "%.230s; %.160s", reason, remedy);
    } else if (WEXITSTATUS(status) == EXIT_SHORT) {
        snprintf(why, size, "out of memory: HDF5 could not get what it needs to look into it; %s",
                 data_h5_memory_remedy);
    } else if (WEXITSTATUS(status) == EXIT_MEMORY) {
        snprintf(why, size, "HDF5 asks for more than 1 GiB, and more than the file has, to look into it: %s", advice);
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(why, size, "looking into it failed (exit %d): %s", WEXITSTATUS(status), advice);
    } else {
        return HISS_H5_FINE;
    }
    return HISS_H5_DANGEROUS;
}

/* What the child has to say, up to the end of its life. Returns how many files are fine. */
static int64_t listen(int in, char why[HISS_H5_REASON]) {
    ssize_t length = 0, now;
    int64_t fine = 0;
    while ((now = read(in, why + length, (size_t)(HISS_H5_REASON - 1 - length))) > 0 || (now < 0 && errno == EINTR)) {
        ssize_t marks = 0;
        while (length == 0 && marks < now && why[marks] == 0) {
            marks++;
        }
        fine += marks;
        length += now > 0 ? now - marks : 0;
        memmove(why, why + marks, (size_t)length);
    }
    why[length] = 0;
    return fine;
}

static data_h5_finding probe(int64_t count, const char *const *path, const char *texts, int64_t *fine,
                             char why[HISS_H5_REASON]) {
    int ends[2], status = 0;
    hiss_alloc_expect(look_bytes, "looking into an HDF5 file", NULL);
    const bool piped = pipe(ends) == 0;
    const pid_t child = piped ? fork() : -1;
    if (child == 0) {
        look_through(count, path, texts, ends[1]);
    }
    if (child < 0) {
        snprintf(why, HISS_H5_REASON, "no process could be started to look into it: %s", strerror(errno));
    }
    if (piped) {
        close(ends[1]);
        if (child > 0) {
            *fine = listen(ends[0], why);
        }
        close(ends[0]);
    }
    pid_t ended = child;
    while (child > 0 && (ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    return ended > 0 ? judge(status, why) : HISS_H5_DANGEROUS;
}

data_h5_finding data_h5_probe(const char *path, const char *texts, char why[HISS_H5_REASON]) {
    int64_t fine = 0;
    return probe(1, &path, texts, &fine, why);
}

data_h5_finding data_h5_probe_files(int64_t count, const char *const *path, int64_t *failed, char why[HISS_H5_REASON]) {
    enum { AT_ONCE = 256 };
    data_h5_finding finding = HISS_H5_FINE;
    *failed = 0;
    for (int64_t fine = 0; *failed < count && finding == HISS_H5_FINE; fine = 0) {
        const int64_t some = count - *failed < AT_ONCE ? count - *failed : AT_ONCE;
        finding = probe(some, path + *failed, NULL, &fine, why);
        *failed += fine;
    }
    return finding;
}
