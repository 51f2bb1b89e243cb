/* The study file. Keys come from tables of rows; lists, and the sections of configs, whose names the user chooses, are
 * read here with the same kind of message. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/number.h"
#include "hiss/rng.h"
#include "scale/scale_impl.h"

enum { MOST_POINTS = 256, MOST_CONFIGS = 32, LONGEST_NAME = 40 };

typedef struct form {
    hiss_study study;
    const hiss_yaml *ranks, *threads, *nodes, *launch, *sbatch, *modules;
    int64_t ranks_per_node;
} form;

#define TOP(field) offsetof(form, field)
static const hiss_row top_rows[] = {
    {"name", HISS_STRING, TOP(study.name), "study", 0, 0, NULL, "title of the report"},
    {"kind", HISS_CHOICE, TOP(study.kind), "strong", 0, 0, "strong|weak-batch|weak-data",
     "strong: the same lanes everywhere; weak-batch: train.lanes grows with the workers; weak-data: data.limit, too"},
    {"ranks", HISS_NODE, TOP(ranks), NULL, 0, 0, NULL, "ranks of each point: [1, 2, 4]"},
    {"threads", HISS_NODE, TOP(threads), NULL, 0, 0, NULL,
     "threads per rank: one number, or one for each point (default 1)"},
    {"nodes", HISS_NODE, TOP(nodes), NULL, 0, 0, NULL,
     "nodes: one number, or one for each point; points run on so many, and jobs ask for them (default: none said)"},
    {"ranks_per_node", HISS_INT, TOP(ranks_per_node), "0", 0, 1e6, NULL,
     "without nodes: each point gets as many as its ranks fill; 0: none said"},
    {"repeats", HISS_INT, TOP(study.repeats), "3", 1, 1000, NULL, "runs of each point; 5 and more give fair intervals"},
    {"steps", HISS_INT, TOP(study.steps), "0", 0, 1e12, NULL, "steps of a run; 0: as epochs say"},
    {"epochs", HISS_INT, TOP(study.epochs), "0", 0, 1e9, NULL,
     "epochs of a run; 0: as the config says, or enough for the steps"},
    {"warmup", HISS_INT, TOP(study.warmup), "10", 0, 1e12, NULL, "first steps, which no figure counts"},
    {"window", HISS_INT, TOP(study.window), "0", 0, 1e9, NULL,
     "steps between measurements (train.log_every); 0: a twentieth of what follows the warm-up, or 10"},
    {"seed", HISS_INT, TOP(study.seed), "1", 0, 9007199254740992.0, NULL, "of the order of the runs"},
    {"limit", HISS_INT, TOP(study.limit), "0", 0, 1e9, NULL, "seconds after which a run counts as failed; 0: none"},
    {"keep", HISS_BOOL, TOP(study.keep), "false", 0, 0, NULL, "keep the checkpoints of finished runs"},
    {"launch", HISS_NODE, TOP(launch), NULL, 0, 0, NULL,
     "words before hiss train; RANKS, THREADS, NODES, RANKS_PER_NODE stand for numbers, HOSTS for the nodes of the "
     "point (default: mpirun on these nodes, each thread on a core of its own where there are enough)"},
};

#define QUALITY(field) offsetof(hiss_scale_quality, field)
static const hiss_row quality_rows[] = {
    {"metric", HISS_STRING, QUALITY(metric), NULL, 0, 0, NULL,
     "time to quality: a metric of metrics.jsonl, such as loss (default: no target)"},
    {"direction", HISS_CHOICE, QUALITY(above), "below", 0, 0, "below|above", "which side of value is good"},
    {"value", HISS_FLOAT, QUALITY(value), "0", 0, 0, NULL, "the target"},
};

static const hiss_row slurm_rows[] = {
    {"options", HISS_NODE, TOP(sbatch), NULL, 0, 0, NULL,
     "of every job of hiss scale submit: [--time=00:30:00, --partition=NAME]"},
    {"modules", HISS_NODE, TOP(modules), NULL, 0, 0, NULL, "loaded first in every job: [OpenMPI, OpenBLAS]"},
};

typedef struct config_form {
    const char *file;
    const hiss_yaml *set;
} config_form;
static const hiss_row config_rows[] = {
    {"file", HISS_PATH, offsetof(config_form, file), NULL, 0, 0, NULL, "config of hiss train"},
    {"set", HISS_NODE, offsetof(config_form, set), NULL, 0, 0, NULL,
     "changes to it: [train.lanes=8, dist.overlap=false]"},
};

const char *hiss_scale_kind_name(hiss_scale_kind kind) {
    static const char *const names[] = {"strong", "weak-batch", "weak-data"};
    return names[kind];
}

void hiss_study_help(FILE *stream) {
    hiss_rows_help(stream, "", top_rows, HISS_COUNT(top_rows));
    hiss_rows_help(stream, "configs.NAME", config_rows, HISS_COUNT(config_rows));
    hiss_rows_help(stream, "quality", quality_rows, HISS_COUNT(quality_rows));
    hiss_rows_help(stream, "slurm", slurm_rows, HISS_COUNT(slurm_rows));
}

/* ---- lists ---- */

static bool parse_number(const char *text, int64_t *out) {
    return hiss_integer_parse(text, out) && *out >= 1 && *out <= 999999;
}

/* values[wanted] from a list as long, or one number for all; node NULL: standard. wanted 0: as many as there are. */
static hiss_status read_numbers(hiss_arena *arena, const hiss_yaml *node, const char *key, int64_t standard, int wanted,
                                int64_t values[MOST_POINTS], int *count, hiss_error *err) {
    static const char expected[] = "numbers from 1 to 999999, as in [1, 2, 4]";
    const char **word = NULL;
    int n = 0;
    hiss_status s = hiss_yaml_words(arena, node, key, expected, &word, &n, err);
    if (s == HISS_OK && node && (n == 0 || n > MOST_POINTS)) {
        return hiss_yaml_refuse(node, key, "1 to 256 numbers", err);
    }
    for (int k = 0; k < n && s == HISS_OK; k++) {
        const hiss_yaml *item = node->kind == HISS_YAML_LIST ? node->first : node;
        for (int skip = 0; skip < k; skip++) {
            item = item->next;
        }
        if (!parse_number(word[k], &values[k])) {
            char where[HISS_PLACE], hint[HISS_HINT];
            s = hiss_fail(err, HISS_EUSER, "%s: %s: expected %s, found '%.80s'%s", hiss_yaml_place(item, where), key,
                          expected, word[k], hiss_number_hint(word[k], true, hint));
        }
    }
    if (s == HISS_OK && n > 1 && wanted > 0 && n != wanted) {
        char where[HISS_PLACE];
        return hiss_fail(err, HISS_EUSER,
                         "%s: %s has %d numbers, but there are %d of ranks; give one for each, or one for all",
                         hiss_yaml_place(node, where), key, n, wanted);
    }
    for (int k = n == 1 ? 1 : 0; s == HISS_OK && n <= 1 && k < wanted; k++) {
        values[k] = n == 1 ? values[0] : standard;
    }
    *count = wanted > 0 ? wanted : n;
    return s;
}

/* ---- sections ---- */

static hiss_status read_config(hiss_study *study, const hiss_yaml *node, hiss_scale_config *out, hiss_error *err) {
    char section[LONGEST_NAME + 16], where[HISS_PLACE];
    size_t length = strlen(node->key);
    for (const char *c = node->key; *c; c++) {
        length = isalnum((unsigned char)*c) || strchr("_-", *c) ? length : 0;
    }
    if (length == 0 || length > LONGEST_NAME) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: configs: expected a name of letters, digits, _ and -, at most %d, found '%.80s'",
                         hiss_yaml_place(node, where), LONGEST_NAME, node->key);
    }
    snprintf(section, sizeof section, "configs.%s", node->key);
    config_form f = {0};
    out->name = node->key;
    hiss_status s = hiss_config_section(study->text, section, config_rows, HISS_COUNT(config_rows), &f, err);
    if (s == HISS_OK && !f.file) {
        s = hiss_fail(err, HISS_EUSER, "%s: %s.file is missing; it must be a config of hiss train",
                      hiss_yaml_place(node, where), section);
    }
    out->file = f.file;
    s = s == HISS_OK ? hiss_yaml_words(study->arena, f.set, "set", "a list of key=value", &out->set, &out->nset, err)
                     : s;
    return s;
}

static hiss_status read_configs(hiss_study *study, hiss_error *err) {
    const hiss_yaml *node = hiss_config_node(study->text, "configs");
    if (!node || node->kind != HISS_YAML_MAP || !node->first) {
        hiss_fail_key(err, HISS_EUSER, "configs", "must be a section of NAME: {file: CONFIG, set: [key=value]}");
        return hiss_config_blame(study->text, HISS_EUSER, err);
    }
    study->configs = hiss_arena_alloc(study->arena, sizeof *study->configs * MOST_CONFIGS);
    hiss_status s = HISS_OK;
    for (const hiss_yaml *c = node->first; c && s == HISS_OK; c = c->next) {
        if (study->nconfigs == MOST_CONFIGS) {
            return hiss_yaml_refuse(c, "configs", "at most 32", err);
        }
        s = read_config(study, c, &study->configs[study->nconfigs++], err);
    }
    return s;
}

static void name_point(const hiss_scale_config *c, hiss_scale_point *p) {
    char nodes[32] = "";
    if (p->nodes > 0) {
        snprintf(nodes, sizeof nodes, "-n%" PRId64, p->nodes);
    }
    snprintf(p->name, sizeof p->name, "%s-%" PRId64 "x%" PRId64 "%s", c->name, p->ranks, p->threads, nodes);
}

static hiss_status read_points(form *f, hiss_error *err) {
    hiss_study *study = &f->study;
    int64_t ranks[MOST_POINTS], threads[MOST_POINTS], nodes[MOST_POINTS], least = INT64_MAX;
    int n = 0;
    if (!f->ranks) {
        return hiss_fail(err, HISS_EUSER, "%s: ranks is missing; it must be a list, as in [1, 2, 4]",
                         hiss_config_name(study->text));
    }
    hiss_status s = read_numbers(study->arena, f->ranks, "ranks", 0, 0, ranks, &n, err);
    s = s == HISS_OK ? read_numbers(study->arena, f->threads, "threads", 1, n, threads, &n, err) : s;
    s = s == HISS_OK ? read_numbers(study->arena, f->nodes, "nodes", 0, n, nodes, &n, err) : s;
    study->npoints = s == HISS_OK ? n * study->nconfigs : 0;
    study->points = hiss_arena_alloc(study->arena, sizeof *study->points * (size_t)(study->npoints + 1));
    for (int k = 0; k < study->npoints; k++) {
        const int i = k % n;
        if (!f->nodes && f->ranks_per_node > 0) {
            nodes[i] = (ranks[i] + f->ranks_per_node - 1) / f->ranks_per_node;
        }
        hiss_scale_point *p = &study->points[k];
        *p = (hiss_scale_point){.config = k / n,
                                .ranks = ranks[i],
                                .threads = threads[i],
                                .nodes = nodes[i],
                                .workers = ranks[i] * threads[i]};
        name_point(&study->configs[p->config], p);
        least = p->workers < least ? p->workers : least;
        for (int j = 0; j < k; j++) {
            if (strcmp(study->points[j].name, p->name) == 0) {
                return hiss_yaml_refuse(f->ranks, "ranks", "no point twice", err);
            }
        }
    }
    for (int k = 0; k < study->npoints; k++) {
        hiss_scale_point *p = &study->points[k];
        p->factor = p->workers / least;
        if (study->kind != HISS_SCALE_STRONG && p->workers % least != 0) {
            char where[HISS_PLACE];
            return hiss_fail(err, HISS_EUSER,
                             "%s: kind %s: %" PRId64 " ranks x %" PRId64
                             " threads is not a multiple of the least, %" PRId64 "; lanes could not grow in step",
                             hiss_yaml_place(f->ranks, where), hiss_scale_kind_name((hiss_scale_kind)study->kind),
                             p->ranks, p->threads, least);
        }
    }
    return s;
}

static hiss_status check(const hiss_study *study, hiss_error *err) {
    char where[HISS_WHERE];
    if (study->steps > 0 && study->warmup >= study->steps) {
        return hiss_fail(err, HISS_EUSER, "%s is %" PRId64 ", but steps only %" PRId64 ": nothing is left to measure",
                         hiss_config_where(study->text, "warmup", where), study->warmup, study->steps);
    }
    if (strchr(study->name, '\n')) {
        return hiss_fail(err, HISS_EUSER, "%s must be one line", hiss_config_where(study->text, "name", where));
    }
    return study->quality.metric || study->quality.value == 0
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s is given, but quality.metric is missing",
                           hiss_config_where(study->text, "quality.value", where));
}

static hiss_status read_study(hiss_study *out, hiss_error *err) {
    form f = {.study = *out};
    hiss_status s = hiss_config_section(out->text, "", top_rows, HISS_COUNT(top_rows), &f, err);
    s = s == HISS_OK
            ? hiss_config_section(out->text, "quality", quality_rows, HISS_COUNT(quality_rows), &f.study.quality, err)
            : s;
    s = s == HISS_OK ? hiss_config_section(out->text, "slurm", slurm_rows, HISS_COUNT(slurm_rows), &f, err) : s;
    s = s == HISS_OK ? read_configs(&f.study, err) : s;
    s = s == HISS_OK ? hiss_config_finish(out->text, err) : s;
    s = s == HISS_OK ? read_points(&f, err) : s;
    s = s == HISS_OK
            ? hiss_yaml_words(out->arena, f.launch, "launch", "a list of words", &f.study.launch, &f.study.nlaunch, err)
            : s;
    s = s == HISS_OK ? hiss_yaml_words(out->arena, f.sbatch, "slurm.options", "a list of options", &f.study.sbatch,
                                       &f.study.nsbatch, err)
                     : s;
    s = s == HISS_OK ? hiss_yaml_words(out->arena, f.modules, "slurm.modules", "a list of names", &f.study.modules,
                                       &f.study.nmodules, err)
                     : s;
    f.study.nlaunch = f.launch ? f.study.nlaunch : -1;
    *out = f.study;
    return s == HISS_OK ? check(out, err) : s;
}

hiss_status hiss_study_read(const char *path, const char *const *overrides, int noverrides, hiss_study *out,
                            hiss_error *err) {
    *out = (hiss_study){.arena = hiss_arena_create()};
    hiss_status s = hiss_config_read(path, &out->text, err);
    for (int i = 0; i < noverrides && s == HISS_OK; i++) {
        s = hiss_config_set(out->text, overrides[i], err);
    }
    return s == HISS_OK ? read_study(out, err) : s;
}

hiss_status hiss_study_parse(const char *name, const char *text, hiss_study *out, hiss_error *err) {
    *out = (hiss_study){.arena = hiss_arena_create()};
    hiss_status s = hiss_config_parse(name, text, &out->text, err);
    return s == HISS_OK ? read_study(out, err) : s;
}

void hiss_study_destroy(hiss_study *study) {
    hiss_config_destroy(study->text);
    hiss_arena_destroy(study->arena);
    *study = (hiss_study){0};
}
