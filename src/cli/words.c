/* The words of the command line and of the environment, before a command reads them: ~ where a shell leaves it, as in
 * --run=~/x and '~/x', and how HDF5 is told whether to lock files. HDF5 1.10.8 knows FALSE, 0, TRUE, 1 and BEST_EFFORT,
 * letter by letter, and goes on as if nothing had been said when it reads anything else, such as false. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "hiss/number.h"

hiss_status cli_settle_locking(hiss_error *err) {
    static const struct {
        const char *word, *meaning;
    } rows[] = {{"false", "FALSE"},
                {"0", "FALSE"},
                {"no", "FALSE"},
                {"off", "FALSE"},
                {"true", "TRUE"},
                {"1", "TRUE"},
                {"yes", "TRUE"},
                {"on", "TRUE"},
                {"best_effort", "BEST_EFFORT"},
                {"best-effort", "BEST_EFFORT"}};
    static const char name[] = "HDF5_USE_FILE_LOCKING";
    const char *text = getenv(name);
    const size_t start = text ? strspn(text, " \t") : 0, length = text ? strcspn(text + start, " \t") : 0;
    if (length == 0) {
        unsetenv(name);
        return HISS_OK;
    }
    for (int k = 0; k < HISS_COUNT(rows); k++) {
        if (strlen(rows[k].word) == length && strncasecmp(text + start, rows[k].word, length) == 0) {
            setenv(name, rows[k].meaning, 1);
            return HISS_OK;
        }
    }
    return hiss_fail(err, HISS_EUSER,
                     "%s is '%.80s' in the environment; HDF5 knows FALSE (a file system without locks), TRUE and "
                     "BEST_EFFORT",
                     name, text);
}

void cli_expand_words(hiss_arena *arena, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        const char *equals = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
        const char *path = equals ? equals + 1 : argv[i], *full = path;
        if (path[0] == '~' && hiss_path_expand(arena, "", path, &full, NULL) == HISS_OK) {
            argv[i] = hiss_arena_format(arena, "%.*s%s", (int)(path - argv[i]), argv[i], full);
        }
    }
}
