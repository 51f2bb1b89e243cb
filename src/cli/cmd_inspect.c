/* hiss inspect */
#include <stdlib.h>

#include "cli/inspect.h"
#include "hiss/log.h"

static const hiss_row rows[] = {
    {"config", HISS_BOOL, offsetof(inspect_options, config), "false", 0, 0, NULL, "print the config, too"},
    {"verify", HISS_BOOL, offsetof(inspect_options, verify), "false", 0, 0, NULL,
     "read all of a data set or of features, and compare it with its checksums (checkpoints always are)"},
    {"json", HISS_BOOL, offsetof(inspect_options, json), "false", 0, 0, NULL,
     "print an object a line for each file, with its config"},
    {"help", HISS_BOOL, offsetof(inspect_options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss inspect FILE|RUN ... [OPTIONS]\n\nSay what is in checkpoints, data sets, features and run "
           "directories: what made them, from what, of which shapes.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

/* A file is said whole or not at all. */
static hiss_status print(const char *path, const inspect_options *o, hiss_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    const hiss_status s = inspect_path(path, o, out, err);
    fclose(out);
    if (s == HISS_OK) {
        fputs(text, stdout);
    }
    free(text);
    return s;
}

int cmd_inspect(int argc, char **argv) {
    inspect_options o = {0};
    hiss_error err = {0};
    const char **words = hiss_new(const char *, argc + 1);
    hiss_arguments rest = {.positional = words, .max_positional = argc + 1};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    const bool helps = s == HISS_OK && o.help;
    if (helps) {
        help();
    } else if (s == HISS_OK && rest.npositional == 0) {
        s = hiss_fail(&err, HISS_EUSER,
                      "inspect needs a file or a run directory: hiss inspect data/fashion-mnist/train.h5");
    }
    hiss_log_setup(HISS_LOG_WARNING, 0);
    for (int k = 0; k < rest.npositional && s == HISS_OK && !helps; k++) {
        s = print(words[k], &o, &err);
    }
    hiss_free(words);
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
