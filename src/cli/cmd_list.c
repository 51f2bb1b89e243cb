/* hiss list */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/runs.h"
#include "hiss/compare.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/run_directory.h"

enum { FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_CSV };

typedef struct options {
    const char *readings;
    int format;
    bool help;
} options;

static const hiss_row rows[] = {
    {"readings", HISS_STRING, offsetof(options, readings), NULL, 0, 0, NULL,
     "numbers of eval.json in place of the main ones, such as trained/conv3/linear.percent,trained/conv3/knn.cosine.5"},
    {"format", HISS_CHOICE, offsetof(options, format), "text", 0, 0, "text|markdown|csv", "how to print the table"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss list DIR [OPTIONS]\n\n"
           "Print a table of the runs in DIR and below it: what each has learnt and how far it is, the last loss, the "
           "main\n"
           "numbers of its evaluation, each at the layer where it is highest, and the hash of its parameters. A run "
           "that is\n"
           "damaged keeps its line, and the reason stands under the table. Links to folders are not followed.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

/* ---- finding runs ---- */

typedef struct found {
    hiss_arena *arena; /* of paths */
    const char **path;
    int count, room;
} found;

static void add(found *f, const char *path) {
    if (f->count == f->room) {
        const char **more = hiss_arena_alloc(f->arena, sizeof *more * (size_t)(2 * f->room + 16));
        if (f->count > 0) {
            memcpy(more, f->path, sizeof *more * (size_t)f->count);
        }
        f->path = more;
        f->room = 2 * f->room + 16;
    }
    f->path[f->count++] = hiss_arena_text(f->arena, path);
}

/* A run without its config is one that was damaged. */
static bool is_run(const char *path) {
    return runs_is(path) || (hiss_run_directory_has(path, "summary.yaml") && hiss_run_directory_has(path, "ckpt"));
}

static bool is_folder(const char *path) {
    struct stat what;
    return lstat(path, &what) == 0 && S_ISDIR(what.st_mode);
}

/* By name. A run has no runs in it, and files that begin with a dot are none. */
static void walk(found *f, const char *path) {
    struct dirent **entry = NULL;
    if (is_run(path)) {
        add(f, path);
        return;
    }
    const int n = scandir(path, &entry, NULL, alphasort);
    if (n < 0) {
        hiss_warn("%s cannot be listed; check its permissions", path);
    }
    for (int k = 0; k < n; k++) {
        char *below = NULL;
        size_t size = 0;
        FILE *text = hiss_text_open(&below, &size);
        fprintf(text, "%s/%s", path, entry[k]->d_name);
        fclose(text);
        if (*entry[k]->d_name != '.' && is_folder(below)) {
            walk(f, below);
        }
        free(below);
        free(entry[k]);
    }
    free(entry);
}

/* ---- columns of readings ---- */

typedef struct columns {
    hiss_arena *arena;
    int count, room;
    const char **head;          /* [count] "linear.percent", or the reading that was asked for */
    const char **judgement;     /* [count] */
    const char **number;        /* [count] */
    const hiss_reading *wanted; /* [count] NULL: the main numbers */
} columns;

static void find_column(columns *c, const char *judgement, const char *number) {
    for (int k = 0; k < c->count; k++) {
        if (strcmp(c->judgement[k], judgement) == 0 && strcmp(c->number[k], number) == 0) {
            return;
        }
    }
    if (c->count < c->room) {
        c->head[c->count] = hiss_arena_format(c->arena, "%s.%s", judgement, number);
        c->judgement[c->count] = hiss_arena_text(c->arena, judgement);
        c->number[c->count++] = hiss_arena_text(c->arena, number);
    }
}

static bool is_trained(const char *subject) {
    static const char name[] = "trained";
    const size_t length = sizeof name - 1;
    return strncmp(subject, name, length) == 0 && (subject[length] == '/' || !subject[length]);
}

static void find_columns(columns *c, const hiss_evaluation *e) {
    const char **subject, **judgement, **number;
    hiss_number n;
    const int subjects = runs_names(c->arena, e, NULL, NULL, &subject);
    for (int s = 0; s < subjects; s++) {
        const int judgements = is_trained(subject[s]) ? runs_names(c->arena, e, subject[s], NULL, &judgement) : 0;
        for (int j = 0; j < judgements; j++) {
            const int numbers = runs_names(c->arena, e, subject[s], judgement[j], &number);
            for (int k = 0; k < numbers; k++) {
                if (hiss_evaluation_number(e, subject[s], judgement[j], number[k], &n) && n.main) {
                    find_column(c, judgement[j], number[k]);
                }
            }
        }
    }
}

static const char *show(hiss_arena *arena, const hiss_number *n) {
    char text[HISS_FORM_TEXT];
    hiss_form_text(n->form, n->value, text);
    return hiss_arena_text(arena, text);
}

/* Of the trained network's layers the one where it is highest. */
static const char *show_main(const columns *c, int column, const hiss_evaluation *e) {
    const char **subject, *layer = NULL;
    hiss_number n, best = {.value = (double)NAN};
    const int subjects = runs_names(c->arena, e, NULL, NULL, &subject);
    for (int s = 0; s < subjects; s++) {
        if (is_trained(subject[s]) &&
            hiss_evaluation_number(e, subject[s], c->judgement[column], c->number[column], &n) && isfinite(n.value) &&
            !(n.value <= best.value)) {
            best = n;
            layer = strchr(subject[s], '/');
        }
    }
    return isnan(best.value) ? "-"
           : layer           ? hiss_arena_format(c->arena, "%s (%s)", show(c->arena, &best), layer + 1)
                             : show(c->arena, &best);
}

static const char *show_column(const columns *c, int column, const hiss_evaluation *e) {
    hiss_number n;
    if (!e) {
        return "-";
    }
    if (!c->wanted) {
        return show_main(c, column, e);
    }
    const hiss_reading *r = &c->wanted[column];
    return hiss_evaluation_number(e, r->subject, r->judgement, r->number, &n) ? show(c->arena, &n) : "-";
}

static hiss_status take_wanted(columns *c, const char *readings, hiss_error *err) {
    hiss_reading *wanted = hiss_arena_alloc(c->arena, sizeof *wanted * (size_t)c->room);
    char *list = hiss_arena_text(c->arena, readings);
    for (char *rest, *text = strtok_r(list, ", ", &rest); text; text = strtok_r(NULL, ", ", &rest)) {
        if (c->count == c->room) {
            return hiss_fail(err, HISS_EUSER, "--readings: at most %d of them", c->room);
        }
        if (!hiss_reading_parse(c->arena, text, &wanted[c->count])) {
            return hiss_fail(err, HISS_EUSER,
                             "--readings: expected SUBJECT/JUDGEMENT.NUMBER, such as trained/conv3/linear.percent, "
                             "found '%.200s'",
                             text);
        }
        c->head[c->count++] = text;
    }
    c->wanted = wanted;
    return HISS_OK;
}

static columns no_columns(hiss_arena *arena, int room) {
    columns c = {.arena = arena, .room = room};
    c.head = hiss_arena_alloc(arena, sizeof *c.head * (size_t)room);
    c.judgement = hiss_arena_alloc(arena, sizeof *c.judgement * (size_t)room);
    c.number = hiss_arena_alloc(arena, sizeof *c.number * (size_t)room);
    return c;
}

/* ---- the table ---- */

enum { COLUMNS = 32, FIXED = 8 };

static void make_table(hiss_report_table *t, hiss_arena *arena, const columns *c, const runs_run *run, int count,
                       bool whole) {
    static const char *const first[] = {"run", "objective", "state", "epochs", "loss"}, *const last[] = {"parameters",
                                                                                                         "when"};
    const char *head[COLUMNS + FIXED];
    int n = 0;
    for (int k = 0; k < HISS_COUNT(first); k++) {
        head[n++] = first[k];
    }
    for (int k = 0; k < c->count; k++) {
        head[n++] = c->head[k];
    }
    for (int k = 0; k < HISS_COUNT(last); k++) {
        head[n++] = last[k];
    }
    hiss_report_begin(t, arena, count == 1 ? "1 run" : hiss_arena_format(arena, "%d runs", count), NULL, 3, n, head,
                      count);
    for (int k = 0; k < count; k++) {
        const char *objective = hiss_yaml_text(run[k].config, "objective");
        hiss_report_put(t, run[k].name);
        hiss_report_put(t, *objective ? objective : "-");
        hiss_report_put(t, run[k].where);
        hiss_report_put(t, runs_epochs(arena, &run[k]));
        hiss_report_put(t, runs_number(arena, whole ? 9 : 4, run[k].loss));
        for (int i = 0; i < c->count; i++) {
            hiss_report_put(t, show_column(c, i, run[k].evaluation));
        }
        hiss_report_put(t, *run[k].parameters
                               ? hiss_arena_format(arena, "%.*s", whole ? HISS_HASH_TEXT : 8, run[k].parameters)
                               : "-");
        hiss_report_put(t, run[k].when);
    }
}

static void print(const hiss_report_table *t, const runs_run *run, int format) {
    if (format == FORMAT_CSV) {
        runs_csv(stdout, t);
        return;
    }
    (format == FORMAT_TEXT ? hiss_report_text : hiss_report_markdown)(stdout, t);
    for (int k = 0; k < t->rows; k++) {
        if (run[k].why) {
            printf("%s%s: %s\n", format == FORMAT_TEXT ? "" : "\n", run[k].name, run[k].why);
        }
    }
}

/* "runs/" and "runs" give the same names. */
static const char *without_slashes(hiss_arena *arena, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return hiss_arena_format(arena, "%.*s", (int)length, path);
}

static hiss_status list(const void *options_, const char *path, hiss_error *err) {
    const options *o = options_;
    hiss_arena *arena = hiss_arena_create();
    const char *directory = without_slashes(arena, path);
    hiss_report_table table;
    found f = {.arena = arena};
    columns c = no_columns(arena, COLUMNS);
    hiss_log_setup(HISS_LOG_WARNING, 0);
    hiss_status s = hiss_file_expect(directory, "the folder", "give one that holds runs, such as runs", err);
    s = s == HISS_OK && o->readings ? take_wanted(&c, o->readings, err) : s;
    if (s == HISS_OK) {
        walk(&f, directory);
    }
    if (s == HISS_OK && f.count == 0) {
        s = hiss_fail(err, HISS_EUSER, "%s: there is no run in it, nor below it; hiss train makes runs", directory);
    }
    runs_run *run = hiss_arena_alloc(arena, sizeof *run * (size_t)(f.count + 1));
    const size_t skip = strlen(directory) + 1;
    for (int k = 0; k < f.count && s == HISS_OK; k++) {
        runs_read(arena, strlen(f.path[k]) > skip ? f.path[k] + skip : f.path[k], f.path[k], &run[k]);
        if (run[k].evaluation && !o->readings) {
            find_columns(&c, run[k].evaluation);
        }
    }
    if (s == HISS_OK) {
        make_table(&table, arena, &c, run, f.count, o->format == FORMAT_CSV);
        print(&table, run, o->format);
    }
    for (int k = 0; k < f.count; k++) {
        runs_close(&run[k]);
    }
    hiss_arena_destroy(arena);
    return s;
}

int cmd_list(int argc, char **argv) {
    options o = {0};
    const cli_look look = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .print_help = help,
                           .missing = "list needs a folder with runs: hiss list runs",
                           .run = list};
    return cli_look_at(&look, argc, argv);
}
