/* The one user of CBLAS: the matrix product, what makes OpenBLAS repeatable, and which of its cores computes.
 *
 * OpenBLAS splits a product over its threads by their number, and the split affects the bits; so every lane computes
 * with one BLAS thread. The pthread build takes the number from openblas_set_num_threads, for the whole process. The
 * OpenMP build asks omp_get_max_threads in the calling thread at each product, a value of that thread alone; its
 * setter is looked up at run time because only that build brings an OpenMP library along.
 *
 * A DYNAMIC_ARCH build holds the kernels of many processors, and chooses one of these cores in a constructor, by
 * OPENBLAS_CORETYPE or the processor. Releases older than a processor take the core of an older one: half the speed on
 * AVX-512. The constructor runs before main, and (glibc 2.36) before it no setenv lasts; but its choice is made by
 * gotoblas_dynamic_init alone and unmade by gotoblas_dynamic_quit, which the library exports. So it is made again, in
 * an environment that only the library sees: programs started later find what the user has set. Where a library does
 * not export the two, its own choice stays. */
#define _GNU_SOURCE /* RTLD_DEFAULT, environ */
#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/subnormal.h"
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"

/* ---- memory ---- */

/* In place of OpenBLAS's reader of OPENBLAS_NUM_THREADS, which its constructor calls through the table of symbols: so
 * it never starts threads of its own. They would idle; and where memory is short, 0.3.21 ends by SIGINT when one cannot
 * be started, or leaves a handler of fork that waits for ever for one that was not. */
int openblas_num_threads_env(void);
__attribute__((weak)) int openblas_num_threads_env(void) {
    return 1;
}

/* Every product that runs takes a buffer (BUFFER_SIZE of the library, 128 MiB on x86-64). The library keeps as many as
 * were in use together, and tries for ever to get another when there is no memory. So these two stand in front of its
 * own, which are called through the table of symbols as well. */
enum { BUFFER_BYTES = 128 << 20 };
static atomic_int buffers, most_buffers;
static void *(*library_alloc)(int place);
static void (*library_free)(void *buffer);

static void find_library(void) {
    library_alloc = (void *(*)(int))dlsym(RTLD_NEXT, "blas_memory_alloc");
    library_free = (void (*)(void *))dlsym(RTLD_NEXT, "blas_memory_free");
}

void *blas_memory_alloc(int place);
__attribute__((weak)) void *blas_memory_alloc(int place) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;
    pthread_once(&once, find_library);
    if (atomic_fetch_add(&buffers, 1) < atomic_load(&most_buffers)) {
        return library_alloc(place);
    }
    pthread_mutex_lock(&growing);
    hiss_alloc_expect(BUFFER_BYTES, "OpenBLAS to multiply matrices in one more thread", NULL);
    void *buffer = library_alloc(place);
    const int now = atomic_load(&buffers);
    if (now > atomic_load(&most_buffers)) {
        atomic_store(&most_buffers, now);
    }
    pthread_mutex_unlock(&growing);
    return buffer;
}

void blas_memory_free(void *buffer);
__attribute__((weak)) void blas_memory_free(void *buffer) {
    atomic_fetch_sub(&buffers, 1);
    library_free(buffer);
}

/* ---- products ---- */

static blasint narrow(int64_t value) {
    assert(value >= 0 && value <= INT_MAX);
    return (blasint)value;
}

void tensor_fast_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
                      int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
                narrow(M), narrow(N), narrow(K), alpha, A, narrow(lda), B, narrow(ldb), beta, C, narrow(ldc));
    hiss_subnormals_to_zero();
}

static void one_thread_for_process(void) {
    openblas_set_num_threads(1);
}

void hiss_kernels_enter_thread(void) {
    hiss_subnormals_to_zero();
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, one_thread_for_process);
    void (*set_for_thread)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (set_for_thread) {
        set_for_thread(1);
    }
}

/* ---- the core ---- */

extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

static const char variable[] = "OPENBLAS_CORETYPE";

/* What the user has asked for; NULL: nothing. */
static const char *asked_core(void) {
    const char *name = getenv(variable);
    return name && *name ? name : NULL;
}

static bool can_change(void) {
    return strstr(openblas_get_config(), "DYNAMIC_ARCH") && gotoblas_dynamic_init && gotoblas_dynamic_quit;
}

/* Let the library choose anew, by a name or (NULL) by itself. It sees an environment of its own: the process's
 * stays. */
static void change_core(const char *name) {
    char setting[64], **const before = environ;
    const size_t named = sizeof variable - 1;
    int64_t count = 0, kept = 0;
    while (before[count]) {
        count++;
    }
    char **changed = hiss_new(char *, count + 2);
    for (int64_t k = 0; k < count; k++) {
        if (strncmp(before[k], variable, named) != 0 || before[k][named] != '=') {
            changed[kept++] = before[k];
        }
    }
    if (name) {
        snprintf(setting, sizeof setting, "%s=%s", variable, name);
        changed[kept] = setting;
    }
    environ = changed;
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    environ = before;
    hiss_free(changed);
}

#if defined __x86_64__
typedef enum feature { AVX, AVX2, FMA4, AVX512 } feature;

static const struct {
    const char *core;
    feature needs;
} needs[] = {{"Sandybridge", AVX},   {"Haswell", AVX2},         {"Zen", AVX2},       {"Bulldozer", FMA4},
             {"Piledriver", FMA4},   {"Steamroller", FMA4},     {"Excavator", FMA4}, {"SkylakeX", AVX512},
             {"Cooperlake", AVX512}, {"SapphireRapids", AVX512}};
enum { CORES = sizeof needs / sizeof needs[0] };

static bool processor_has(feature f) {
    __builtin_cpu_init();
    switch (f) {
    case AVX:
        return __builtin_cpu_supports("avx");
    case AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case FMA4:
        return __builtin_cpu_supports("fma4");
    case AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
    return false;
}

bool hiss_kernels_can_run(const char *core) {
    for (int i = 0; i < CORES; i++) {
        if (strcasecmp(core, needs[i].core) == 0) {
            return processor_has(needs[i].needs);
        }
    }
    return true;
}

/* Of its registers: 0 is that of SSE, which every x86-64 has. */
static int width_of(const char *core) {
    for (int i = 0; i < CORES; i++) {
        if (strcasecmp(core, needs[i].core) == 0) {
            return needs[i].needs == AVX512 ? 3 : needs[i].needs == AVX ? 1 : 2;
        }
    }
    return 0;
}

const char *hiss_kernels_wider_core(void) {
    static const char *const widest[] = {"SkylakeX", "Haswell", "Sandybridge"};
    for (size_t i = 0; i < sizeof widest / sizeof widest[0]; i++) {
        if (hiss_kernels_can_run(widest[i])) {
            const bool narrow = width_of(openblas_get_corename()) < width_of(widest[i]);
            return narrow && strstr(openblas_get_config(), "DYNAMIC_ARCH") ? widest[i] : NULL;
        }
    }
    return NULL;
}
#else
bool hiss_kernels_can_run(const char *core) {
    (void)core;
    return true;
}

const char *hiss_kernels_wider_core(void) {
    return NULL;
}
#endif

void hiss_kernels_choose_core(void) {
    if (asked_core() || !can_change()) {
        return;
    }
    if (getenv(variable)) { /* empty, which OpenBLAS takes for the name of a core */
        change_core(NULL);
    }
    const char *wider = hiss_kernels_wider_core();
    if (wider) {
        change_core(wider);
    }
}

const char *hiss_kernels_core(void) {
    return openblas_get_corename();
}

hiss_core_verdict hiss_kernels_judge_core(char text[HISS_CORE_TEXT]) {
    const char *asked = asked_core(), *runs = openblas_get_corename(), *wider = hiss_kernels_wider_core();
    if (!hiss_kernels_can_run(runs)) {
        snprintf(
            text, HISS_CORE_TEXT,
            "OPENBLAS_CORETYPE is %s, but this processor lacks the instructions of that core; unset it, or take one "
            "the processor has, e.g. %s",
            asked ? asked : runs, hiss_kernels_can_run("Haswell") ? "Haswell" : "Prescott");
        return HISS_CORE_IMPOSSIBLE;
    }
    if (asked && strcasecmp(asked, runs) != 0) {
        snprintf(text, HISS_CORE_TEXT,
                 "OPENBLAS_CORETYPE is %.40s, which is no core of this OpenBLAS: it runs %s; unset it, or set it to %s",
                 asked, runs, runs);
        return HISS_CORE_UNASKED;
    }
    if (wider && asked) {
        snprintf(text, HISS_CORE_TEXT,
                 "OPENBLAS_CORETYPE holds OpenBLAS to a narrow core (%s); unset it for one as wide as this processor",
                 runs);
        return HISS_CORE_NARROW;
    }
    if (wider) {
        snprintf(text, HISS_CORE_TEXT,
                 "OpenBLAS runs its narrow core %s, and this build cannot change it; set OPENBLAS_CORETYPE=%s", runs,
                 wider);
        return HISS_CORE_NARROW;
    }
    *text = 0;
    return HISS_CORE_GOOD;
}

/* ---- identity ---- */

enum { GENERATION = 2 }; /* of our own kernels: one more when their bits change */

static char identity[HISS_KERNELS_IDENTITY];

/* openblas_get_config reads like "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH Zen MAX_THREADS=64". */
static void write_identity(void) {
    const char *config = openblas_get_config();
    const char *space = strchr(config, ' ');
    size_t length = space ? (size_t)(space - config) + 1 : 0;
    length += strcspn(config + length, " ");
    snprintf(identity, sizeof identity, "%.*s %s, own kernels %d %s, %s", (int)length, config, openblas_get_corename(),
             GENERATION, tensor_block_fuses() ? "with FMA" : "without FMA",
             hiss_subnormals_to_zero() ? "subnormals as zero" : "subnormals kept");
}

const char *hiss_kernels_identity(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_identity);
    return identity;
}
