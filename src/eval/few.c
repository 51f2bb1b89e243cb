/* Probes and 5-NN from few labels.
 *
 * Draws (hiss_class_members_draw) are nested (the first 10 of a draw are among its first 100) and the same for every
 * network and layer.
 *
 * Draws have nothing to do with one another, and what ranks could share of one is soon less than what each has to do
 * for itself (the vectors of L-BFGS, the preconditioner). So the rows of a draw are collected on one rank, which fits
 * its probe alone, while other ranks fit others: in rounds of as many draws as ranks, the largest draws first, in
 * turns from either end. A draw of more than MOST_ALONE numbers is fitted by all ranks together. A fit has the same bits
 * either way. All probes judge the test samples in one pass. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/data.h"

enum { NEIGHBORS = 5, MOST_ALONE = 1 << 25 };

static const double lambda = 1e-2;
const int64_t hiss_few_sizes[HISS_FEW_SIZES] = {10, 100, 1000};

typedef struct draw {
    int size;              /* place among the sizes */
    int owner;             /* rank that fits it; -1: all */
    int64_t count, *index; /* samples, ascending */
    hiss_probe *probe;
} draw;

typedef struct few {
    const hiss_eval_env *env;
    const hiss_features *train;
    hiss_eval_env alone;
    int64_t iterations, most_alone;
    hiss_class_members members;
    int64_t count;
    draw *draws;
} few;

static void group_by_class(few *w) {
    const hiss_features *f = w->train;
    int32_t *label = hiss_new(int32_t, f->n);
    hiss_features_labels(w->env, f, label);
    w->members = hiss_class_members_of(f->n, label, f->classes);
    hiss_free(label);
}

static hiss_probe *fit(const hiss_eval_env *env, const hiss_features *f, int64_t iterations) {
    return hiss_probe_fit(env, f, NULL, lambda, iterations, NULL);
}

/* The draws first .. end - 1, at most one per rank: each by its owner. */
static void fit_round(few *w, int64_t first, int64_t end) {
    hiss_features *mine = NULL;
    draw *own = NULL;
    for (int64_t i = first; i < end; i++) {
        draw *d = &w->draws[i];
        hiss_features *rows = eval_features_collect(w->env, w->train, d->index, d->count, &w->alone, d->owner);
        if (rows) {
            mine = rows;
            own = d;
        }
    }
    if (own) {
        own->probe = fit(&w->alone, mine, w->iterations);
        hiss_features_destroy(mine);
    }
}

/* From its owner to all. */
static void share(const few *w, draw *d) {
    const int64_t D = w->train->D, classes = w->train->classes;
    if (!d->probe) {
        d->probe = eval_probe_create(D, classes);
    }
    const int64_t floats = (int64_t)sizeof(float) * D, doubles = (int64_t)sizeof(double) * (D + 1) * classes;
    hiss_comm_broadcast(w->env->comm, d->probe->mean, floats, d->owner);
    hiss_comm_broadcast(w->env->comm, d->probe->inverse, floats, d->owner);
    hiss_comm_broadcast(w->env->comm, d->probe->w, doubles, d->owner);
    hiss_comm_broadcast(w->env->comm, &d->probe->minimum, sizeof d->probe->minimum, d->owner);
}

static void fit_all(few *w) {
    const int size = hiss_comm_size(w->env->comm);
    int64_t next = 0;
    for (; next < w->count && w->draws[next].count * w->train->D > w->most_alone; next++) {
        draw *d = &w->draws[next];
        hiss_features *rows = hiss_features_subset(w->env, w->train, d->index, d->count);
        d->owner = -1;
        d->probe = fit(w->env, rows, w->iterations);
        hiss_features_destroy(rows);
    }
    for (int64_t round = 0; next < w->count; round++) {
        const int64_t end = next + size < w->count ? next + size : w->count;
        for (int64_t i = next; i < end; i++) {
            const int place = (int)(i - next);
            w->draws[i].owner = round % 2 ? size - 1 - place : place;
        }
        fit_round(w, next, end);
        next = end;
    }
    for (int64_t i = 0; i < w->count; i++) {
        if (w->draws[i].owner >= 0) {
            share(w, &w->draws[i]);
        }
    }
}

static void mean_and_spread(int64_t count, const double *x, double *mean, double *spread) {
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
    }
    *mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        square += (x[i] - *mean) * (x[i] - *mean);
    }
    *spread = count > 1 ? sqrt(square / (double)(count - 1)) : 0.0;
}

/* Of the draws of one size; linear, knn [count]: per cent of each draw. */
static hiss_few_result sum_up(const few *w, int size, const double *linear, const double *knn) {
    hiss_few_result result = {0};
    int64_t first = 0;
    while (first < w->count && w->draws[first].size != size) {
        first++;
    }
    for (int64_t i = first; i < w->count && w->draws[i].size == size; i++) {
        result.draws++;
        result.unconverged += !w->draws[i].probe->minimum.converged;
    }
    if (result.draws > 0) {
        mean_and_spread(result.draws, linear + first, &result.linear, &result.linear_spread);
        mean_and_spread(result.draws, knn + first, &result.knn, &result.knn_spread);
    }
    return result;
}

static void judge(few *w, const hiss_features *test, double *linear, double *knn) {
    hiss_probe **probes = hiss_new(hiss_probe *, w->count);
    for (int64_t i = 0; i < w->count; i++) {
        const draw *d = &w->draws[i];
        hiss_features *rows = hiss_features_subset(w->env, w->train, d->index, d->count);
        knn[i] = hiss_knn_percent(w->env, rows, test, HISS_COSINE, NEIGHBORS);
        hiss_features_destroy(rows);
        probes[i] = d->probe;
    }
    eval_probe_percents(w->env, w->count, probes, test, NULL, linear);
    hiss_free(probes);
}

void hiss_few_labels(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test, int sizes,
                     const int64_t *labels, const int64_t *draws, int64_t iterations, hiss_few_result *result) {
    eval_few_labels(env, train, test, sizes, labels, draws, iterations, MOST_ALONE, result);
}

void eval_few_labels(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test, int sizes,
                     const int64_t *labels, const int64_t *draws, int64_t iterations, int64_t most_alone,
                     hiss_few_result *result) {
    few w = {.env = env, .train = train, .alone = *env, .iterations = iterations, .most_alone = most_alone};
    int64_t most = 0;
    for (int s = 0; s < sizes; s++) {
        most += draws[s];
        result[s] = (hiss_few_result){0};
    }
    group_by_class(&w);
    w.draws = hiss_new(draw, most);
    for (int s = sizes - 1; s >= 0; s--) { /* the largest first */
        for (int64_t d = 0; d < draws[s] && labels[s] * train->classes <= train->n; d++) {
            draw *next = &w.draws[w.count++];
            next->size = s;
            next->count = hiss_class_members_draw(&w.members, env->seed, d, labels[s], &next->index);
        }
    }
    if (w.count > 0) {
        double *linear = hiss_new(double, w.count), *knn = hiss_new(double, w.count);
        w.alone.comm = hiss_comm_alone_create();
        fit_all(&w);
        hiss_comm_alone_destroy(w.alone.comm);
        judge(&w, test, linear, knn);
        for (int s = 0; s < sizes; s++) {
            result[s] = sum_up(&w, s, linear, knn);
        }
        hiss_free(linear);
        hiss_free(knn);
    }
    for (int64_t i = 0; i < w.count; i++) {
        hiss_probe_destroy(w.draws[i].probe);
        hiss_free(w.draws[i].index);
    }
    hiss_free(w.draws);
    hiss_class_members_free(&w.members);
}
