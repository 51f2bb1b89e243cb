/* The results as CSV, JSON and in the text format of Extra-P (extra-p.org; its docs/file-formats.md). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "hiss/export.h"
#include "scale/scale_impl.h"

static int64_t count_runs(const hiss_results *results) {
    return results->study->npoints * results->study->repeats;
}

static const char *state_name(hiss_run_state state) {
    static const char *const names[] = {"missing", "failed", "done"};
    return names[state];
}

/* ---- CSV ---- */

static void csv_figure(FILE *out, hiss_figure f) {
    hiss_csv_next_number(out, f.value);
    hiss_csv_next_number(out, f.low);
    hiss_csv_next_number(out, f.high);
}

static void csv_text(FILE *out, const char *text) {
    fputc(',', out);
    hiss_csv_text(out, text);
}

void hiss_results_csv(FILE *out, const hiss_results *results) {
    const hiss_study *study = results->study;
    fputs("point,config,ranks,threads,nodes,runs,images_per_step,images_per_second,step_seconds,step_low,step_high,"
          "speedup,"
          "speedup_low,speedup_high,efficiency,efficiency_low,efficiency_high,overall_efficiency,quality_seconds,"
          "quality_steps,quality_efficiency",
          out);
    for (int k = 0; k < HISS_PARTS; k++) {
        fprintf(out, ",%s_seconds", hiss_part_names[k]);
    }
    fputs(",reduction_span_seconds,slowest_rank,slowest_host,slowest_over_median\n", out);
    for (int k = 0; k < study->npoints; k++) {
        const hiss_scale_point *p = &study->points[k];
        const hiss_scale_figures *f = &results->figures[k];
        fprintf(out, "%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, p->name,
                study->configs[p->config].name, p->ranks, p->threads, p->nodes, f->done, f->images);
        hiss_csv_next_number(out, f->throughput);
        csv_figure(out, f->step);
        csv_figure(out, f->speedup);
        csv_figure(out, f->efficiency);
        hiss_csv_next_number(out, f->overall);
        hiss_csv_next_number(out, f->quality_seconds);
        hiss_csv_next_number(out, f->quality_steps);
        hiss_csv_next_number(out, f->quality_efficiency);
        for (int part = 0; part < HISS_PARTS; part++) {
            hiss_csv_next_number(out, f->part[part]);
        }
        hiss_csv_next_number(out, f->span);
        hiss_csv_next_number(out, f->slowest < 0 ? (double)NAN : (double)f->slowest);
        csv_text(out, f->slowest_host);
        hiss_csv_next_number(out, f->slowest_over_median);
        fputc('\n', out);
    }
}

void hiss_results_runs_csv(FILE *out, const hiss_results *results) {
    fputs("run,state,lanes,steps,images_per_second,measured_seconds,windows,median_step_seconds,quality_seconds,"
          "quality_steps,parameters_sha256,why\n",
          out);
    for (int64_t k = 0; k < count_runs(results); k++) {
        const hiss_scale_run *run = &results->runs[k];
        const bool done = run->state == HISS_RUN_DONE;
        const double *window = run->window;
        const double unknown = (double)NAN;
        char name[128];
        scale_name_run(results, run, name);
        fprintf(out, "%s,%s", name, state_name(run->state));
        hiss_csv_next_number(out, done ? (double)run->lanes : unknown);
        hiss_csv_next_number(out, done ? (double)run->steps : unknown);
        hiss_csv_next_number(out, done ? run->throughput : unknown);
        hiss_csv_next_number(out, done ? run->seconds : unknown);
        hiss_csv_next_number(out, done ? (double)run->windows : unknown);
        hiss_csv_next_number(out, done ? hiss_sample_median(&(hiss_sample){1, &run->windows, &window}) : unknown);
        hiss_csv_next_number(out, done ? run->quality_seconds : unknown);
        hiss_csv_next_number(out, done ? run->quality_steps : unknown);
        fprintf(out, ",%s", done ? run->parameters : "");
        csv_text(out, run->why);
        fputc('\n', out);
    }
}

/* ---- JSON ---- */

static void json_figure(FILE *out, const char *key, hiss_figure f) {
    fprintf(out, "\"%s\": [", key);
    hiss_json_number(out, f.value);
    fputs(", ", out);
    hiss_json_number(out, f.low);
    fputs(", ", out);
    hiss_json_number(out, f.high);
    fputs("], ", out);
}

static void json_point(FILE *out, const hiss_results *results, int k) {
    const hiss_scale_point *p = &results->study->points[k];
    const hiss_scale_figures *f = &results->figures[k];
    fputs("    {", out);
    hiss_json_member_text(out, "point", p->name);
    fputs(", ", out);
    hiss_json_member_text(out, "config", results->study->configs[p->config].name);
    fprintf(out,
            ", \"ranks\": %" PRId64 ", \"threads\": %" PRId64 ", \"nodes\": %" PRId64 ", \"runs\": %" PRId64
            ", \"images_per_step\": %" PRId64 ", ",
            p->ranks, p->threads, p->nodes, f->done, f->images);
    hiss_json_member_number(out, "images_per_second", f->throughput);
    fputs(", ", out);
    json_figure(out, "step_seconds", f->step);
    json_figure(out, "speedup", f->speedup);
    json_figure(out, "efficiency", f->efficiency);
    hiss_json_member_number(out, "overall_efficiency", f->overall);
    fputs(", \"quality\": {", out);
    hiss_json_member_number(out, "seconds", f->quality_seconds);
    fputs(", ", out);
    hiss_json_member_number(out, "steps", f->quality_steps);
    fputs(", ", out);
    hiss_json_member_number(out, "efficiency", f->quality_efficiency);
    fputs("}, \"parts\": {", out);
    for (int part = 0; part < HISS_PARTS; part++) {
        hiss_json_member_number(out, hiss_part_names[part], f->part[part]);
        fputs(", ", out);
    }
    hiss_json_member_number(out, "reduction_span", f->span);
    fprintf(out, "}, \"slowest\": {\"rank\": %" PRId64 ", ", f->slowest);
    hiss_json_member_text(out, "host", f->slowest_host);
    fputs(", ", out);
    hiss_json_member_number(out, "over_median", f->slowest_over_median);
    fputs("}}", out);
}

static void json_run(FILE *out, const hiss_results *results, const hiss_scale_run *run) {
    char name[128];
    scale_name_run(results, run, name);
    fputs("    {", out);
    hiss_json_member_text(out, "run", name);
    fputs(", ", out);
    hiss_json_member_text(out, "state", state_name(run->state));
    fputs(", ", out);
    hiss_json_member_text(out, "parameters_sha256", run->parameters);
    fputs(", ", out);
    for (int k = 0; k < HISS_FACTS; k++) {
        hiss_json_member_text(out, hiss_fact_names[k], run->fact[k] ? run->fact[k] : "");
        fputs(", ", out);
    }
    fputs("\"warnings\": [", out);
    for (int k = 0; k < run->nwarnings; k++) {
        fputs(k ? ", " : "", out);
        hiss_json_text(out, run->warning[k]);
    }
    fputs("], ", out);
    hiss_json_member_number(out, "images_per_second", run->state == HISS_RUN_DONE ? run->throughput : (double)NAN);
    fputs(", \"hosts\": [", out);
    for (int64_t r = 0; r < run->nranks; r++) {
        fputs(r ? ", " : "", out);
        hiss_json_text(out, run->rank[r].host);
    }
    fputs("], \"parts\": [", out); /* a list per rank, in the order of hiss_part_names */
    for (int64_t r = 0; r < run->nranks; r++) {
        for (int part = 0; part < HISS_PARTS; part++) {
            fputs(part ? ", " : r ? ", [" : "[", out);
            hiss_json_number(out, run->rank[r].part[part]);
        }
        fputc(']', out);
    }
    fputs("], ", out);
    hiss_json_member_text(out, "why", run->why);
    fputc('}', out);
}

static void json_fit(FILE *out, const hiss_results *results, int c, int l) {
    const hiss_fit *fit = &results->fits[c * HISS_LAWS + l];
    fputs("    {", out);
    hiss_json_member_text(out, "config", results->study->configs[c].name);
    fputs(", ", out);
    hiss_json_member_text(out, "law", hiss_law_name(fit->law));
    fprintf(out, ", \"fitted\": %s, ", fit->fitted ? "true" : "false");
    for (int k = 0; k < fit->parameters && fit->fitted; k++) {
        hiss_json_member_number(out, hiss_law_parameter(fit->law, k), fit->value[k]);
        fputs(", ", out);
    }
    if (fit->fitted) {
        hiss_json_member_number(out, "error_mean", fit->error_mean);
        fputs(", ", out);
        hiss_json_member_number(out, "error_largest", fit->error_largest);
    } else {
        hiss_json_member_text(out, "why", fit->why);
    }
    fputc('}', out);
}

void hiss_results_json(FILE *out, const hiss_results *results) {
    const hiss_study *study = results->study;
    fputs("{\n  ", out);
    hiss_json_member_text(out, "study", study->name);
    fputs(",\n  ", out);
    hiss_json_member_text(out, "kind", hiss_scale_kind_name((hiss_scale_kind)study->kind));
    fprintf(out, ",\n  \"valid\": %s,\n  ", results->valid ? "true" : "false");
    hiss_json_member_text(out, "verdict", results->verdict);
    fputs(",\n  ", out);
    hiss_json_member_text(out, "report", results->when);
    fprintf(out,
            ",\n  \"done\": %" PRId64 ",\n  \"failed\": %" PRId64 ",\n  \"missing\": %" PRId64 ",\n  \"points\": [\n",
            results->done, results->failed, results->missing);
    for (int k = 0; k < study->npoints; k++) {
        json_point(out, results, k);
        fputs(k + 1 < study->npoints ? ",\n" : "\n  ],\n  \"runs\": [\n", out);
    }
    for (int64_t k = 0; k < count_runs(results); k++) {
        json_run(out, results, &results->runs[k]);
        fputs(k + 1 < count_runs(results) ? ",\n" : "\n  ],\n  \"fits\": [\n", out);
    }
    for (int k = 0; k < study->nconfigs * HISS_LAWS; k++) {
        json_fit(out, results, k / HISS_LAWS, k % HISS_LAWS);
        fputs(k + 1 < study->nconfigs * HISS_LAWS ? ",\n" : "\n  ]\n}\n", out);
    }
}

/* ---- Extra-P ---- */

/* A region's line for a point: a value of every finished run, times factor. part -1: the step; HISS_PARTS: the reduction's
 * span. */
static void extrap_data(FILE *out, const hiss_results *results, int point, int part, double factor) {
    fputs("DATA", out);
    for (int64_t r = 0; r < results->study->repeats; r++) {
        const hiss_scale_run *run = scale_run_of(results, point, r);
        const double *window = run->window;
        double value = 0;
        if (run->state != HISS_RUN_DONE) {
            continue;
        }
        for (int64_t k = 0; k < run->nranks && part >= 0; k++) {
            value += (part < HISS_PARTS ? run->rank[k].part[part] : run->rank[k].span) / (double)run->nranks;
        }
        value = part < 0 ? hiss_sample_median(&(hiss_sample){1, &run->windows, &window}) : fmax(value, 0);
        fprintf(out, " %.9f", value * factor); /* its grammar has no exponents */
    }
    fputc('\n', out);
}

/* A metric of all regions at these points. cost: times p. */
static void extrap_metric(FILE *out, const hiss_results *results, const int *use, int n, bool cost) {
    fprintf(out, "METRIC %s\n", cost ? "cost" : "time");
    for (int part = -1; part <= HISS_PARTS; part++) {
        fprintf(out, "REGION step%s%s\n", part < 0 ? "" : "->",
                part < 0            ? ""
                : part < HISS_PARTS ? hiss_part_names[part]
                                    : "reduction_span");
        for (int i = 0; i < n; i++) {
            extrap_data(out, results, use[i], part,
                        cost ? scale_workers_of(results->study, &results->study->points[use[i]]) : 1.0);
        }
    }
}

bool hiss_results_extrap(FILE *out, const hiss_results *results, int config) {
    const hiss_study *study = results->study;
    int *use = hiss_new(int, study->npoints), n = 0;
    for (int k = 0; k < study->npoints; k++) {
        bool twice = false; /* a coordinate may stand once */
        for (int i = 0; i < n; i++) {
            twice =
                twice || scale_workers_of(study, &study->points[use[i]]) == scale_workers_of(study, &study->points[k]);
        }
        if (study->points[k].config == config && results->figures[k].done > 0 && !twice) {
            use[n++] = k;
        }
    }
    if (n > 0) {
        const bool strong = study->kind == HISS_SCALE_STRONG;
        fprintf(out, "# %s, %s scaling, config %s: seconds of a step; %s\nPARAMETER p\nPOINTS", study->name,
                hiss_scale_kind_name((hiss_scale_kind)study->kind), study->configs[config].name,
                strong ? "strong scaling: model the cost, time x p" : "p counts workers");
        for (int i = 0; i < n; i++) {
            fprintf(out, " (%g)", scale_workers_of(study, &study->points[use[i]]));
        }
        fputc('\n', out);
        extrap_metric(out, results, use, n, false);
        if (strong) {
            extrap_metric(out, results, use, n, true);
        }
    }
    hiss_free(use);
    return n > 0;
}
