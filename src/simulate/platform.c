/* Platforms: a few numbers in a file, from which SimGrid's description of any size is written.
 *
 * fat-tree: two levels of switches up to 1024 hosts, three beyond. Each leaf switch has k hosts and k / taper links
 * upwards, k the smallest power of two whose square (cube) is enough; routing is D-mod-k, as SimGrid has it.
 * dragonfly: four hosts to a router, routers of a chassis, chassis of a group and groups all connected, with about as
 * many parallel links as full bisection takes; routing is minimal, since SimGrid has no adaptive one, which is
 * pessimistic. bus: every message of all hosts crosses one shared medium, as in the memory of one machine. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/config.h"
#include "hiss/file.h"
#include "hiss/simulate.h"

#define FIELD(name) offsetof(hiss_platform, name)
static const hiss_row rows[] = {
    {"topology", HISS_CHOICE, FIELD(topology), NULL, 0, 0, "fat-tree|dragonfly|bus", "how hosts are connected"},
    {"bandwidth", HISS_FLOAT, FIELD(bandwidth), NULL, 1, 1e15, NULL, "bytes per second of a link, or of the bus"},
    {"latency", HISS_FLOAT, FIELD(latency), NULL, 0, 1, NULL, "seconds of a link"},
    {"taper", HISS_INT, FIELD(taper), "1", 1, 64, NULL, "hosts of a leaf switch per link upwards"},
    {"about", HISS_STRING, FIELD(about), NULL, 0, 0, NULL, "one line"},
};

/* The names of a directory's platforms, "a, b", in arena; "" when there are none. */
static const char *list_platforms(hiss_arena *arena, const char *directory) {
    static const char ending[] = ".yaml";
    const char *list = "";
    struct dirent **entry = NULL;
    const int n = scandir(directory, &entry, NULL, alphasort);
    for (int k = 0; k < n; k++) {
        const size_t length = strlen(entry[k]->d_name), end = strlen(ending);
        if (length > end && entry[k]->d_name[0] != '.' && strcmp(entry[k]->d_name + length - end, ending) == 0) {
            list = hiss_arena_format(arena, "%s%s%.*s", list, *list ? ", " : "", (int)(length - end), entry[k]->d_name);
        }
        free(entry[k]);
    }
    free(entry);
    return list;
}

/* The file of a name; NULL, and an error, when no directory has it. */
static const char *find_platform(hiss_arena *arena, const char *name, const char *const *directories, int count,
                                 hiss_error *err) {
    const char *known = "", *looked = "";
    for (int k = 0; k < count; k++) {
        const char *path = hiss_arena_format(arena, "%s/%s.yaml", directories[k], name);
        if (hiss_file_exists(path)) {
            return path;
        }
        known = *known ? known : list_platforms(arena, directories[k]);
        looked = hiss_arena_format(arena, "%s%s%s", looked, k ? ", " : "", directories[k]);
    }
    hiss_fail(err, HISS_EUSER, "platform '%.100s' is not known (looked in %.400s); --platform takes %s%.300s", name,
              looked, *known ? "a path, or one of " : "a path", known);
    return NULL;
}

hiss_status hiss_platform_read(const char *name, const char *const *directories, int count, hiss_platform *out,
                               hiss_error *err) {
    *out = (hiss_platform){.arena = hiss_arena_create()};
    const bool is_path = strchr(name, '/') || hiss_file_exists(name);
    const char *path = is_path ? name : find_platform(out->arena, name, directories, count, err);
    if (!path) {
        return HISS_EUSER;
    }
    hiss_config *config = NULL;
    hiss_status s = hiss_file_expect(path, "platform", "--platform takes a name or a path", err);
    s = s == HISS_OK ? hiss_config_read(path, &config, err) : s;
    s = s == HISS_OK ? hiss_config_section(config, "", rows, HISS_COUNT(rows), out, err) : s;
    s = s == HISS_OK ? hiss_config_finish(config, err) : s;
    out->about = hiss_arena_text(out->arena, out->about);
    if (config) {
        hiss_config_destroy(config);
    }
    return s;
}

void hiss_platform_destroy(hiss_platform *p) {
    hiss_arena_destroy(p->arena);
    *p = (hiss_platform){0};
}

/* Returns how many hosts there are. */
static int64_t write_fat_tree(const hiss_platform *p, int64_t hosts, char *out, size_t size) {
    const int levels = hosts > 1024 ? 3 : 2;
    int64_t k = 2;
    while ((levels == 3 ? k * k * k : k * k) < hosts) {
        k *= 2;
    }
    const int64_t up = (k + p->taper - 1) / p->taper, leaf_groups = (hosts + k - 1) / k;
    if (levels == 2) {
        const int64_t top = leaf_groups > 1 ? leaf_groups : 2;
        snprintf(out, size, "topology=\"FAT_TREE\" topo_parameters=\"2;%lld,%lld;1,%lld;1,1\"", (long long)k,
                 (long long)top, (long long)up);
        return k * top;
    }
    const int64_t top = (leaf_groups + k - 1) / k > 1 ? (leaf_groups + k - 1) / k : 2;
    snprintf(out, size, "topology=\"FAT_TREE\" topo_parameters=\"3;%lld,%lld,%lld;1,%lld,%lld;1,1,1\"", (long long)k,
             (long long)k, (long long)top, (long long)up, (long long)k);
    return k * k * top;
}

static int64_t write_dragonfly(int64_t hosts, char *out, size_t size) {
    int e = 4; /* the logarithm of the hosts, cut into those of nodes, chassis, groups and routers */
    while (((int64_t)1 << e) < hosts) {
        e++;
    }
    const int nodes = e / 3 < 2 ? e / 3 : 2, chassis = e / 4 < 2 ? e / 4 : 2;
    const int groups = (e - nodes - chassis) / 2, routers = e - nodes - chassis - groups;
    const int black = 2 << routers, green = 1 << (routers > 0 ? routers - 1 : 0), blue = (2 << routers) + 3;
    snprintf(out, size, "topology=\"DRAGONFLY\" topo_parameters=\"%d,%d;%d,%d;%d,%d;%d\"", 1 << groups, blue,
             1 << chassis, black, 1 << routers, green, 1 << nodes);
    return (int64_t)1 << e;
}

typedef struct description {
    const hiss_platform *platform;
    int64_t hosts;
} description;

static void write_xml(FILE *out, const void *user) {
    const description *d = user;
    const hiss_platform *p = d->platform;
    char shape[256] = "";
    int64_t hosts = d->hosts;
    if (p->topology == HISS_FAT_TREE) {
        hosts = write_fat_tree(p, hosts, shape, sizeof shape);
    } else if (p->topology == HISS_DRAGONFLY) {
        hosts = write_dragonfly(hosts, shape, sizeof shape);
    } else {
        snprintf(shape, sizeof shape, "bb_bw=\"%.6gBps\" bb_lat=\"0s\" bb_sharing_policy=\"SHARED\"", p->bandwidth);
    }
    const double link = p->topology == HISS_BUS ? 100.0 * p->bandwidth : p->bandwidth;
    fprintf(out,
            "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
            "<platform version=\"4.1\">\n<zone id=\"world\" routing=\"Full\">\n"
            "<cluster id=\"c\" prefix=\"n\" suffix=\"\" radical=\"0-%lld\" speed=\"1Gf\" bw=\"%.6gBps\" lat=\"%.6gs\" "
            "%s loopback_bw=\"20GBps\" loopback_lat=\"0.2us\"/>\n</zone>\n</platform>\n",
            (long long)hosts - 1, link, p->latency / (p->topology == HISS_BUS ? 2.0 : 1.0), shape);
}

hiss_status hiss_platform_write(const hiss_platform *p, int64_t hosts, const char *path, hiss_error *err) {
    return hiss_file_write_by(path, write_xml, &(description){p, hosts}, err);
}
