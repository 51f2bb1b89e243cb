/* What units answer to: of some units of each layer, the test images with the largest answers. A unit is a channel of a map,
 * which answers with its largest value at any place, or a number of a row. Equal answers are in the order of samples, so that
 * the picture is the same on any number of ranks. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/judgements/judgements.h"

enum { UNITS = 12, BEST = 9 };

static const hiss_row rows[] = {
    JUDGEMENT_ROW("units", HISS_BOOL, units, "false", 0, 0, NULL,
                  "draw the nine test images that units of each layer answer to most"),
};

typedef struct answer {
    double value;
    int64_t sample; /* -1: none */
} answer;

static bool stronger(const answer *a, const answer *b) {
    return a->sample >= 0 && (b->sample < 0 || a->value > b->value || (a->value == b->value && a->sample < b->sample));
}

static void insert(answer *best, answer a) {
    for (int k = 0; k < BEST; k++) {
        if (stronger(&a, &best[k])) {
            const answer weaker = best[k];
            best[k] = a;
            a = weaker;
        }
    }
}

void hiss_units_file(const char *layer, char out[HISS_UNITS_FILE]) {
    snprintf(out, HISS_UNITS_FILE, "units-%s.png", layer);
    for (char *at = strchr(out, '/'); at; at = strchr(at, '/')) {
        *at = '-';
    }
}

/* best[count, BEST] of this rank's samples. */
static void find_best(const hiss_features *f, int64_t channels, int64_t count, const int64_t *unit, answer *best) {
    const int64_t begin = f->first * HISS_TILE;
    for (int64_t k = 0; k < count * BEST; k++) {
        best[k] = (answer){0.0, -1};
    }
    for (int64_t i = begin; i < f->end * HISS_TILE && i < f->n; i++) {
        const float *row = f->rows + (i - begin) * f->D;
        for (int64_t u = 0; u < count; u++) {
            float largest = row[unit[u]];
            for (int64_t at = unit[u]; at < f->D; at += channels) {
                largest = row[at] > largest ? row[at] : largest;
            }
            insert(best + u * BEST, (answer){largest, i});
        }
    }
}

/* Those of all ranks, on every rank. Collective. */
static void merge(hiss_comm *comm, int64_t count, answer *best) {
    const int size = hiss_comm_size(comm);
    const bool root = hiss_comm_rank(comm) == 0;
    const int64_t bytes = count * BEST * (int64_t)sizeof(answer);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    answer *all = root ? hiss_new(answer, size * count * BEST) : NULL;
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * bytes;
    }
    hiss_comm_gather(comm, best, offsets, all, 0);
    for (int64_t k = count * BEST; root && k < size * count * BEST; k++) {
        insert(best + k / BEST % count * BEST, all[k]);
    }
    hiss_comm_broadcast(comm, best, bytes, 0);
    hiss_free(offsets);
    hiss_free(all);
}

/* Per cent of the others of each row whose label is that of its first. Collective. */
static double alike_percent(const hiss_eval_env *env, const hiss_features *f, int64_t count, const answer *best) {
    int32_t *label = hiss_new(int32_t, f->n);
    int64_t alike = 0, shown = 0;
    hiss_features_labels(env, f, label);
    for (int64_t k = 0; k < count * BEST; k++) {
        if (k % BEST > 0 && best[k].sample >= 0) {
            shown++;
            alike += label[best[k].sample] == label[best[k - k % BEST].sample];
        }
    }
    hiss_free(label);
    return shown > 0 ? 100.0 * (double)alike / (double)shown : (double)NAN;
}

/* A row for each unit: its strongest image, and the others as those that are near it. */
static hiss_status draw(const hiss_eval_env *env, const hiss_subject *subject, const char *file, int64_t count,
                        const answer *best, hiss_error *err) {
    int64_t first[UNITS];
    hiss_neighbor others[UNITS * (BEST - 1)];
    char path[4096];
    hiss_status s = HISS_OK;
    for (int64_t k = 0; k < count * BEST; k++) {
        if (k % BEST == 0) {
            first[k / BEST] = best[k].sample;
        } else {
            others[k / BEST * (BEST - 1) + k % BEST - 1] = (hiss_neighbor){.index = (int32_t)best[k].sample};
        }
    }
    if (hiss_comm_rank(env->comm) == 0) {
        snprintf(path, sizeof path, "%s/%s", subject->directory, file);
        s = hiss_sheet_write(path, subject->queries, subject->queries, count, first, BEST - 1, others, err);
    }
    return hiss_comm_agree(env->comm, s, err);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const hiss_features *f = subject->test;
    const int64_t units = subject->units, count = units < UNITS ? units : UNITS;
    const char *layer = strchr(subject->name, '/');
    int64_t unit[UNITS];
    answer best[UNITS * BEST];
    char file[HISS_UNITS_FILE], title[HISS_UNITS_FILE], caption[256];
    if (!subject->directory || !subject->queries) {
        hiss_record_leave_out(record, "there is no place for pictures");
        return HISS_OK;
    }
    layer = layer ? layer + 1 : subject->name;
    hiss_units_file(layer, file);
    hiss_draw_shown(env->seed, units, count, unit);
    find_best(f, units, count, unit, best);
    merge(env->comm, count, best);
    if (f->classes > 0) {
        hiss_record_number(record, &(hiss_number){.name = "alike_percent",
                                                  .heading = "of the label of the unit's first",
                                                  .unit = "%",
                                                  .value = alike_percent(env, f, count, best),
                                                  .spread = (double)NAN,
                                                  .baseline = (double)NAN,
                                                  .samples = f->n});
    }
    snprintf(title, sizeof title, "Units of %s", layer);
    snprintf(caption, sizeof caption,
             "A row for each of %lld of %lld units, drawn by seed: the %d test images that it answers to most, the "
             "first at the "
             "left.%s",
             (long long)count, (long long)units, BEST,
             f->classes > 0 ? " Green frames: the label of the first; red ones: another." : "");
    hiss_record_picture(record, file, title, caption);
    return draw(env, subject, file, count, best, err);
}

const hiss_judgement eval_judgement_units = {
    .name = "units",
    .title = "Images of units",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_UNITS,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
