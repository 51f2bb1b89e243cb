/* Where programs are, and what may go where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "hiss/file.h"

hiss_status cli_program(char out[CLI_PATH], hiss_error *err) {
    const ssize_t length = readlink("/proc/self/exe", out, CLI_PATH - 1);
    if (length <= 0) {
        return hiss_fail(err, HISS_ESYSTEM, "/proc/self/exe cannot be read: %s", strerror(errno));
    }
    out[length] = 0;
    return HISS_OK;
}

const char *cli_find_in_path(const char *name, hiss_arena *arena) {
    if (strchr(name, '/')) {
        return access(name, X_OK) == 0 ? name : NULL;
    }
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        const int length = (int)strcspn(at, ":");
        const char *file = hiss_arena_format(arena, "%.*s/%s", length ? length : 1, length ? at : ".", name);
        if (access(file, X_OK) == 0) {
            return file;
        }
    }
    return NULL;
}

hiss_status cli_expect_no_run(const char *dir, hiss_error *err) {
    char config[CLI_PATH];
    snprintf(config, sizeof config, "%s/config.yaml", dir);
    return hiss_file_exists(config)
               ? hiss_fail(err, HISS_EUSER, "%s is the directory of a run of hiss train; choose another --out", dir)
               : HISS_OK;
}

void cli_default_run(const char *config, char out[CLI_PATH]) {
    const char *slash = strrchr(config, '/');
    snprintf(out, CLI_PATH, "runs/%s", slash ? slash + 1 : config);
    char *dot = strrchr(out, '.');
    if (dot && dot > out + 5) {
        *dot = 0;
    }
}
