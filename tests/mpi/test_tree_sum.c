/* Blocking tree sum: bitwise equal to the recursive definition for any lanes and any partition of them; with lanes that
 * come one by one as well. */
#include <math.h>
#include <string.h>

#include "mpi_test.h"

static double node(uint64_t key, int64_t lanes, int level, int64_t index, uint64_t element) {
    int64_t first = index << level;
    if (level == 0) {
        return value_of(key, (uint64_t)first, element);
    }
    double left = node(key, lanes, level - 1, 2 * index, element);
    if (first + ((int64_t)1 << (level - 1)) >= lanes) {
        return left;
    }
    return left + node(key, lanes, level - 1, 2 * index + 1, element);
}

static void check(hiss_comm *comm, uint64_t *key, int64_t lanes, int64_t count, const int64_t *offsets) {
    int64_t first = offsets[hiss_comm_rank(comm)], end = offsets[hiss_comm_rank(comm) + 1];
    uint64_t seed = ++*key;
    double *values = hiss_new(double, (end - first) * count), *out = hiss_new(double, count);
    const double **rows = hiss_new(const double *, end - first);
    for (int64_t lane = first; lane < end; lane++) {
        rows[lane - first] = values + (lane - first) * count;
        for (int64_t i = 0; i < count; i++) {
            values[(lane - first) * count + i] = value_of(seed, (uint64_t)lane, (uint64_t)i);
        }
    }
    hiss_tree_sum(comm, lanes, offsets, count, rows, out);
    for (int64_t i = 0; i < count; i++) {
        double expected = node(seed, lanes, 6, 0, (uint64_t)i);
        CHECK(memcmp(&expected, &out[i], sizeof expected) == 0);
    }
    float *narrow = hiss_new(float, count);
    hiss_tree_adder *adder = hiss_tree_adder_create(comm, lanes, offsets, count);
    for (int round = 0; round < 2; round++) { /* lanes one by one, all but a tail of theirs as floats */
        const int64_t floats = round == 0 ? count / 2 : 0;
        for (int64_t lane = first; lane < end; lane++) {
            const double *row = rows[lane - first];
            for (int64_t i = 0; i < floats; i++) {
                narrow[i] = (float)row[i];
            }
            hiss_tree_adder_add(adder, floats, narrow, row + floats);
        }
        double *streamed = hiss_new(double, count);
        hiss_tree_adder_finish(adder, streamed);
        CHECK(memcmp(streamed + floats, out + floats, sizeof(double) * (size_t)(count - floats)) == 0);
        for (int64_t i = 0; i < floats; i++) {
            CHECK(fabs(streamed[i] - out[i]) < 1e-5 * (double)lanes);
        }
        hiss_free(streamed);
    }
    hiss_tree_adder_destroy(adder);
    hiss_free(narrow);
    for (int64_t i = 0; i < (end - first) * count; i++) {
        CHECK(values[i] == value_of(seed, (uint64_t)(first + i / count), (uint64_t)(i % count)));
    }
    hiss_free(rows);
    hiss_free(out);
    hiss_free(values);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err;
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    int size = hiss_comm_size(comm);
    int64_t offsets[65];
    uint64_t key = 1;
    for (int64_t lanes = size; lanes <= 33; lanes++) {
        for (int trial = 0; trial < 3; trial++) {
            draw_offsets(&key, lanes, size, offsets);
            check(comm, &key, lanes, draw(&key, 20), offsets);
        }
    }
    for (int64_t lanes = 1; lanes <= 12; lanes++) { /* ranks without lanes */
        draw_any_offsets(&key, lanes, size, offsets);
        check(comm, &key, lanes, 3, offsets);
    }
    return finish_test(comm);
}
