/* Memory that ranks of a node share, by POSIX: each rank makes an object with a name of its own, all map each other's, and
 * then the names go, so that nothing is left behind however a rank ends. The memory itself goes with the last that maps it.
 *
 * MPI_Win_allocate_shared would do as much, but does not say when there is no room: a rank then dies of SIGBUS at its
 * first write, as in a container with a small /dev/shm. posix_fallocate takes all pages at once, or fails. It also takes
 * them where their rank runs, which is the memory next to its processor. Room is left for what MPI itself has there,
 * which it takes only as it writes. */
#include "comm/shared_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "comm/comm_impl.h"
#include "hiss/alloc.h"

enum { LEFT_PER_RANK = 8 << 20, NAME_TEXT = 48, MOST_NAMES = 1000 };

typedef struct name { /* empty: none was made */
    char text[NAME_TEXT];
} name;

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
                         "rank %d got no memory to share with ranks of its node, %.2f MiB in /dev/shm: %s; enlarge it "
                         "(--shm-size of a container), or set the key to off",
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

/* This rank's segment, and its name. Returns 0 or what errno says. */
static int make_own(const hiss_comm *comm, comm_shared *s, name *own) {
    int file = -1, code = EEXIST;
    for (int k = 0; k < MOST_NAMES && file < 0 && code == EEXIST; k++) { /* another container may have our number */
        snprintf(own->text, sizeof own->text, "/hiss-%ld-%d", (long)getpid(), k);
        file = shm_open(own->text, O_CREAT | O_EXCL | O_RDWR, S_IRUSR | S_IWUSR);
        code = errno;
    }
    if (file < 0) {
        own->text[0] = 0;
        return code;
    }
    const int self = comm->rank - s->first;
    code = take_pages(file, s->length[self]);
    if (code == 0) {
        s->segment[self] = map(file, s->length[self]);
        code = s->segment[self] ? 0 : errno;
    }
    close(file);
    return code;
}

/* The segment of another member. */
static int map_other(comm_shared *s, int member, const char *text) {
    struct stat info;
    struct statvfs left;
    int file = shm_open(text, O_RDWR, 0), code = 0;
    if (file < 0 || fstat(file, &info) != 0 || fstatvfs(file, &left) != 0) {
        code = errno;
    } else if ((double)left.f_bavail * (double)left.f_frsize < (double)(s->end - s->first) * LEFT_PER_RANK) {
        code = ENOSPC;
    } else {
        s->length[member] = info.st_size;
        s->segment[member] = map(file, info.st_size);
        code = s->segment[member] ? 0 : errno;
    }
    if (file >= 0) {
        close(file);
    }
    return code;
}

hiss_status comm_shared_create(hiss_comm *comm, int first, int end, int64_t bytes, comm_shared **out, hiss_error *err) {
    const int size = end - first, self = comm->rank - first;
    comm_shared *s = hiss_new(comm_shared, 1);
    s->first = first;
    s->end = end;
    s->segment = hiss_new(void *, size);
    s->length = hiss_new(int64_t, size);
    s->length[self] = bytes;
    int64_t *offsets = hiss_new(int64_t, comm->size + 1);
    for (int r = 0; r <= comm->size; r++) {
        offsets[r] = r * (int64_t)sizeof(name);
    }
    name own = {{0}}, *all = hiss_new(name, comm->size);
    int code = size > 1 ? make_own(comm, s, &own) : 0;
    hiss_comm_allgather(comm, &own, offsets, all);
    hiss_status status = hiss_comm_agree(comm, code ? no_memory(comm, bytes, code, err) : HISS_OK, err);
    if (status == HISS_OK) {
        for (int member = 0; member < size && code == 0; member++) {
            code = member == self ? 0 : map_other(s, member, all[first + member].text);
        }
        status = hiss_comm_agree(comm, code ? no_memory(comm, bytes, code, err) : HISS_OK, err);
    }
    if (own.text[0]) {
        shm_unlink(own.text);
    }
    hiss_free(all);
    hiss_free(offsets);
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
