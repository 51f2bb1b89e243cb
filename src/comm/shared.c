/* Memory that ranks of a node share: each rank makes a file in memory without a name (memfd), which the others open by its
 * number in /proc, map, and close. So nothing is left behind however a rank ends: the memory goes with the last that maps it.
 *
 * MPI_Win_allocate_shared would do as much, but takes its memory from /dev/shm, of which containers have little, and does
 * not say when it ends: a rank then dies of SIGBUS at its first write. posix_fallocate takes all pages at once, or fails.
 * It also takes them where their rank runs, which is the memory next to its processor.
 *
 * Ranks whose process numbers are of different name spaces, in containers of one machine, would open another file, or none: a
 * segment begins with a number that its rank tells the others, until all have seen it. */
#define _GNU_SOURCE /* memfd_create */
#include "comm/shared_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "comm/comm_impl.h"
#include "hiss/alloc.h"

typedef struct place { /* of a segment for other processes */
    int64_t process;   /* 0: there is none */
    int64_t bytes, token;
    int file;
} place;

/* ---- who ---- */

void comm_shared_nodes(hiss_comm *comm, int *node) {
    MPI_Comm here;
    MPI_Group all, mine;
    int zero = 0, lowest = 0;
    int64_t *offsets = hiss_new(int64_t, comm->size + 1);
    for (int r = 0; r <= comm->size; r++) {
        offsets[r] = r * (int64_t)sizeof lowest;
    }
    HISS_MPI_WAIT(comm, "look for nodes",
                  MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &here));
    HISS_MPI(MPI_Comm_group(comm->mpi, &all));
    HISS_MPI(MPI_Comm_group(here, &mine));
    HISS_MPI(MPI_Group_translate_ranks(mine, 1, &zero, all, &lowest));
    HISS_MPI(MPI_Group_free(&mine));
    HISS_MPI(MPI_Group_free(&all));
    HISS_MPI_WAIT(comm, "look for nodes", MPI_Comm_free(&here));
    hiss_comm_allgather(comm, &lowest, offsets, node);
    hiss_free(offsets);
}

/* ---- segments ---- */

static hiss_status no_memory(const hiss_comm *comm, int64_t bytes, int code, hiss_error *err) {
    return hiss_fail_key(err, HISS_ESYSTEM, "dist.node",
                         "rank %d cannot share %.2f MiB of memory with ranks of its node: %s; set the key to off, for "
                         "messages in its place",
                         comm->rank, (double)bytes / 0x1p20, strerror(code));
}

static void *map(int file, int64_t bytes) {
    void *memory =
        hiss_fault("shared.map") ? MAP_FAILED : mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int take_pages(int file, int64_t bytes) {
    int code;
    do {
        code = hiss_fault("shared.pages") ? ENOSPC : posix_fallocate(file, 0, bytes);
    } while (code == EINTR);
    return code;
}

/* Of a rank at this moment; less than 0, which is no step's number (reducer_node.c). */
static int64_t token_of(int rank) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return -1 - (((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) ^ ((int64_t)getpid() << 32) ^ rank);
}

/* This rank's segment. Returns 0 or what errno says. */
static int make_own(const hiss_comm *comm, comm_shared *s, place *own) {
    const int self = comm->rank - s->first, file = memfd_create("hiss", MFD_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    *own = (place){.process = getpid(), .bytes = s->length[self], .token = token_of(comm->rank), .file = file};
    const int code = take_pages(file, s->length[self]);
    if (code == 0) {
        s->segment[self] = map(file, s->length[self]);
    }
    if (s->segment[self]) {
        const int64_t token = own->token + hiss_fault("shared.token");
        memcpy(s->segment[self], &token, sizeof token);
    }
    return code ? code : s->segment[self] ? 0 : errno;
}

/* The segment of another member. */
static int map_other(comm_shared *s, int member, const place *p) {
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%lld/fd/%d", (long long)p->process, p->file);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int code = fstat(file, &info) == 0 && info.st_size == p->bytes ? 0 : ESTALE;
    if (code == 0) {
        s->length[member] = p->bytes;
        s->segment[member] = map(file, p->bytes);
        code = s->segment[member] ? 0 : errno;
    }
    if (code == 0 && memcmp(s->segment[member], &p->token, sizeof p->token) != 0) {
        code = ESTALE;
    }
    close(file);
    return code;
}

static hiss_status map_all(hiss_comm *comm, comm_shared *s, const place *own, hiss_error *err) {
    const int self = comm->rank - s->first;
    int64_t *offsets = hiss_new(int64_t, comm->size + 1);
    for (int r = 0; r <= comm->size; r++) {
        offsets[r] = r * (int64_t)sizeof *own;
    }
    place *all = hiss_new(place, comm->size);
    hiss_comm_allgather(comm, own, offsets, all);
    int code = 0;
    for (int member = 0; member < s->end - s->first && code == 0; member++) {
        code = member == self ? 0 : map_other(s, member, &all[s->first + member]);
    }
    hiss_free(all);
    hiss_free(offsets);
    const hiss_status status = hiss_comm_agree(comm, code ? no_memory(comm, s->length[self], code, err) : HISS_OK, err);
    if (s->segment[self]) {
        memset(s->segment[self], 0, sizeof own->token); /* all have seen it */
    }
    return status;
}

hiss_status comm_shared_create(hiss_comm *comm, int first, int end, int64_t bytes, comm_shared **out, hiss_error *err) {
    const int size = end - first;
    comm_shared *s = hiss_new(comm_shared, 1);
    s->first = first;
    s->end = end;
    s->segment = hiss_new(void *, size);
    s->length = hiss_new(int64_t, size);
    s->length[comm->rank - first] = bytes;
    place own = {0};
    const int code = size > 1 ? make_own(comm, s, &own) : 0;
    hiss_status status = hiss_comm_agree(comm, code ? no_memory(comm, bytes, code, err) : HISS_OK, err);
    status = status == HISS_OK ? map_all(comm, s, &own, err) : status;
    if (own.process) {
        close(own.file);
    }
    if (status != HISS_OK) {
        comm_shared_destroy(s);
        s = NULL;
    }
    *out = s;
    return status;
}

void comm_shared_destroy(comm_shared *s) {
    for (int member = 0; s && member < s->end - s->first; member++) {
        if (s->segment[member]) {
            munmap(s->segment[member], (size_t)s->length[member]);
        }
    }
    if (s) {
        hiss_free(s->length);
        hiss_free(s->segment);
        hiss_free(s);
    }
}
