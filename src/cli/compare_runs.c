/* Runs beside each other: how each ended, the keys in which their configs differ, their last metrics, the numbers of their
 * evaluations, and each logged quantity over epochs with a line for each run. What a run has not, for it is of another
 * method or version, is a "-". */
#include "cli/compare_runs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runs.h"
#include "hiss/compare.h"
#include "hiss/eval.h"
#include "hiss/export.h"
#include "hiss/file.h"
#include "hiss/table.h"

enum { RUNS_TABLE, KEYS_TABLE, METRICS_TABLE, READINGS_TABLE, TABLES };
static const char *const sections[TABLES] = {"run", "config", "metric", "evaluation"};

typedef struct pile { /* names in the order in which they first appear */
    hiss_arena *arena;
    const char **name;
    int count, room;
} pile;

typedef struct side_by_side {
    hiss_arena *arena;
    runs_run *run; /* [count] that have ended */
    int count;
    const char **left_out; /* [nleft] why, a line each */
    int nleft;
    hiss_report_table table[TABLES], exact[TABLES]; /* exact: all digits, for CSV */
} side_by_side;

static void add(pile *p, const char *name) {
    for (int k = 0; k < p->count; k++) {
        if (strcmp(p->name[k], name) == 0) {
            return;
        }
    }
    if (p->count == p->room) {
        const char **more = hiss_arena_alloc(p->arena, sizeof *more * (size_t)(2 * p->room + 64));
        if (p->count > 0) {
            memcpy(more, p->name, sizeof *more * (size_t)p->count);
        }
        p->name = more;
        p->room = 2 * p->room + 64;
    }
    p->name[p->count++] = hiss_arena_text(p->arena, name);
}

/* ---- cells ---- */

/* A key of a config by its path, such as optim.lr or train.lr_factors.conv1. */
static const char *config_value(hiss_arena *arena, const runs_run *run, const char *path) {
    const hiss_yaml *node = run->config;
    char *words = hiss_arena_text(arena, path);
    for (char *rest, *word = strtok_r(words, ".", &rest); word && node; word = strtok_r(NULL, ".", &rest)) {
        node = hiss_yaml_get(node, word);
    }
    return node ? runs_text(arena, node) : "-";
}

static void add_keys(pile *p, const hiss_yaml *map, const char *prefix) {
    for (const hiss_yaml *node = map->first; node; node = node->next) {
        const char *name = hiss_arena_format(p->arena, "%s%s%s", prefix, *prefix ? "." : "", node->key);
        if (node->kind == HISS_YAML_MAP && node->first) {
            add_keys(p, node, name);
        } else {
            add(p, name);
        }
    }
}

static bool differs(const side_by_side *v, const char *path) {
    const char *first = config_value(v->arena, &v->run[0], path);
    for (int k = 1; k < v->count; k++) {
        if (strcmp(first, config_value(v->arena, &v->run[k], path)) != 0) {
            return true;
        }
    }
    return false;
}

static double last_metric(const runs_run *run, const char *name) {
    const double *value = hiss_metrics_column(&run->metrics, name);
    double last = (double)NAN;
    for (int64_t i = 0; value && i < run->metrics.lines; i++) {
        last = isfinite(value[i]) ? value[i] : last;
    }
    return last;
}

/* "trained/conv3/linear.percent": split where hiss_reading_parse would. */
static const char *reading_value(hiss_arena *arena, const runs_run *run, const char *text, bool exact) {
    hiss_reading r;
    hiss_number n;
    char cell[HISS_FORM_TEXT];
    if (!run->evaluation || !hiss_reading_parse(arena, text, &r) ||
        !hiss_evaluation_number(run->evaluation, r.subject, r.judgement, r.number, &n)) {
        return "-";
    }
    if (exact) {
        return runs_number(arena, 9, n.value);
    }
    hiss_form_text(n.form, n.value, cell);
    return hiss_arena_text(arena, cell);
}

static void add_readings(pile *p, const hiss_evaluation *e) {
    const char **subject, **judgement, **number;
    const int subjects = runs_names(p->arena, e, NULL, NULL, &subject);
    for (int s = 0; s < subjects; s++) {
        const int judgements = runs_names(p->arena, e, subject[s], NULL, &judgement);
        for (int j = 0; j < judgements; j++) {
            const int numbers = runs_names(p->arena, e, subject[s], judgement[j], &number);
            for (int k = 0; k < numbers; k++) {
                hiss_number n;
                if (hiss_evaluation_number(e, subject[s], judgement[j], number[k], &n) && n.group) {
                    add(p, hiss_arena_format(p->arena, "%s/%s.%s", subject[s], judgement[j], number[k]));
                }
            }
        }
    }
}

/* ---- tables ---- */

static void begin(side_by_side *v, hiss_report_table *t, const char *title, const char *first, int rows) {
    const char **head = hiss_arena_alloc(v->arena, sizeof *head * (size_t)(v->count + 1));
    head[0] = first;
    for (int k = 0; k < v->count; k++) {
        head[k + 1] = v->run[k].name;
    }
    hiss_report_begin(t, v->arena, title, NULL, 1, v->count + 1, head, rows);
}

/* Facts of summary.yaml, by section and key. */
static const char *const facts[][2] = {{NULL, "steps"},
                                       {NULL, "epochs"},
                                       {NULL, "parameters"},
                                       {NULL, "parameters_sha256"},
                                       {NULL, "assignment_sha256"},
                                       {NULL, "seconds"},
                                       {"machine", "ranks"},
                                       {"identity", "version"},
                                       {"identity", "kernels"}};

static const char *fact(hiss_arena *arena, const runs_run *run, int k, bool exact) {
    const char *text =
        hiss_yaml_text(facts[k][0] ? hiss_yaml_get(run->summary, facts[k][0]) : run->summary, facts[k][1]);
    return !*text ? "-" : !exact && strstr(facts[k][1], "sha256") ? hiss_arena_format(arena, "%.8s", text) : text;
}

static void make_ends(side_by_side *v, hiss_report_table *t, bool exact) {
    begin(v, t, "Runs", "run", HISS_COUNT(facts) + 3);
    hiss_report_put(t, "objective");
    for (int k = 0; k < v->count; k++) {
        hiss_report_put(t, hiss_yaml_text(v->run[k].config, "objective"));
    }
    hiss_report_put(t, "state");
    for (int k = 0; k < v->count; k++) {
        hiss_report_put(t, v->run[k].where);
    }
    for (int f = 0; f < HISS_COUNT(facts); f++) {
        hiss_report_put(t, facts[f][1]);
        for (int k = 0; k < v->count; k++) {
            hiss_report_put(t, fact(v->arena, &v->run[k], f, exact));
        }
    }
    hiss_report_put(t, "when");
    for (int k = 0; k < v->count; k++) {
        hiss_report_put(t, v->run[k].when);
    }
}

static void make_keys(side_by_side *v, hiss_report_table *t) {
    pile p = {.arena = v->arena};
    for (int k = 0; k < v->count; k++) {
        add_keys(&p, v->run[k].config, "");
    }
    begin(v, t, "Config, where it differs", "key", p.count);
    for (int i = 0; i < p.count; i++) {
        if (differs(v, p.name[i])) {
            hiss_report_put(t, p.name[i]);
            for (int k = 0; k < v->count; k++) {
                hiss_report_put(t, config_value(v->arena, &v->run[k], p.name[i]));
            }
        }
    }
}

/* What hiss draws as curves, by name. */
static pile metric_names(const side_by_side *v) {
    pile p = {.arena = v->arena};
    hiss_curves curves;
    for (int k = 0; k < v->count; k++) {
        if (v->run[k].metrics.lines > 0 &&
            cli_read_curves(v->run[k].path, v->arena, &curves, &(hiss_error){0}) == HISS_OK) {
            for (int i = 0; i < curves.curves; i++) {
                add(&p, curves.curve[i].name);
            }
        }
    }
    return p;
}

static void make_metrics(side_by_side *v, hiss_report_table *t, bool exact) {
    const pile p = metric_names(v);
    begin(v, t, "Metrics, as last logged", "metric", p.count);
    for (int i = 0; i < p.count; i++) {
        hiss_report_put(t, p.name[i]);
        for (int k = 0; k < v->count; k++) {
            hiss_report_put(t, runs_number(v->arena, exact ? 9 : 4, last_metric(&v->run[k], p.name[i])));
        }
    }
}

static void make_readings(side_by_side *v, hiss_report_table *t, bool exact) {
    pile p = {.arena = v->arena};
    for (int k = 0; k < v->count; k++) {
        if (v->run[k].evaluation) {
            add_readings(&p, v->run[k].evaluation);
        }
    }
    begin(v, t, "Evaluation", "reading", p.count);
    for (int i = 0; i < p.count; i++) {
        hiss_report_put(t, p.name[i]);
        for (int k = 0; k < v->count; k++) {
            hiss_report_put(t, reading_value(v->arena, &v->run[k], p.name[i], exact));
        }
    }
}

/* ---- charts ---- */

/* A line for each run that has logged it. */
static void render_metric(FILE *out, const side_by_side *v, const char *name) {
    hiss_series *series = hiss_arena_alloc(v->arena, sizeof *series * (size_t)v->count);
    int n = 0;
    for (int k = 0; k < v->count; k++) {
        hiss_curves c;
        if (v->run[k].metrics.lines == 0 ||
            cli_read_curves(v->run[k].path, v->arena, &c, &(hiss_error){0}) != HISS_OK) {
            continue;
        }
        for (int i = 0; i < c.curves; i++) {
            if (strcmp(c.curve[i].name, name) == 0) {
                series[n++] = (hiss_series){.name = v->run[k].name,
                                            .count = c.count,
                                            .x = c.x,
                                            .y = c.curve[i].y,
                                            .stroke = (hiss_stroke)(k / 7 % HISS_STROKES),
                                            .colour = 1 + k % 7,
                                            .dots = c.count <= 12};
            }
        }
    }
    char *title = hiss_arena_text(v->arena, name);
    for (char *at = title; (at = strchr(at, '_')) != NULL;) {
        *at = ' ';
    }
    const hiss_chart chart = {.title = title, .x_label = "epoch", .series = n, .serie = series};
    hiss_charts_render(out, 1, &chart);
}

/* ---- pages ---- */

static void print(FILE *out, const side_by_side *v) {
    for (int t = 0; t < TABLES; t++) {
        if (v->table[t].rows > 0) {
            hiss_report_text(out, &v->table[t]);
        }
    }
    for (int k = 0; k < v->nleft; k++) {
        fprintf(out, "%s%s\n", k ? "" : "\n", v->left_out[k]);
    }
}

static void write_markdown(FILE *out, const void *user) {
    const side_by_side *v = user;
    fputs("# Runs beside each other\n", out);
    for (int t = 0; t < TABLES; t++) {
        if (v->table[t].rows > 0) {
            fprintf(out, "\n## %s\n\n", v->table[t].title);
            hiss_report_markdown(out, &v->table[t]);
        }
    }
    for (int k = 0; k < v->nleft; k++) {
        fprintf(out, "\n%s\n", v->left_out[k]);
    }
}

/* One file: a first column says which table a row is of. */
static void write_csv(FILE *out, const void *user) {
    const side_by_side *v = user;
    fputs("\"section\",\"name\"", out);
    for (int k = 0; k < v->count; k++) {
        fputc(',', out);
        hiss_csv_text(out, v->run[k].name);
    }
    fputc('\n', out);
    for (int t = 0; t < TABLES; t++) {
        const hiss_report_table *table = &v->exact[t];
        for (int r = 0; r < table->rows; r++) {
            hiss_csv_text(out, sections[t]);
            for (int c = 0; c < table->columns; c++) {
                const char *cell = table->cell[r * table->columns + c];
                fputc(',', out);
                if (strcmp(cell, "-") != 0) {
                    hiss_csv_text(out, cell);
                }
            }
            fputc('\n', out);
        }
    }
}

static void write_page(FILE *out, const void *user) {
    const side_by_side *v = user;
    const pile p = metric_names(v);
    hiss_report_page_begin(out, "hiss compare", "Runs beside each other");
    for (int t = 0; t < TABLES; t++) {
        if (v->table[t].rows > 0) {
            hiss_report_html(out, &v->table[t]);
        }
    }
    for (int k = 0; k < v->nleft; k++) {
        fputs("<p>", out);
        hiss_text_write_escaped(out, v->left_out[k]);
        fputs("</p>\n", out);
    }
    fputs(p.count > 0 ? "<h2>Curves</h2>\n" : "", out);
    for (int i = 0; i < p.count; i++) {
        render_metric(out, v, p.name[i]);
    }
    hiss_report_page_end(out);
}

static hiss_status write_files(const side_by_side *v, const char *out, hiss_error *err) {
    static const struct {
        const char *name;
        void (*write)(FILE *, const void *);
    } files[] = {{"table.md", write_markdown}, {"table.csv", write_csv}, {"table.html", write_page}};
    if (hiss_file_exists(hiss_arena_format(v->arena, "%s/study.yaml", out))) {
        return hiss_fail(err, HISS_EUSER, "--out %s holds a study, whose tables these would replace; give another one",
                         out);
    }
    hiss_status s = cli_expect_no_run(out, err);
    s = s == HISS_OK ? hiss_directories_make(out, err) : s;
    for (int k = 0; k < HISS_COUNT(files) && s == HISS_OK; k++) {
        s = hiss_file_write_by(hiss_arena_format(v->arena, "%s/%s", out, files[k].name), files[k].write, v, err);
    }
    return s;
}

/* ---- the command ---- */

/* How many characters all paths begin with that name one folder. */
static size_t common_folder(const char *const *path, int count) {
    size_t same = strlen(path[0]);
    for (int k = 1; k < count; k++) {
        size_t n = 0;
        while (n < same && path[k][n] == path[0][n]) {
            n++;
        }
        same = n;
    }
    while (same > 0 && path[0][same - 1] != '/') {
        same--;
    }
    return count > 1 ? same : 0;
}

static void take_run(side_by_side *v, const char *path, const char *name) {
    runs_run *run = &v->run[v->count];
    runs_read(v->arena, name, path, run);
    if (run->state == RUNS_DONE) {
        v->count++;
        if (run->why) {
            v->left_out[v->nleft++] = hiss_arena_format(v->arena, "%s: %s", path, run->why);
        }
        return;
    }
    v->left_out[v->nleft++] = hiss_arena_format(v->arena, "%s is left out: %s", path, run->why ? run->why : run->where);
    runs_close(run);
}

hiss_status compare_runs(const char *const *path, int count, const char *out, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    side_by_side v = {.arena = arena,
                      .run = hiss_arena_alloc(arena, sizeof *v.run * (size_t)count),
                      .left_out = hiss_arena_alloc(arena, sizeof *v.left_out * (size_t)count)};
    const size_t skip = common_folder(path, count);
    hiss_status s = HISS_OK;
    for (int k = 0; k < count; k++) {
        take_run(&v, path[k], path[k][skip] ? path[k] + skip : path[k]);
    }
    if (v.count == 0) {
        s = hiss_fail(err, HISS_EUSER, "none of these runs has ended: %s", v.left_out[0]);
    }
    if (s == HISS_OK) {
        for (int exact = 0; exact < 2; exact++) {
            hiss_report_table *t = exact ? v.exact : v.table;
            make_ends(&v, &t[RUNS_TABLE], exact);
            make_keys(&v, &t[KEYS_TABLE]);
            make_metrics(&v, &t[METRICS_TABLE], exact);
            make_readings(&v, &t[READINGS_TABLE], exact);
        }
        s = out ? write_files(&v, out, err) : HISS_OK;
    }
    if (s == HISS_OK) {
        print(stdout, &v);
        if (out) {
            printf("\n%s/table.html\n", out);
        }
    }
    for (int k = 0; k < v.count; k++) {
        runs_close(&v.run[k]);
    }
    hiss_arena_destroy(arena);
    return s;
}
