/* hiss reproduce: run a recipe, a config of which is known what it reaches, and say whether it does so here.
 *
 * A recipe is an entry of a file of recipes. Its run is a comparison of one row and one seed (hiss compare), so it is
 * begun, interrupted, gone on with and checked beforehand as those are. What decides is whether each reading is within
 * its bounds; the same parameters to the last bit can be had on the same kernels and data alone, and are told besides. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/compare.h"
#include "cli/recipes.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/report.h"
#include "hiss/table.h"

enum { DOES_NOT_HOLD = 1, LONGEST_COLUMN = 40 };

typedef struct options {
    const char *recipes, *out;
    int64_t ranks, threads;
    int log;
    bool record, help;
} options;

static const hiss_row rows[] = {
    {"recipes", HISS_PATH, offsetof(options, recipes), "configs/recipes.yaml", 0, 0, NULL, "file of recipes"},
    {"out", HISS_PATH, offsetof(options, out), NULL, 0, 0, NULL,
     "directory of the run and its table (default: runs/reproduce-NAME)"},
    {"ranks", HISS_INT, offsetof(options, ranks), "1", 1, 999999, NULL, "ranks; they do not change the readings"},
    {"threads", HISS_INT, offsetof(options, threads), "1", 1, 1024, NULL, "threads of each rank"},
    {"record", HISS_BOOL, offsetof(options, record), "false", 0, 0, NULL,
     "print the recipe with what it reaches here, to be put into the file"},
    {"log", HISS_CHOICE, offsetof(options, log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: hiss reproduce [NAME] [OPTIONS]\n\n"
        "Train and judge a recipe, and say whether it reaches here what is recorded of it. Without NAME: list the\n"
        "recipes. The same command goes on with a run that was interrupted. Exit code 1 when a reading is out of its\n"
        "bounds.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
    printf("\nKeys of the file of recipes:\n");
    recipes_help(stdout);
}

static hiss_status list_recipes(const options *o, hiss_error *err) {
    static const char *const head[] = {"recipe", "reading", "recorded", "within", "training s", "parameters"};
    reproduction r = {.arena = hiss_arena_create()};
    hiss_report_table table;
    hiss_report_begin(&table, r.arena, "Recipes", NULL, 2, HISS_COUNT(head), head, RECIPES_MOST * RECIPE_READINGS);
    const hiss_status s = recipes_read(&r, o->recipes, NULL, &table, err);
    if (s == HISS_OK) {
        hiss_report_text(stdout, &table);
    }
    hiss_config_destroy(r.text);
    hiss_arena_destroy(r.arena);
    return s;
}

/* ---- the run ---- */

/* The reading, as far as a column may be called so, in arena. */
static const char *column_name(const reproduction *r, int k) {
    char *name = hiss_arena_format(r->arena, "%s", r->bound[k].reading);
    for (char *c = strchr(name, '.'); c; c = strchr(c, '.')) {
        *c = '/';
    }
    return strlen(name) <= LONGEST_COLUMN ? name : hiss_arena_format(r->arena, "reading %d", k + 1);
}

/* The recipe as a study of one row and one seed. */
static hiss_status write_study(const reproduction *r, const options *o, const char *path, hiss_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    fputs("name: ", out);
    hiss_yaml_write_text(out, r->recipe.name);
    fprintf(out, "\nseeds: [%" PRId64 "]\nranks: %" PRId64 "\nthreads: %" PRId64 "\nrows:\n  recipe:\n    config: ",
            r->recipe.seed, o->ranks, o->threads);
    hiss_yaml_write_text(out, r->recipe.config);
    if (r->recipe.set) {
        fputs("\n    set: ", out);
        hiss_yaml_write(out, r->recipe.set);
    }
    fputs("\ncolumns:\n", out);
    for (int k = 0; k < r->bounds; k++) {
        fprintf(out, "  %s: {reading: ", column_name(r, k));
        hiss_yaml_write_text(out, r->bound[k].reading);
        fputs("}\n", out);
    }
    fclose(out);
    const hiss_status s = hiss_file_write_text(path, text, err);
    free(text);
    return s;
}

static void print_record(const reproduction *r, const hiss_compare_run *run) {
    char processor[256];
    cli_processor_name(processor, sizeof processor);
    printf("%s:\n  config: %s\n", r->recipe.name, r->recipe.config);
    if (r->recipe.set) {
        fputs("  set: ", stdout);
        hiss_yaml_write(stdout, r->recipe.set);
        fputc('\n', stdout);
    }
    printf("  seed: %" PRId64 "\n  data: ", r->recipe.seed);
    hiss_yaml_write_text(stdout, r->recipe.data);
    fputs("\n  expect:\n", stdout);
    for (int k = 0; k < r->bounds; k++) {
        printf("    %s: {value: %.6g, within: %g}\n", r->bound[k].reading, run->value[k], r->bound[k].within);
    }
    printf("  recorded:\n    parameters_sha256: %s\n    kernels: ", run->parameters);
    hiss_yaml_write_text(stdout, run->kernels);
    fputs("\n    data: ", stdout);
    hiss_yaml_write_text(stdout, run->data);
    printf("\n    seconds: %.3g\n    processor: ", run->seconds);
    hiss_yaml_write_text(stdout, processor);
    fputc('\n', stdout);
}

/* What became of the recorded bits. */
static const char *judge_bits(const reproduction *r, const hiss_compare_run *run) {
    const recipe *p = &r->recipe;
    return !*p->parameters                               ? "no parameters are recorded"
           : strcmp(p->parameters, run->parameters) == 0 ? "the parameters are those recorded, to the last bit"
           : strcmp(p->data_sum, run->data) != 0
               ? hiss_arena_format(r->arena, "the data are others (recorded %s, here %s)", p->data_sum, run->data)
           : strcmp(p->kernels, run->kernels) != 0
               ? hiss_arena_format(r->arena, "other kernels have other bits (recorded %s, here %s)", p->kernels,
                                   run->kernels)
               : "the parameters are others, of the same kernels and data: config, set or seed of the recipe, or hiss "
                 "itself, have changed since the recording";
}

/* False: a reading is out of its bounds. */
static bool judge(const reproduction *r, const hiss_compare_run *run) {
    static const char *const head[] = {"reading", "recorded", "within", "found", ""};
    hiss_report_table t;
    bool all = true;
    hiss_report_begin(&t, r->arena, r->recipe.name, NULL, 1, HISS_COUNT(head), head, r->bounds);
    for (int k = 0; k < r->bounds; k++) {
        const bound *b = &r->bound[k];
        const bool known = isfinite(b->value), holds = known && fabs(run->value[k] - b->value) <= b->within;
        const double number[] = {b->value, b->within, run->value[k]};
        all = all && (holds || !known);
        hiss_report_put(&t, b->reading);
        for (int i = 0; i < HISS_COUNT(number); i++) {
            hiss_report_put(&t, recipes_number(r, number[i]));
        }
        hiss_report_put(&t, !known ? "not recorded" : holds ? "holds" : "DOES NOT HOLD");
    }
    hiss_report_text(stdout, &t);
    printf("bits: %s\n", judge_bits(r, run));
    return all;
}

static hiss_status conclude(const reproduction *r, const options *o, const char *study_path, const char *out,
                            bool *holds, hiss_error *err) {
    hiss_comparison study = {0};
    hiss_compare_run run;
    hiss_status s = hiss_comparison_read(study_path, NULL, 0, &study, err);
    if (s == HISS_OK) {
        hiss_compare_run_read(&study, out, 0, r->arena, &run);
        if (o->record) {
            print_record(r, &run);
        } else {
            *holds = judge(r, &run);
        }
    }
    hiss_comparison_destroy(&study);
    return s;
}

/* A recipe that was refused leaves the folder as it was. before: what the file of the study held; NULL: there was none. */
static void put_back(const char *out, const char *study, const char *before, hiss_arena *arena) {
    hiss_error none;
    if (before) {
        hiss_file_write_text(study, before, &none);
    } else if (!hiss_file_exists(hiss_arena_format(arena, "%s/runs", out))) {
        unlink(study);
        rmdir(out); /* when nothing else is in it */
    }
}

static hiss_status act(const options *o, const hiss_arguments *rest, bool *holds, hiss_error *err) {
    if (rest->npositional == 0) {
        return list_recipes(o, err);
    }
    reproduction r = {.arena = hiss_arena_create()};
    hiss_status s = recipes_read(&r, o->recipes, rest->positional[0], NULL, err);
    if (s == HISS_OK) {
        const char *out = o->out ? o->out : hiss_arena_format(r.arena, "runs/reproduce-%s", r.recipe.name);
        const char *study = hiss_arena_format(r.arena, "%s/recipe.yaml", out);
        const compare_request request = {.path = study, .out = out};
        size_t size = 0;
        unsigned char *before = hiss_file_bytes(study, &size);
        s = hiss_directories_make(out, err);
        s = s == HISS_OK ? write_study(&r, o, study, err) : s;
        s = s == HISS_OK ? compare_run(&request, err) : s;
        if (s == HISS_EUSER) {
            put_back(out, study, (const char *)before, r.arena);
        }
        hiss_free(before);
        s = s == HISS_OK ? conclude(&r, o, study, out, holds, err) : s;
    }
    hiss_config_destroy(r.text);
    hiss_arena_destroy(r.arena);
    return s;
}

int cmd_reproduce(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char *words[1];
    bool holds = true;
    hiss_arguments rest = {.positional = words, .max_positional = 1};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
        return 0;
    }
    hiss_log_setup((hiss_log_level)o.log, 0);
    s = s == HISS_OK ? act(&o, &rest, &holds, &err) : s;
    return s != HISS_OK ? cli_fail(NULL, &err) : holds ? 0 : DOES_NOT_HOLD;
}
