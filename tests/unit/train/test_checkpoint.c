/* Checkpoint files: what is written reads back, no change to a file goes unnoticed, and the one before it is used then;
 * the thread that writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/experiment.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"
#include "hiss/rng.h"
#include "hiss/snapshot.h"
#include "train/background.h"

enum { ROWS = 5, COLUMNS = 3, SAMPLES = 11, PATH_TEXT = 256 };

static char run[] = "/tmp/hiss-checkpoint-XXXXXX";
static float weight[ROWS][COLUMNS];
static int64_t assignment[SAMPLES];

static void path_of(int64_t step, char out[PATH_TEXT]) {
    hiss_snapshot_path(run, step, out, PATH_TEXT);
}

static int setup(void **state) {
    (void)state;
    hiss_log_setup(HISS_LOG_ERROR, 0);
    char folder[PATH_TEXT];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        weight[i / COLUMNS][i % COLUMNS] = 0.5f + (float)i;
    }
    for (int i = 0; i < SAMPLES; i++) {
        assignment[i] = 1000 - i;
    }
    if (!mkdtemp(run)) {
        return -1;
    }
    snprintf(folder, sizeof folder, "%s/ckpt", run);
    return mkdir(folder, 0777);
}

static int teardown(void **state) {
    (void)state;
    char command[PATH_TEXT];
    snprintf(command, sizeof command, "rm -r %s", run);
    return system(command) != 0 || hiss_alloc_live() != 0;
}

static void expect_ok(hiss_status s, const hiss_error *err) {
    if (s != HISS_OK) {
        fail_msg("%s", err->text);
    }
}

static hiss_snapshot *make(void) {
    hiss_error err = {0};
    hiss_snapshot *s = hiss_snapshot_create();
    hiss_snapshot_add(s, "/model/fc/weight", &(hiss_h5_info){.dtype = HISS_F32, .ndim = 2, .dim = {ROWS, COLUMNS}});
    hiss_snapshot_add(s, "/samples/assign", &(hiss_h5_info){.dtype = HISS_I64, .ndim = 1, .dim = {SAMPLES}});
    hiss_snapshot_text(s, "config", "seed: 1\n");
    expect_ok(hiss_snapshot_layout(s, &err), &err);
    memcpy(hiss_snapshot_at(s, 0), weight, sizeof weight);
    memcpy(hiss_snapshot_at(s, 1), assignment, sizeof assignment);
    return s;
}

static void write_step(int64_t step) {
    char path[PATH_TEXT];
    hiss_error err = {0};
    hiss_snapshot *s = make();
    path_of(step, path);
    expect_ok(hiss_snapshot_write(s, path, &err), &err);
    hiss_snapshot_destroy(s);
}

static char *read_whole(const char *path, size_t *size) {
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *bytes = hiss_alloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    return bytes;
}

static void write_whole(const char *path, const char *bytes, size_t size) {
    unlink(path); /* a file system may wait for the disk when a file is overwritten */
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(out);
}

static void what_is_written_reads_back(void **unused) {
    (void)unused;
    char path[PATH_TEXT], *config = NULL, hash[HISS_HASH_TEXT];
    hiss_error err = {0};
    write_step(1);
    path_of(1, path);
    expect_ok(hiss_snapshot_verify(path, &err), &err);
    hiss_h5 *file = NULL;
    expect_ok(hiss_h5_open(path, &file, &err), &err);
    float w[2][COLUMNS];
    int64_t a[SAMPLES];
    expect_ok(hiss_snapshot_read(file, path, "/model/fc/weight", HISS_F32, 2, 2, w, &err), &err);
    assert_memory_equal(w, weight[2], sizeof w);
    expect_ok(hiss_snapshot_read(file, path, "/samples/assign", HISS_I64, 0, SAMPLES, a, &err), &err);
    assert_memory_equal(a, assignment, sizeof a);
    expect_ok(hiss_h5_get_text(file, "/", "config", &config, &err), &err);
    assert_string_equal(config, "seed: 1\n");
    hiss_free(config);
    hiss_h5_close(file, NULL);

    size_t size;
    char *bytes = read_whole(path, &size);
    hiss_hash *sum = hiss_hash_begin(); /* the line at the end is what sha256sum says of the rest */
    hiss_hash_add(sum, bytes, size - HISS_SNAPSHOT_FOOTER);
    hiss_hash_end(sum, hash);
    assert_memory_equal(bytes + size - HISS_HASH_TEXT, hash, HISS_HASH_TEXT - 1);
    assert_int_equal(bytes[size - 1], '\n');
    write_step(2); /* equal states give equal files */
    path_of(2, path);
    size_t again;
    char *other = read_whole(path, &again);
    assert_int_equal(size, again);
    assert_memory_equal(bytes, other, size);
    hiss_free(bytes);
    hiss_free(other);
    unlink(path);
}

/* step-1 is good; step-2 has these bytes: step-1 is chosen. */
static void expect_previous(const char *newer, const char *bytes, size_t size) {
    char older[PATH_TEXT], found[PATH_TEXT];
    int rejected = 0;
    path_of(1, older);
    write_whole(newer, bytes, size);
    hiss_snapshot_newest(run, false, found, sizeof found, &rejected);
    assert_int_equal(rejected, 1);
    assert_string_equal(found, older);
}

static void every_truncation_and_bit_flip_is_found(void **unused) {
    (void)unused;
    enum { TRIALS = 500 };
    char path[PATH_TEXT], found[PATH_TEXT];
    int rejected = 0;
    size_t size;
    write_step(1);
    path_of(1, path);
    char *bytes = read_whole(path, &size);
    path_of(2, path);
    for (size_t k = 0; k < TRIALS; k++) {
        expect_previous(path, bytes, size * k / TRIALS);
    }
    expect_previous(path, bytes, size - 1);
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_EVALUATION, 0, 0);
    for (int k = 0; k < TRIALS; k++) {
        const size_t bit = (size_t)(hiss_rng_uniform(&rng) * (double)(8 * size));
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        expect_previous(path, bytes, size);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t k = 1; k <= HISS_SNAPSHOT_FOOTER; k++) {
        bytes[size - k] = (char)(bytes[size - k] ^ 0x20);
        expect_previous(path, bytes, size);
        bytes[size - k] = (char)(bytes[size - k] ^ 0x20);
    }
    write_whole(path, bytes, size);
    hiss_snapshot_newest(run, false, found, sizeof found, &rejected);
    assert_int_equal(rejected, 0);
    assert_string_equal(found, path);
    hiss_free(bytes);
}

static void broken_ones_are_set_aside(void **unused) {
    (void)unused;
    char path[PATH_TEXT], broken[PATH_TEXT + 16], found[PATH_TEXT];
    hiss_error err = {0};
    int rejected = 0;
    for (int64_t step = 1; step <= 2; step++) {
        path_of(step, path);
        write_whole(path, "nothing", 7);
    }
    assert_int_equal(hiss_checkpoint_newest(run, false, found, sizeof found, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "none of its 2 checkpoints can be used"));
    assert_true(hiss_file_exists(path));
    hiss_snapshot_newest(run, true, found, sizeof found, &rejected);
    assert_int_equal(rejected, 2);
    assert_string_equal(found, "");
    for (int64_t step = 1; step <= 2; step++) {
        path_of(step, path);
        assert_false(hiss_file_exists(path));
        snprintf(broken, sizeof broken, "%s.broken", path);
        assert_int_equal(unlink(broken), 0);
    }
    hiss_snapshot_newest(run, true, found, sizeof found, &rejected);
    assert_int_equal(rejected, 0);
    assert_string_equal(found, "");
}

/* Another hiss may still read it, so it keeps its name. */
static void another_format_is_told_and_kept(void **unused) {
    (void)unused;
    char path[PATH_TEXT], found[PATH_TEXT];
    hiss_error err = {0};
    int rejected = 0;
    size_t size;
    write_step(1);
    path_of(1, path);
    char *bytes = read_whole(path, &size);
    for (const char *digit = "129"; *digit; digit++) {
        bytes[size - HISS_SNAPSHOT_FOOTER + sizeof "hiss checkpoint " - 1] = *digit;
        write_whole(path, bytes, size);
        assert_int_equal(hiss_snapshot_verify(path, &err), HISS_ESYSTEM);
        char said[64];
        snprintf(said, sizeof said, "a checkpoint of format %c, and this hiss knows format 3 only", *digit);
        assert_non_null(strstr(err.text, said));
        hiss_snapshot_newest(run, true, found, sizeof found, &rejected);
        assert_int_equal(rejected, 1);
        assert_true(hiss_file_exists(path));
    }
    hiss_free(bytes);
    unlink(path);
}

static void damage_names_the_data_set(void **unused) {
    (void)unused;
    char path[PATH_TEXT];
    hiss_error err = {0};
    size_t size, at = 0;
    float w[ROWS][COLUMNS];
    write_step(1);
    path_of(1, path);
    char *bytes = read_whole(path, &size);
    while (memcmp(bytes + at, weight, sizeof weight) != 0) {
        at++;
    }
    bytes[at + 7] ^= 1;
    write_whole(path, bytes, size);
    hiss_free(bytes);
    hiss_h5 *file = NULL;
    expect_ok(hiss_h5_open(path, &file, &err), &err);
    assert_int_equal(hiss_snapshot_read(file, path, "/model/fc/weight", HISS_F32, 0, 1, w, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "data set /model/fc/weight does not match its checksum"));
    hiss_h5_close(file, NULL);
    unlink(path);
}

static void a_failed_write_leaves_nothing(void **unused) {
    (void)unused;
    char path[PATH_TEXT];
    hiss_error err = {0};
    int64_t *steps;
    hiss_snapshot *s = make();
    snprintf(path, sizeof path, "%s/nowhere/step-1.h5", run);
    assert_int_equal(hiss_snapshot_write(s, path, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "No such file or directory"));
    path_of(3, path);
    assert_int_equal(mkdir(path, 0777), 0); /* the rename fails: a folder has the name */
    assert_int_equal(hiss_snapshot_write(s, path, &err), HISS_ESYSTEM);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(hiss_snapshot_list(run, &steps), 0);
    snprintf(path, sizeof path, "%s/ckpt", run);
    assert_int_equal(rmdir(path), 0); /* empty */
    assert_int_equal(mkdir(path, 0777), 0);
    hiss_snapshot_destroy(s);
}

static void only_checkpoints_are_listed(void **unused) {
    (void)unused;
    static const char *const names[] = {"step-7.h5",        "step-70.h5", "step-9.h5",  "step-8.h5.broken",
                                        ".step-5.h5.tmp-1", "step-.h5",   "step-3.h5x", "other"};
    char path[PATH_TEXT];
    int64_t *steps;
    for (int k = 0; k < HISS_COUNT(names); k++) {
        snprintf(path, sizeof path, "%s/ckpt/%s", run, names[k]);
        write_whole(path, "", 0);
    }
    assert_int_equal(hiss_snapshot_list(run, &steps), 3);
    assert_true(steps[0] == 70 && steps[1] == 9 && steps[2] == 7);
    hiss_free(steps);
    for (int k = 0; k < HISS_COUNT(names); k++) {
        snprintf(path, sizeof path, "%s/ckpt/%s", run, names[k]);
        unlink(path);
    }
}

static void leftovers_are_swept(void **unused) {
    (void)unused;
    char mine[64];
    snprintf(mine, sizeof mine, ".report.html.tmp-%ld", (long)getpid());
    const struct {
        const char *name;
        bool stays;
    } cases[] = {{".summary.yaml.tmp-999999999", false},
                 {mine, true},
                 {".lock", true},
                 {"notes.tmp-999999999", true},
                 {".a.tmp-12x", true},
                 {".tmp-", true},
                 {"ckpt/.step-4.h5.tmp-1", false},
                 {"ckpt/step-4.h5", true}};
    char path[PATH_TEXT];
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        snprintf(path, sizeof path, "%s/%s", run, cases[k].name);
        write_whole(path, "x", 1);
    }
    hiss_snapshot_sweep(run);
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        snprintf(path, sizeof path, "%s/%s", run, cases[k].name);
        assert_int_equal(hiss_file_exists(path), cases[k].stays);
        unlink(path);
    }
}

/* ---- the thread ---- */

typedef struct gate {
    pthread_mutex_t lock;
    int runs;
} gate;

static hiss_status pass(void *user, hiss_error *err) {
    gate *g = user;
    pthread_mutex_lock(&g->lock);
    const int now = ++g->runs;
    pthread_mutex_unlock(&g->lock);
    return now == 2 ? hiss_fail(err, HISS_ESYSTEM, "run %d", now) : HISS_OK;
}

static void one_job_at_a_time(void **unused) {
    (void)unused;
    gate g = {PTHREAD_MUTEX_INITIALIZER, 0};
    background *b = NULL;
    hiss_error err = {0};
    hiss_status status = HISS_EINTERNAL;
    expect_ok(train_background_create(pass, &g, &b, &err), &err);
    assert_false(train_background_busy(b));
    assert_false(train_background_ended(b, &status, &err));
    for (int k = 1; k <= 3; k++) {
        pthread_mutex_lock(&g.lock); /* the job cannot go on */
        train_background_start(b);
        usleep(1000);
        assert_true(train_background_busy(b));
        assert_false(train_background_ended(b, &status, &err));
        pthread_mutex_unlock(&g.lock);
        train_background_wait(b);
        assert_false(train_background_busy(b));
        assert_true(train_background_ended(b, &status, &err));
        assert_int_equal(status, k == 2 ? HISS_ESYSTEM : HISS_OK);
        assert_string_equal(err.text, k == 2 ? "run 2" : "");
        assert_false(train_background_ended(b, &status, &err));
    }
    train_background_start(b);
    train_background_destroy(b); /* waits */
    assert_int_equal(g.runs, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),  cmocka_unit_test(every_truncation_and_bit_flip_is_found),
        cmocka_unit_test(broken_ones_are_set_aside),   cmocka_unit_test(another_format_is_told_and_kept),
        cmocka_unit_test(damage_names_the_data_set),   cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(only_checkpoints_are_listed), cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(one_job_at_a_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
