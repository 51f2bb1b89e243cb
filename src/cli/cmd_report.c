/* hiss report */
#include <string.h>

#include "cli/cli.h"
#include "hiss/file.h"

typedef struct options {
    bool help;
} options;

static const hiss_row rows[] = {
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss report RUN\n\nWrite RUN/report.html and RUN/curves.svg of what the run has left so far, also "
           "while it goes on.\n`hiss train` and `hiss eval` write them at their end.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

static hiss_status report(const void *options_, const char *run, hiss_error *err) {
    (void)options_;
    hiss_status s = cli_expect_metrics(run, err);
    s = s == HISS_OK ? cli_draw_curves(run, err) : s;
    s = s == HISS_OK ? cli_write_report(run, err) : s;
    if (s == HISS_OK) {
        printf("%s/report.html\n", run);
    }
    return s;
}

int cmd_report(int argc, char **argv) {
    options o = {0};
    const cli_look look = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .print_help = help,
                           .missing = "report needs a run directory: hiss report runs/nat-fashion",
                           .run = report};
    return cli_look_at(&look, argc, argv);
}
