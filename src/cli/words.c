/* The words of the command line, before a command reads them: ~ where a shell leaves it, as in --run=~/x and '~/x'. */
#include <string.h>

#include "cli/cli.h"
#include "hiss/number.h"

hiss_status cli_expand_words(hiss_arena *arena, int argc, char **argv, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int i = 0; i < argc && s == HISS_OK; i++) {
        const char *equals = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
        const char *path = equals ? equals + 1 : argv[i], *full = path;
        if (path[0] == '~' && !strchr(path, '$')) { /* what takes a path refuses a $ by its own name */
            s = hiss_path_expand(arena, "the command line", path, &full, err);
            argv[i] = hiss_arena_format(arena, "%.*s%s", (int)(path - argv[i]), argv[i], full);
        }
    }
    return s;
}
