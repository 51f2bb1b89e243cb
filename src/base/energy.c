/* Running average power limit: Linux shows the energy counters of processors as directories, "intel-rapl:0" a socket
 * ("package-0" in its file name), "intel-rapl:0:1" a part of it; AMD's processors have the same names. Sockets add up,
 * and the memory beside them ("dram") counts by itself; cores are within their socket, and psys has all of it again.
 * A counter, energy_uj, goes up to max_energy_range_uj and starts again. Most systems let root alone read it. */
#include "hiss/energy.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"

enum { MOST = 64, PATH_TEXT = 512, NAME = 32, SAYS = 1024 };

typedef struct counter {
    char path[PATH_TEXT];
    int64_t last, range; /* microjoules */
} counter;

struct hiss_energy {
    counter counter[MOST];
    int counters;
    double joules;
    bool known;
    char says[SAYS];
};

static bool read_line(const char *path, char *out, int size) {
    FILE *in = fopen(path, "re");
    const bool got = in && fgets(out, size, in);
    const int why = errno;
    if (in) {
        fclose(in);
    }
    errno = why;
    if (got) {
        out[strcspn(out, "\n")] = 0;
    }
    return got;
}

static bool read_number(const char *path, int64_t *out) {
    char line[NAME];
    return read_line(path, line, sizeof line) && sscanf(line, "%" SCNd64, out) == 1;
}

static void give_up(hiss_energy *e, const char *path) {
    e->known = false;
    snprintf(e->says, sizeof e->says, "%s cannot be read (%s)", path, strerror(errno));
}

/* Whether a zone of this name counts something that no other does. */
static bool counts(const char *zone, const char *name) {
    const char *rest = strncmp(zone, "intel-rapl:", 11) == 0 ? zone + 11 : NULL;
    return rest && (strchr(rest, ':') ? strcmp(name, "dram") == 0 : strncmp(name, "package", 7) == 0);
}

static void add(hiss_energy *e, const char *tree, const char *zone) {
    char path[PATH_TEXT], name[NAME];
    snprintf(path, sizeof path, "%.400s/%.64s/name", tree, zone);
    if (e->counters == MOST || !read_line(path, name, sizeof name) || !counts(zone, name)) {
        return;
    }
    counter *c = &e->counter[e->counters];
    snprintf(path, sizeof path, "%.400s/%.64s/max_energy_range_uj", tree, zone);
    snprintf(c->path, sizeof c->path, "%.400s/%.64s/energy_uj", tree, zone);
    if (!read_number(path, &c->range)) {
        c->range = 0;
    }
    if (!e->known) {
        return;
    }
    if (!read_number(c->path, &c->last)) {
        give_up(e, c->path);
        return;
    }
    const size_t used = strlen(e->says);
    snprintf(e->says + used, sizeof e->says - used, "%s%s", e->counters ? ", " : "", name);
    e->counters++;
}

hiss_energy *hiss_energy_create(const char *tree) {
    hiss_energy *e = hiss_new(hiss_energy, 1);
    struct dirent **zone = NULL;
    e->known = true;
    const int n = scandir(tree, &zone, NULL, alphasort);
    for (int k = 0; k < n; k++) {
        add(e, tree, zone[k]->d_name);
        free(zone[k]);
    }
    free(zone);
    if (e->known && e->counters == 0) {
        e->known = false;
        snprintf(e->says, sizeof e->says, "%.400s has no counters of processors", tree);
    }
    return e;
}

void hiss_energy_destroy(hiss_energy *e) {
    hiss_free(e);
}

void hiss_energy_look(hiss_energy *e) {
    for (int k = 0; k < e->counters && e->known; k++) {
        counter *c = &e->counter[k];
        int64_t now;
        if (!read_number(c->path, &now)) {
            give_up(e, c->path);
            return;
        }
        e->joules += 1e-6 * (double)(now >= c->last ? now - c->last : now - c->last + c->range);
        c->last = now;
    }
}

double hiss_energy_joules(const hiss_energy *e) {
    return e->known ? e->joules : (double)NAN;
}

const char *hiss_energy_says(const hiss_energy *e) {
    return e->says;
}
