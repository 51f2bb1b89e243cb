/* From runs to figures.
 *
 * X(p), images per second by the median step, gives speed-up X(p) / X(p0) and efficiency, that over p / p0, for every
 * kind of scaling; p0 is the config's smallest point. Their intervals come from replicates of both medians. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "scale/scale_impl.h"

int scale_smallest_point(const hiss_study *study, int config) {
    int best = -1;
    for (int k = 0; k < study->npoints; k++) {
        if (study->points[k].config == config && (best < 0 || study->points[k].workers < study->points[best].workers)) {
            best = k;
        }
    }
    return best;
}

static bool same_threads(const hiss_study *study) {
    for (int k = 1; k < study->npoints; k++) {
        if (study->points[k].threads != study->points[0].threads) {
            return false;
        }
    }
    return true;
}

const char *scale_workers_name(const hiss_study *study) {
    return same_threads(study) ? "ranks" : "ranks x threads";
}

double scale_workers_of(const hiss_study *study, const hiss_scale_point *p) {
    return (double)(same_threads(study) ? p->ranks : p->workers);
}

const hiss_scale_run *scale_run_of(const hiss_results *results, int point, int64_t repeat) {
    return &results->runs[repeat * results->study->npoints + point];
}

/* ---- figures ---- */

static double middle_of(const hiss_results *results, int point, double (*get)(const hiss_scale_run *run, int which),
                        int which) {
    double *values = hiss_new(double, results->study->repeats);
    int64_t count = 0;
    for (int64_t r = 0; r < results->study->repeats; r++) {
        const hiss_scale_run *run = scale_run_of(results, point, r);
        if (run->state == HISS_RUN_DONE) {
            values[count++] = get(run, which);
        }
    }
    bool whole = true;
    for (int64_t k = 0; k < count; k++) {
        whole = whole && isfinite(values[k]);
    }
    const double middle = whole ? hiss_middle(values, count) : (double)NAN;
    hiss_free(values);
    return middle;
}

static double get_throughput(const hiss_scale_run *run, int which) {
    (void)which;
    return run->throughput;
}

static double get_quality(const hiss_scale_run *run, int which) {
    return which ? run->quality_steps : run->quality_seconds;
}

static double get_part(const hiss_scale_run *run, int which) {
    double sum = 0;
    for (int64_t r = 0; r < run->nranks; r++) {
        sum += which < HISS_PARTS ? run->rank[r].part[which] : run->rank[r].span;
    }
    return sum / (double)run->nranks;
}

static double get_work(const hiss_scale_run *run, int rank) {
    return run->rank[rank].part[HISS_PART_COMPUTE] + run->rank[rank].part[HISS_PART_DATA];
}

static void find_slowest(const hiss_results *results, int point, hiss_scale_figures *f) {
    const int64_t ranks = results->study->points[point].ranks;
    double *work = hiss_new(double, ranks), most = -1;
    f->slowest = -1;
    for (int64_t r = 0; r < ranks && f->done > 0; r++) {
        work[r] = middle_of(results, point, get_work, (int)r);
        if (work[r] > most) {
            most = work[r];
            f->slowest = r;
        }
    }
    f->slowest_over_median = most / hiss_middle(work, ranks);
    hiss_free(work);
    /* Its host in the run where it was slowest: launchers may place repeats on different nodes. */
    most = -1;
    for (int64_t k = 0; k < results->study->repeats && f->slowest >= 0; k++) {
        const hiss_scale_run *run = scale_run_of(results, point, k);
        if (run->state == HISS_RUN_DONE && get_work(run, (int)f->slowest) > most) {
            most = get_work(run, (int)f->slowest);
            snprintf(f->slowest_host, sizeof f->slowest_host, "%s", run->rank[f->slowest].host);
        }
    }
}

/* Step times of a point: the figure, and replicates [SCALE_DRAWS] of it. */
static double sample_steps(const hiss_results *results, int point, double *replicates) {
    const int64_t repeats = results->study->repeats;
    int64_t *count = hiss_new(int64_t, repeats);
    const double **values = hiss_new(const double *, repeats);
    for (int64_t r = 0; r < repeats; r++) {
        const hiss_scale_run *run = scale_run_of(results, point, r);
        count[r] = run->state == HISS_RUN_DONE ? run->windows : 0;
        values[r] = run->window;
    }
    const hiss_sample sample = {repeats, count, values};
    const double median = hiss_sample_median(&sample);
    hiss_sample_bootstrap(&sample, (uint64_t)results->study->seed, point, SCALE_DRAWS, replicates);
    hiss_free(values);
    hiss_free(count);
    return median;
}

static hiss_figure figure(double value, double *replicates) {
    hiss_figure f = {.value = value};
    hiss_percentile_interval(replicates, SCALE_DRAWS, &f.low, &f.high);
    return f;
}

static void compare(const hiss_results *results, int point, double *(*replicates), double *ratio) {
    const hiss_study *study = results->study;
    const int base = scale_smallest_point(study, study->points[point].config);
    const hiss_scale_figures *b = &results->figures[base];
    hiss_scale_figures *f = &results->figures[point];
    const double more = scale_workers_of(study, &study->points[point]) / scale_workers_of(study, &study->points[base]);
    const double work = (double)f->images / (double)b->images;
    for (int d = 0; d < SCALE_DRAWS; d++) {
        ratio[d] = point == base ? 1.0 : work * replicates[base][d] / replicates[point][d];
    }
    f->speedup = figure(work * b->step.value / f->step.value, ratio);
    f->efficiency = (hiss_figure){f->speedup.value / more, f->speedup.low / more, f->speedup.high / more};
    f->overall = f->throughput / b->throughput / more;
    f->quality_efficiency = b->quality_seconds / f->quality_seconds / more;
}

static void make_figures(hiss_results *results) {
    const hiss_study *study = results->study;
    double **replicates = hiss_new(double *, study->npoints), *ratio = hiss_new(double, SCALE_DRAWS);
    for (int k = 0; k < study->npoints; k++) {
        hiss_scale_figures *f = &results->figures[k];
        for (int64_t r = 0; r < study->repeats; r++) {
            const hiss_scale_run *run = scale_run_of(results, k, r);
            f->done += run->state == HISS_RUN_DONE;
            f->images = run->state == HISS_RUN_DONE ? run->images : f->images;
        }
        replicates[k] = hiss_new(double, SCALE_DRAWS);
        const double step = sample_steps(results, k, replicates[k]);
        memcpy(ratio, replicates[k], sizeof(double) * SCALE_DRAWS);
        f->step = figure(step, ratio);
        f->throughput = middle_of(results, k, get_throughput, 0);
        f->quality_seconds = middle_of(results, k, get_quality, 0);
        f->quality_steps = middle_of(results, k, get_quality, 1);
        for (int part = 0; part < HISS_PARTS; part++) {
            f->part[part] = middle_of(results, k, get_part, part);
        }
        f->span = middle_of(results, k, get_part, HISS_PARTS);
        find_slowest(results, k, f);
    }
    for (int k = 0; k < study->npoints; k++) {
        compare(results, k, replicates, ratio);
    }
    for (int k = 0; k < study->npoints; k++) {
        hiss_free(replicates[k]);
    }
    hiss_free(replicates);
    hiss_free(ratio);
}

static void make_fits(hiss_results *results) {
    const hiss_study *study = results->study;
    double *p = hiss_new(double, study->npoints), *seconds = hiss_new(double, study->npoints),
           *images = hiss_new(double, study->npoints);
    for (int c = 0; c < study->nconfigs; c++) {
        int n = 0;
        for (int k = 0; k < study->npoints; k++) {
            if (study->points[k].config == c && results->figures[k].done > 0) {
                p[n] = scale_workers_of(study, &study->points[k]);
                seconds[n] = results->figures[k].step.value;
                images[n++] = (double)results->figures[k].images;
            }
        }
        for (int l = 0; l < HISS_LAWS; l++) {
            results->fits[c * HISS_LAWS + l] =
                hiss_fit_law((hiss_law)l, study->kind != HISS_SCALE_STRONG, n, p, seconds, images);
        }
    }
    hiss_free(images);
    hiss_free(seconds);
    hiss_free(p);
}

void hiss_results_analyse(hiss_results *results) {
    const hiss_study *study = results->study;
    results->figures = hiss_arena_alloc(results->arena, sizeof *results->figures * (size_t)study->npoints);
    results->fits = hiss_arena_alloc(results->arena, sizeof *results->fits * (size_t)study->nconfigs * HISS_LAWS);
    make_figures(results);
    make_fits(results);
    scale_judge(results);
}
