/* hiss watch: the curves of a run as text, again and again while it goes on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "hiss/file.h"
#include "hiss/metrics.h"
#include "hiss/run_directory.h"

typedef struct options {
    const char *names;
    double every;
    bool help;
} options;

static const hiss_row rows[] = {
    {"names", HISS_STRING, offsetof(options, names), NULL, 1, 0, NULL,
     "numbers to show, with commas: loss,probe/z/knn (default: all)"},
    {"every", HISS_FLOAT, offsetof(options, every), "2", 0.1, 3600, NULL, "seconds between looks"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss watch RUN [OPTIONS]\n\nShow how the numbers of a run go. On a terminal the picture is renewed "
           "until the run ends; elsewhere it is\nprinted once. Each line: a name, its curve from the first step to the "
           "last, the lowest, highest and last value.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

enum { LEVELS = 8, NAME = 30, NUMBERS = 36, LEAST = 10, MOST = 400, USUAL = 80, HEAD = 2 };

/* Levels of a curve, from low to high: blocks where the terminal's characters are UTF-8. */
static const char *const *levels(void) {
    static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[LEVELS] = {"_", ".", ",", "-", "~", "=", "*", "#"};
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *text = NULL;
    for (int k = 0; k < HISS_COUNT(variables) && !(text && *text); k++) {
        text = getenv(variables[k]);
    }
    return text && (strstr(text, "UTF-8") || strstr(text, "utf8")) ? blocks : plain;
}

/* One line of `width` characters and three numbers: a character is the mean of the points that fall onto it. */
static void draw(FILE *out, const hiss_curve *curve, int64_t count, int width) {
    double sum[MOST] = {0}, low = INFINITY, high = -INFINITY, last = (double)NAN;
    int64_t points[MOST] = {0}, finite = 0, place = 0;
    for (int64_t i = 0; i < count; i++) {
        finite += isfinite(curve->y[i]) != 0;
    }
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(curve->y[i])) {
            const int64_t at = finite > width ? place * width / finite : place;
            sum[at] += curve->y[i];
            points[at]++;
            place++;
            low = fmin(low, curve->y[i]);
            high = fmax(high, curve->y[i]);
            last = curve->y[i];
        }
    }
    fprintf(out, "%-*.*s ", NAME, NAME, curve->name);
    for (int at = 0; at < width; at++) {
        const double mean = points[at] ? sum[at] / (double)points[at] : low;
        const double share = high > low ? (mean - low) / (high - low) : 0.5;
        fputs(points[at] ? levels()[(int)fmin(share * LEVELS, LEVELS - 1)] : " ", out);
    }
    if (finite > 0) {
        fprintf(out, " %10.4g %10.4g %10.4g\n", low, high, last);
    } else {
        fprintf(out, " %10s %10s %10s\n", "-", "-", "-");
    }
}

static bool is_named(const char *list, const char *word) {
    char name[64];
    bool found = !list;
    for (const char *rest = list ? hiss_names_next(list, name) : NULL; rest && !found;
         rest = hiss_names_next(rest, name)) {
        found = strcmp(name, word) == 0;
    }
    return found;
}

/* Every name is that of a curve. */
static hiss_status expect_names(const char *list, const hiss_curves *curves, hiss_error *err) {
    char name[64], known[800] = "";
    for (int k = 0; k < curves->curves; k++) {
        hiss_list_add(known, sizeof known, curves->curve[k].name);
    }
    for (const char *rest = list ? hiss_names_next(list, name) : NULL; rest; rest = hiss_names_next(rest, name)) {
        bool found = false;
        for (int k = 0; k < curves->curves; k++) {
            found = found || strcmp(curves->curve[k].name, name) == 0;
        }
        if (!found) {
            return hiss_fail(err, HISS_EUSER, "--names: the run has not logged '%s'; it has %s", name, known);
        }
    }
    return HISS_OK;
}

typedef struct screen_size {
    int columns, lines;
} screen_size;

static screen_size size_of(bool terminal) {
    struct winsize w = {0};
    screen_size s = {USUAL, 0};
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
        s = (screen_size){w.ws_col, w.ws_row};
    }
    return s;
}

static void head(FILE *out, const char *run, const hiss_metrics *metrics, bool going) {
    const double *step = hiss_metrics_column(metrics, "step"), *epoch = hiss_metrics_column(metrics, "epoch");
    const double *rate = hiss_metrics_column(metrics, "images_per_second");
    const int64_t last = metrics->lines - 1;
    fprintf(out, "%s: %s", run,
            going                                         ? "goes on"
            : hiss_run_directory_has(run, "summary.yaml") ? "has ended"
                                                          : "stopped before its end");
    if (last >= 0 && step && epoch) {
        fprintf(out, ", step %.0f in epoch %.0f", step[last], epoch[last] + 1.0);
    }
    if (last >= 0 && rate && going) {
        fprintf(out, ", %.0f images/s", rate[last]);
    }
    fputs("\n", out);
}

/* What there is to see, as text; freed by free(). */
static hiss_status picture(const options *o, const char *run, bool terminal, bool going, char **text, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_curves curves = {0};
    hiss_metrics metrics;
    char path[CLI_PATH];
    size_t size = 0;
    const screen_size screen = size_of(terminal);
    const int free = screen.columns - NAME - NUMBERS, width = free < LEAST ? LEAST : free > MOST ? MOST : free;
    snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    hiss_status s = hiss_metrics_read(arena, path, &metrics, err);
    s = s == HISS_OK ? cli_read_curves(run, arena, &curves, err) : s;
    s = s == HISS_OK && curves.curves > 0 ? expect_names(o->names, &curves, err) : s;
    FILE *out = hiss_text_open(text, &size);
    if (s == HISS_OK) {
        int shown = 0, left = 0;
        head(out, run, &metrics, going);
        fprintf(out, "%-*s %*s %10s %10s %10s\n", NAME, "", width, "", "lowest", "highest", "last");
        for (int k = 0; k < curves.curves; k++) {
            const bool room = screen.lines == 0 || shown < screen.lines - HEAD - 2;
            if (is_named(o->names, curves.curve[k].name)) {
                if (room) {
                    draw(out, &curves.curve[k], curves.curve[k].x ? curves.curve[k].count : curves.count, width);
                }
                shown += room;
                left += !room;
            }
        }
        if (left > 0) {
            fprintf(out, "%d more than there are lines for; choose with --names\n", left);
        }
    }
    fclose(out);
    hiss_arena_destroy(arena);
    return s;
}

static hiss_status watch(const void *options_, const char *run, hiss_error *err) {
    const options *o = options_;
    const bool terminal = isatty(STDOUT_FILENO);
    const struct timespec pause = {.tv_sec = (time_t)o->every, .tv_nsec = (long)((o->every - floor(o->every)) * 1e9)};
    hiss_status s = cli_expect_metrics(run, err);
    for (bool going = s == HISS_OK; going && s == HISS_OK;) {
        char *text = NULL;
        const bool runs = hiss_run_directory_busy(run); /* before the file is read: its last line is shown */
        s = picture(o, run, terminal, runs, &text, err);
        if (s == HISS_OK) {
            printf("%s%s", terminal ? "\033[H\033[J" : "", text);
            fflush(stdout);
        }
        free(text);
        going = terminal && runs;
        if (going) {
            nanosleep(&pause, NULL);
        }
    }
    return s;
}

int cmd_watch(int argc, char **argv) {
    options o = {0};
    const cli_look look = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .print_help = help,
                           .missing = "watch needs a run directory: hiss watch runs/nat-fashion",
                           .run = watch};
    return cli_look_at(&look, argc, argv);
}
