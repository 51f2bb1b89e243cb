/* What NAT's first permutation matches: the principal components of what all samples have, scaled. Inner products of
 * features are those by the definition, in float64 on every rank for itself; where components are left out, the sum of
 * squares is the largest there is; features have the same bits for every number of ranks and every cut of the lanes. */
#include "mpi_test.h"

#include "../unit/stage.h"
#include "objective/nat/nat.h"

enum { LANES = 8, SAMPLES = 211, M = 4, H = 3, W = 4, VALUES = H * W };

/* Values of a sample, of which each varies differently; what a view adds is taken off by its opposite. */
static void values_of(int64_t sample, int64_t view, float *x) {
    hiss_rng rng = hiss_rng_keyed(43, HISS_FOR_TESTS, 0, sample);
    hiss_rng_normals(&rng, VALUES, x);
    for (int j = 0; j < VALUES; j++) {
        x[j] = x[j] / (float)(1 + j) + 0.2f * x[0] + 3.0f + (view == 0 ? 0.5f : view == 1 ? -0.5f : 0.0f);
    }
}

typedef struct loop {
    const stage *s;
    int64_t passes, view; /* view: of the last pass */
} loop;

static hiss_status features(void *trainer, int phase, hiss_value value, int64_t view, float *out, hiss_error *err) {
    loop *l = trainer;
    const nat *n = l->s->method;
    hiss_comm *comm = l->s->placement.comm;
    (void)err;
    CHECK(phase == 0 && value == n->first);
    l->view = view;
    l->passes++;
    for (int64_t i = 0; i < n->local_samples; i++) {
        values_of(n->first_sample + i, view, out + i * VALUES);
    }
    return HISS_OK;
}

static void parallel(void *trainer, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user) {
    (void)trainer;
    for (int64_t k = 0; k < count; k++) {
        task(user, (int)(k % 2), k);
    }
}

static void progress(void *trainer, const char *what, double done) {
    hiss_comm *comm = ((const loop *)trainer)->s->placement.comm;
    CHECK(*what && 0.0 <= done && done <= 1.0);
}

/* What the pass gives after views are averaged, or images and their mirror images. */
static void rows_of(bool mirrored, double *x) {
    for (int64_t i = 0; i < SAMPLES; i++) {
        float row[VALUES];
        values_of(i, 2, row);
        for (int j = 0; j < VALUES; j++) {
            x[i * VALUES + j] =
                mirrored ? 0.5 * ((double)row[j] + (double)row[j / W * W + W - 1 - j % W]) : (double)row[j];
        }
    }
}

/* By the definition: with C = E diag(l) E^T, inner products of samples in C^(-1/2), of the k largest l alone. */
static void serial_products(bool mirrored, int64_t k, double *product, double *squares) {
    double *x = hiss_new(double, SAMPLES *VALUES), c[VALUES * VALUES] = {0}, vector[VALUES * VALUES],
           mean[VALUES] = {0};
    rows_of(mirrored, x);
    for (int64_t i = 0; i < SAMPLES * VALUES; i++) {
        mean[i % VALUES] += x[i] / SAMPLES;
    }
    for (int64_t i = 0; i < SAMPLES * VALUES; i++) {
        x[i] -= mean[i % VALUES];
    }
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t j = 0; j < VALUES * VALUES; j++) {
            c[j] += x[i * VALUES + j / VALUES] * x[i * VALUES + j % VALUES] / SAMPLES;
        }
    }
    hiss_diagonalize(VALUES, c, vector);
    memset(product, 0, sizeof(double) * SAMPLES * SAMPLES);
    *squares = 0.0;
    for (int64_t e = 0; e < VALUES; e++) {
        int64_t larger = 0;
        for (int64_t other = 0; other < VALUES; other++) {
            larger += c[other * VALUES + other] > c[e * VALUES + e];
        }
        if (larger >= k || c[e * VALUES + e] < 1e-6) {
            continue;
        }
        *squares += SAMPLES * sqrt(c[e * VALUES + e]);
        double along[SAMPLES];
        for (int64_t i = 0; i < SAMPLES; i++) {
            along[i] = 0.0;
            for (int64_t j = 0; j < VALUES; j++) {
                along[i] += x[i * VALUES + j] * vector[e * VALUES + j];
            }
        }
        for (int64_t i = 0; i < SAMPLES * SAMPLES; i++) {
            product[i] += along[i / SAMPLES] * along[i % SAMPLES] / sqrt(c[e * VALUES + e]);
        }
    }
    hiss_free(x);
}

/* all [SAMPLES, d] out: the features of all ranks. */
static void run(hiss_comm *comm, const char *text, const int64_t *offsets, float *all, int64_t *passes) {
    stage s;
    hiss_error err = {0};
    const stage_given given = {.seed = 6,
                               .samples = SAMPLES,
                               .stored_H = H,
                               .stored_W = W,
                               .C = 1,
                               .lanes = LANES,
                               .m = M,
                               .comm = comm,
                               .kernels = hiss_kernels_blas()};
    CHECK(stage_open(&s, "nat", text, given, offsets, &err) == HISS_OK);
    nat *n = s.method;
    n->first = 17;
    n->first_floats = VALUES;
    loop l = {.s = &s};
    const hiss_epoch e = {
        .trainer = &l, .threads = 2, .features = features, .parallel = parallel, .progress = progress};
    const int64_t d = n->options->dim;
    float *mine = hiss_new(float, n->local_samples *d);
    CHECK(!nat_starts_from_z(n));
    CHECK(nat_first_features(n, &e, mine, &err) == HISS_OK);
    CHECK((l.view == HISS_VIEW_CENTER) == (strcmp(n->options->first, "image") == 0));
    *passes = l.passes;
    int64_t bytes[64] = {0};
    const hiss_placement *p = &s.placement;
    for (int r = 0; r <= hiss_comm_size(comm); r++) {
        bytes[r] = p->shards[p->lane_offsets[r]] * d * (int64_t)sizeof(float);
    }
    hiss_comm_allgather(comm, mine, bytes, all);
    hiss_free(mine);
    stage_close(&s);
}

static void check(hiss_comm *comm, const char *text, bool mirrored, int64_t d, int64_t passes, uint64_t *key) {
    float *all = hiss_new(float, SAMPLES *d), *again = hiss_new(float, SAMPLES *d);
    double *product = hiss_new(double, SAMPLES *SAMPLES), squares = 0.0, found = 0.0;
    int64_t offsets[LANES + 1], counted = 0;
    run(comm, text, NULL, all, &counted);
    CHECK(counted == passes);
    serial_products(mirrored, d, product, &squares);
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t j = 0; j < SAMPLES; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < d; k++) {
                sum += (double)all[i * d + k] * (double)all[j * d + k];
            }
            CHECK(fabs(sum - product[i * SAMPLES + j]) < 1e-3);
            found += i == j ? sum : 0.0;
        }
    }
    CHECK(fabs(found - squares) < 1e-3 * squares);
    draw_offsets(key, LANES, hiss_comm_size(comm), offsets);
    run(comm, text, offsets, again, &counted);
    CHECK(memcmp(all, again, sizeof(float) * (size_t)(SAMPLES * d)) == 0);
    hiss_free(all);
    hiss_free(again);
    hiss_free(product);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    uint64_t key = 1;
    check(comm, "nat: {dim: 12}\nassign: {scope: dataset, first: image}\n", false, 12, 1, &key);
    check(comm, "nat: {dim: 3}\nassign: {scope: dataset, first: image}\n", false, 3, 1, &key);
    check(comm, "nat: {dim: 20}\nassign: {scope: dataset, first: image}\naugment: {flip: true}\n", true, 20, 1, &key);
    check(comm, "nat: {dim: 5}\nassign: {scope: dataset, first: conv1, views: 2}\n", false, 5, 2, &key);
    return finish_test(comm);
}
