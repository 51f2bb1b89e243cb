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

int64_t study_window(const hiss_study *study) {
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
    add(&w, "train.log_every=%" PRId64, study_window(study));
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

/* The words of a launcher in which names stand for numbers, at the start of a word or within. */
static void substitute(const char *word, const hiss_scale_point *p, char *out, size_t size) {
    const int64_t nodes = p->nodes > 0 ? p->nodes : 1;
    const struct {
        const char *name;
        int64_t value;
    } names[] = {{"RANKS_PER_NODE", (p->ranks + nodes - 1) / nodes},
                 {"RANKS", p->ranks},
                 {"THREADS", p->threads},
                 {"NODES", nodes}};
    size_t used = 0;
    for (const char *c = word; *c && used + 24 < size;) {
        int k = 0;
        while (k < HISS_COUNT(names) && strncmp(c, names[k].name, strlen(names[k].name)) != 0) {
            k++;
        }
        if (k < HISS_COUNT(names)) {
            used += (size_t)snprintf(out + used, size - used, "%" PRId64, names[k].value);
            c += strlen(names[k].name);
        } else {
            out[used++] = *c++;
        }
    }
    out[used] = 0;
}

int hiss_study_launcher(const hiss_study *study, int point, hiss_arena *arena, const char **word, int max) {
    words w = {arena, word, 0, max};
    for (int k = 0; k < study->nlaunch; k++) {
        char text[4096];
        substitute(study->launch[k], &study->points[point], text, sizeof text);
        add(&w, "%s", text);
    }
    return w.count;
}
