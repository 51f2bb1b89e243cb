/* Whether a study goes on with another one: the same text but for what may change, and every point as it was. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scale/scale_impl.h"

/* Keys that change neither what runs nor what it means, and those of the points, which are compared one by one. */
static const char *const may_change[] = {"name",  "repeats", "limit",   "keep",           "slurm",
                                         "ranks", "nodes",   "threads", "ranks_per_node", "configs"};

static hiss_status compare_config(const hiss_scale_config *a, const hiss_scale_config *b, hiss_error *err) {
    bool same = a->nset == b->nset;
    for (int k = 0; k < a->nset && same; k++) {
        same = strcmp(a->set[k], b->set[k]) == 0;
    }
    if (strcmp(a->file, b->file) != 0) {
        return hiss_fail(err, HISS_EUSER, "configs.%s.file '%.100s', now '%.100s'", a->name, a->file, b->file);
    }
    return same ? HISS_OK : hiss_fail(err, HISS_EUSER, "another configs.%s.set", a->name);
}

static hiss_status compare_point(const hiss_study *before, const hiss_scale_point *p, const hiss_study *now,
                                 hiss_error *err) {
    int k = 0;
    while (k < now->npoints && strcmp(now->points[k].name, p->name) != 0) {
        k++;
    }
    if (k == now->npoints) {
        return hiss_fail(err, HISS_EUSER, "point %s, which is not there now; points can be added, not taken away",
                         p->name);
    }
    if (before->kind != HISS_SCALE_STRONG && now->points[k].factor != p->factor) {
        return hiss_fail(err, HISS_EUSER,
                         "point %s with %" PRId64 " times the lanes of the smallest point, now %" PRId64
                         " times; a weak study cannot get a smaller point",
                         p->name, p->factor, now->points[k].factor);
    }
    return compare_config(&before->configs[p->config], &now->configs[now->points[k].config], err);
}

hiss_status hiss_study_extends(const hiss_study *before, const hiss_study *now, hiss_error *err) {
    hiss_status s = hiss_resolved_compare(hiss_config_resolved(before->text), hiss_config_resolved(now->text),
                                          may_change, HISS_COUNT(may_change), err);
    for (int k = 0; k < before->npoints && s == HISS_OK; k++) {
        s = compare_point(before, &before->points[k], now, err);
    }
    return s;
}
