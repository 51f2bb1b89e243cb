/* Paths as users write them. A shell expands ~ and $NAME only in bare words of a command line: not in a config, and not
 * within quotes, where they would become directories of that name. */
#include <stdlib.h>
#include <string.h>

#include "hiss/number.h"

hiss_status hiss_path_expand(hiss_arena *arena, const char *where, const char *path, const char **out,
                             hiss_error *err) {
    const char *dollar = strchr(path, '$'), *home = getenv("HOME");
    *out = path;
    if (dollar) {
        return hiss_fail(
            err, HISS_EUSER,
            "%.300s: the path '%.300s' has a '$', but no shell replaces variables in configs and in quoted "
            "words; write the path in full, or begin it with ~/",
            where, path);
    }
    if (path[0] != '~') {
        return HISS_OK;
    }
    if (path[1] != '\0' && path[1] != '/') {
        return hiss_fail(err, HISS_EUSER,
                         "%.300s: the path '%.300s' begins with the home directory of another user; write it in full "
                         "(a file of that name here is ./%.300s)",
                         where, path, path);
    }
    if (!home || home[0] == '\0') {
        return hiss_fail(err, HISS_EUSER,
                         "%.300s: the path '%.300s' begins with ~, but HOME is not set; write it in full", where, path);
    }
    *out = hiss_arena_format(arena, "%s%s", home, path + 1);
    return HISS_OK;
}
