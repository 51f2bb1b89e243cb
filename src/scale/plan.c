/* What to run, in which order, and how. The order of the runs is random and mixes the repeats, so that a machine that
 * slows down with time, or neighbours that come and go, cannot favour one point. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "hiss/rng.h"
#include "scale/scale_impl.h"

void hiss_study_order(const hiss_study *study, int64_t *order) {
    for (int64_t r = 0; r < study->repeats; r++) {
        const hiss_permutation p =
            hiss_permutation_keyed((uint64_t)study->seed, HISS_FOR_STUDIES, r, 0, study->npoints);
        for (int k = 0; k < study->npoints; k++) {
            order[r * study->npoints + k] = r * study->npoints + hiss_permutation_at(&p, k);
        }
    }
}

void hiss_study_place(const hiss_study *study, const char *dir, int64_t run, char *path, size_t size) {
    snprintf(path, size, "%s/points/%s-r%" PRId64, dir, study->points[run % study->npoints].name,
             run / study->npoints + 1);
}

int64_t scale_study_window(const hiss_study *study) {
    const int64_t twentieth = (study->steps - study->warmup) / 20;
    return study->window > 0 ? study->window : study->steps == 0 ? 10 : twentieth > 0 ? twentieth : 1;
}

typedef struct words {
    hiss_arena *arena;
    const char **word;
    int count, max;
} words;

static void add(words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(words *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (w->count < w->max) {
        w->word[w->count++] = hiss_arena_vformat(w->arena, format, arguments);
    }
    va_end(arguments);
}

/* What the user sets wins over checkpoint.every, and what the study says over what the user sets. */
int hiss_study_settings(const hiss_study *study, int point, hiss_arena *arena, const char **set, int max) {
    const hiss_scale_point *p = &study->points[point];
    const hiss_scale_config *c = &study->configs[p->config];
    words w = {arena, set, 0, max};
    add(&w, "checkpoint.every=never");
    for (int k = 0; k < c->nset; k++) {
        add(&w, "%s", c->set[k]);
    }
    add(&w, "train.log_every=%" PRId64, scale_study_window(study));
    if (study->epochs > 0 || study->steps > 0) {
        add(&w, "train.epochs=%" PRId64, study->epochs > 0 ? study->epochs : study->steps);
        add(&w, "train.steps=%" PRId64, study->steps);
    }
    if (study->kind != HISS_SCALE_STRONG) {
        add(&w, "train.lanes=%" PRId64, c->lanes * p->factor);
    }
    if (study->kind == HISS_SCALE_WEAK_DATA) {
        add(&w, "data.limit=%" PRId64, c->limit * p->factor);
    }
    return w.count;
}

/* ---- the launcher ---- */

/* "a:2,b:1": the first nodes of the allocation, and how many of the point's ranks each gets. */
static const char *hosts_of(const hiss_scale_point *p, const hiss_scale_place *place, hiss_arena *arena) {
    const int64_t asked = p->nodes > 0 && p->nodes < place->hosts ? p->nodes : place->hosts;
    const int64_t nodes = asked < p->ranks ? asked : p->ranks;
    if (nodes == 0) {
        return hiss_arena_format(arena, "localhost:%" PRId64, p->ranks);
    }
    size_t size = 1, used = 0;
    for (int64_t k = 0; k < nodes; k++) {
        size += strlen(place->host[k]) + 24;
    }
    char *list = hiss_arena_alloc(arena, size);
    for (int64_t k = 0; k < nodes; k++) {
        used += (size_t)snprintf(list + used, size - used, "%s%s:%" PRId64, k ? "," : "", place->host[k],
                                 p->ranks / nodes + (k < p->ranks % nodes));
    }
    return list;
}

static int64_t ranks_per_node(const hiss_scale_point *p) {
    const int64_t nodes = p->nodes > 0 ? p->nodes : 1;
    return (p->ranks + nodes - 1) / nodes;
}

/* "a,b": the first nodes of the allocation. */
static const char *nodes_of(const hiss_scale_point *p, const hiss_scale_place *place, hiss_arena *arena) {
    const char *list = "";
    for (int64_t k = 0; k < p->nodes && k < place->hosts && k < p->ranks; k++) {
        list = hiss_arena_format(arena, "%s%s%s", list, k ? "," : "", place->host[k]);
    }
    return list;
}

/* A word in which names stand for numbers and hosts, at its start or within. */
static const char *substitute(const char *word, const hiss_scale_point *p, const char *hosts, hiss_arena *arena) {
    const char *const names[] = {"RANKS_PER_NODE", "RANKS", "THREADS", "NODES", "HOSTS"};
    const int64_t values[] = {ranks_per_node(p), p->ranks, p->threads, p->nodes > 0 ? p->nodes : 1};
    const char *out = "";
    while (*word) {
        size_t length = 1;
        int k = 0;
        while (k < HISS_COUNT(names) && strncmp(word, names[k], strlen(names[k])) != 0) {
            k++;
        }
        if (k == HISS_COUNT(names)) {
            out = hiss_arena_format(arena, "%s%c", out, *word);
        } else {
            length = strlen(names[k]);
            out = k < HISS_COUNT(values) ? hiss_arena_format(arena, "%s%" PRId64, out, values[k])
                                         : hiss_arena_format(arena, "%s%s", out, hosts);
        }
        word += length;
    }
    return out;
}

/* mpirun binds up to two ranks to a core each, with all their threads, and more ranks to larger parts of the host: so
 * it is told what every point gets. */
static void add_mpirun(words *w, const hiss_scale_point *p, const hiss_scale_place *place, const char *hosts) {
    const bool spread = p->nodes == 0 && place->hosts > 1; /* nobody knows over how many */
    const bool enough = place->cores > 0 && (spread || ranks_per_node(p) * p->threads <= place->cores);
    add(w, "mpirun");
    add(w, "-n");
    add(w, "%" PRId64, p->ranks);
    if (p->nodes > 0 && place->hosts > 0) {
        add(w, "--host");
        add(w, "%s", hosts);
    }
    if (enough) {
        add(w, "--map-by");
        add(w, "slot:PE=%" PRId64, p->threads);
    }
    add(w, "--bind-to");
    add(w, "%s", enough ? "core" : "none");
}

/* The same of Hydra, which binds nothing by itself as MPICH builds it, and every rank to its share as Intel does. */
static void add_hydra(words *w, const hiss_scale_point *p, const hiss_scale_place *place) {
    const bool spread = p->nodes == 0 && place->hosts > 1;
    const bool enough = place->cores > 0 && (spread || ranks_per_node(p) * p->threads <= place->cores);
    add(w, "mpirun");
    add(w, "-n");
    add(w, "%" PRId64, p->ranks);
    if (p->nodes > 0 && place->hosts > 0) {
        add(w, "-hosts");
        add(w, "%s", nodes_of(p, place, w->arena));
        add(w, "-ppn");
        add(w, "%" PRId64, ranks_per_node(p));
    }
    add(w, "-bind-to");
    if (enough) {
        add(w, "core:%" PRId64, p->threads);
    } else {
        add(w, "none");
    }
}

int hiss_launcher_words(const hiss_scale_point *p, const char *const *launch, int nlaunch,
                        const hiss_scale_place *place, hiss_arena *arena, const char **word, int max) {
    words w = {arena, word, 0, max};
    const char *hosts = hosts_of(p, place, arena);
    if (nlaunch < 0 && place->hydra) {
        add_hydra(&w, p, place);
    } else if (nlaunch < 0) {
        add_mpirun(&w, p, place, hosts);
    }
    for (int k = 0; k < nlaunch; k++) {
        add(&w, "%s", substitute(launch[k], p, hosts, arena));
    }
    return w.count;
}

int hiss_study_launcher(const hiss_study *study, int point, const hiss_scale_place *place, hiss_arena *arena,
                        const char **word, int max) {
    return hiss_launcher_words(&study->points[point], study->launch, study->nlaunch, place, arena, word, max);
}
