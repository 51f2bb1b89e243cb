/* Paths as users write them. A shell expands ~ and $NAME only in bare words of a command line: not in a config, and not
 * within quotes, where they would become directories of that name. */
#include <stdlib.h>
#include <string.h>

#include "hiss/number.h"

hiss_status hiss_path_check(const char *where, const char *path, hiss_error *err) {
    const char *home = getenv("HOME");
    if (strchr(path, '$')) {
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
    return HISS_OK;
}

hiss_status hiss_path_expand(hiss_arena *arena, const char *where, const char *path, const char **out,
                             hiss_error *err) {
    const hiss_status s = hiss_path_check(where, path, err);
    *out = path;
    if (s == HISS_OK && path[0] == '~') {
        *out = hiss_arena_format(arena, "%s%s", getenv("HOME"), path + 1);
    }
    return s;
}
