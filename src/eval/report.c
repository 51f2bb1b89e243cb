/* All results of one feature set, as a table for people and as JSON for programs. */
#include <string.h>

#include "hiss/clock.h"
#include "hiss/eval.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/table.h"

enum { MANY_LABELS = 1000, DRAWS_OF_MANY = 3 };

static const char *const metric_names[HISS_METRICS] = {"cosine", "l2"};

hiss_status hiss_eval_run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_eval_set *set,
                          hiss_eval_result *result, hiss_error *err) {
    const hiss_features *train = set->train, *test = set->test;
    *result = (hiss_eval_result){.D = train->D, .train_count = train->n, .test_count = test->n};
    snprintf(result->name, sizeof result->name, "%s", set->name);
    result->classes = train->classes;
    if (train->classes < 1 || test->classes < 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: k-NN and probes need labels, and the %s samples have none; name the data "
                         "set of labels in data.labels, or look at neighbours with hiss query",
                         set->name, train->classes < 1 ? "training" : "test");
    }
    double start = hiss_seconds();
    if (options->knn) {
        result->has_knn = true;
        result->knn = hiss_knn(env, train, test);
        hiss_info("%s: 5-NN %.2f %% after %.1f s", set->name, result->knn.percent[HISS_COSINE][1],
                  hiss_seconds() - start);
    }
    if (options->linear) {
        result->has_linear = true;
        result->linear = hiss_linear_probe(env, train, test, options->iterations);
        hiss_info("%s: linear probe %.2f %% after %.1f s", set->name, result->linear.percent, hiss_seconds() - start);
    }
    for (int i = 0; options->few_labels && i < HISS_FEW_SIZES; i++) {
        bool many = hiss_few_sizes[i] >= MANY_LABELS && options->draws > DRAWS_OF_MANY;
        result->few[i] = hiss_few_labels(env, train, test, hiss_few_sizes[i], many ? DRAWS_OF_MANY : options->draws,
                                         options->iterations);
        result->has_few |= result->few[i].draws > 0;
    }
    result->seconds = hiss_seconds() - start;
    hiss_info("%s: done in %.1f s", set->name, result->seconds);
    return HISS_OK;
}

/* ---- table ---- */

typedef struct columns {
    int name;
    bool knn, linear, few[HISS_FEW_SIZES];
} columns;

static columns choose_columns(int count, const hiss_eval_result *results) {
    columns c = {.name = (int)strlen("features")};
    for (int i = 0; i < count; i++) {
        int length = (int)strlen(results[i].name);
        c.name = length > c.name ? length : c.name;
        c.knn |= results[i].has_knn;
        c.linear |= results[i].has_linear;
        for (int j = 0; j < HISS_FEW_SIZES; j++) {
            c.few[j] |= results[i].few[j].draws > 0;
        }
    }
    return c;
}

static void print_head(FILE *stream, const columns *c) {
    fprintf(stream, "%-*s %6s", c->name, "", "");
    if (c->knn) {
        fprintf(stream, "  %-20s %6s", "k-NN, cosine", "L2");
    }
    if (c->linear) {
        fprintf(stream, "  %-20s", "linear probe");
    }
    for (int j = 0; j < HISS_FEW_SIZES; j++) {
        if (c->few[j]) {
            fprintf(stream, "  %8lld %-18s", (long long)hiss_few_sizes[j], "labels per class");
        }
    }
    fprintf(stream, "\n%-*s %6s", c->name, "features", "D");
    if (c->knn) {
        fprintf(stream, "  %6s %6s %6s %6s", "1", "5", "20", "5");
    }
    if (c->linear) {
        fprintf(stream, "  %6s %6s %6s", "test", "train", "lambda");
    }
    for (int j = 0; j < HISS_FEW_SIZES; j++) {
        if (c->few[j]) {
            fprintf(stream, "  %13s %13s", "linear", "5-NN");
        }
    }
    fputc('\n', stream);
}

static void print_spread(FILE *stream, bool there, double mean, double spread) {
    if (there) {
        fprintf(stream, " %s ±%s", HISS_NUMBER(6, 2, mean), HISS_NUMBER(5, 2, spread));
    } else {
        fprintf(stream, " %13s", "-");
    }
}

static void print_row(FILE *stream, const columns *c, const hiss_eval_result *r) {
    fprintf(stream, "%-*s %s", c->name, r->name, HISS_NUMBER(6, 0, (double)r->D));
    if (c->knn && r->has_knn) {
        fprintf(stream, "  %s %s %s %s", HISS_NUMBER(6, 2, r->knn.percent[HISS_COSINE][0]),
                HISS_NUMBER(6, 2, r->knn.percent[HISS_COSINE][1]), HISS_NUMBER(6, 2, r->knn.percent[HISS_COSINE][2]),
                HISS_NUMBER(6, 2, r->knn.percent[HISS_L2][1]));
    } else if (c->knn) {
        fprintf(stream, "  %6s %6s %6s %6s", "-", "-", "-", "-");
    }
    if (c->linear && r->has_linear) {
        fprintf(stream, "  %s %s %6.0e", HISS_NUMBER(6, 2, r->linear.percent),
                HISS_NUMBER(6, 2, r->linear.train_percent), r->linear.lambda);
    } else if (c->linear) {
        fprintf(stream, "  %6s %6s %6s", "-", "-", "-");
    }
    for (int j = 0; j < HISS_FEW_SIZES; j++) {
        if (c->few[j]) {
            bool there = r->few[j].draws > 0;
            fputc(' ', stream);
            print_spread(stream, there, r->few[j].linear, r->few[j].linear_spread);
            print_spread(stream, there, r->few[j].knn, r->few[j].knn_spread);
        }
    }
    fputc('\n', stream);
}

static int64_t unconverged_few(const hiss_eval_result *r) {
    int64_t count = 0;
    for (int j = 0; j < HISS_FEW_SIZES; j++) {
        count += r->few[j].unconverged;
    }
    return count;
}

/* A line for each thing about the fits that a reader of the figures must know; one line if there is none. */
static void print_fits(FILE *stream, int count, const hiss_eval_result *results) {
    bool fits = false, all = true;
    for (int i = 0; i < count; i++) {
        const hiss_eval_result *r = &results[i];
        const hiss_minimum *m = &r->linear.minimum;
        const int64_t others = r->linear.unconverged + unconverged_few(r);
        fits |= r->has_linear || r->has_few;
        if (r->has_linear && !m->converged) {
            fprintf(stream, "linear probe of %s not converged: gradient %.1e after %lld steps, %.0e wanted\n", r->name,
                    m->gradient, (long long)m->iterations, HISS_PROBE_TOLERANCE);
        }
        if (others > 0) {
            fprintf(stream, "fits of %s not converged: %lld to choose lambda, %lld of few labels\n", r->name,
                    (long long)r->linear.unconverged, (long long)unconverged_few(r));
        }
        if (r->has_linear && r->linear.at_edge) {
            fprintf(stream, "lambda of %s: %.0e is the last one tried; a better one may lie beyond\n", r->name,
                    r->linear.lambda);
        }
        all &= (!r->has_linear || m->converged) && others == 0;
    }
    if (fits && all) {
        fprintf(stream, "all probes converged: gradients of %.0e or less (of few labels and to choose lambda: %.0e)\n",
                HISS_PROBE_TOLERANCE, HISS_ROUGH_TOLERANCE);
    } else if (fits) {
        fprintf(stream, "probes that have not converged go on with a larger eval.iterations\n");
    }
}

void hiss_eval_print(FILE *stream, int count, const hiss_eval_result *results, const char *samples) {
    columns c = choose_columns(count, results);
    print_head(stream, &c);
    for (int i = 0; i < count; i++) {
        print_row(stream, &c, &results[i]);
    }
    if (count > 0) {
        fprintf(stream, "accuracy in %%; trained on %lld samples, tested on %lld, %lld classes\n",
                (long long)results[0].train_count, (long long)results[0].test_count, (long long)results[0].classes);
    }
    fputs(samples, stream);
    print_fits(stream, count, results);
}

/* ---- JSON ---- */

static void json_text(FILE *file, const char *s) {
    fputc('"', file);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') {
            fprintf(file, "\\%c", *s);
        } else if ((unsigned char)*s < ' ') {
            fprintf(file, "\\u%04x", (unsigned)*s);
        } else {
            fputc(*s, file);
        }
    }
    fputc('"', file);
}

static void json_knn(FILE *file, const hiss_knn_result *knn) {
    fputs(",\n   \"knn\": {", file);
    for (int m = 0; m < HISS_METRICS; m++) {
        fprintf(file, "%s\"%s\": {", m ? ", " : "", metric_names[m]);
        for (int j = 0; j < HISS_KNN_KS; j++) {
            fprintf(file, "%s\"%lld\": %.4f", j ? ", " : "", (long long)hiss_knn_ks[j], knn->percent[m][j]);
        }
        fputc('}', file);
    }
    fputc('}', file);
}

static void json_linear(FILE *file, const hiss_linear_result *l) {
    const char *separator = "";
    fprintf(file,
            ",\n   \"linear\": {\"percent\": %.4f, \"train_percent\": %.4f, \"lambda\": %g, \"heldout_percent\": {",
            l->percent, l->train_percent, l->lambda);
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        if (l->heldout[i] >= 0.0) {
            fprintf(file, "%s\"%.0e\": %.4f", separator, hiss_lambdas[i], l->heldout[i]);
            separator = ", ";
        }
    }
    fprintf(file,
            "}, \"lambda_at_edge\": %s,\n    \"converged\": %s, \"unconverged_choices\": %lld, \"loss\": %.9g, "
            "\"gradient\": %.3g, \"tolerance\": %g, \"iterations\": %lld, \"evaluations\": %lld}",
            l->at_edge ? "true" : "false", l->minimum.converged ? "true" : "false", (long long)l->unconverged,
            l->minimum.value, l->minimum.gradient, HISS_PROBE_TOLERANCE, (long long)l->minimum.iterations,
            (long long)l->minimum.evaluations);
}

static void json_few(FILE *file, const hiss_few_result few[HISS_FEW_SIZES]) {
    const char *separator = "";
    fputs(",\n   \"few_labels\": [", file);
    for (int j = 0; j < HISS_FEW_SIZES; j++) {
        if (few[j].draws > 0) {
            fprintf(file,
                    "%s\n    {\"labels_per_class\": %lld, \"draws\": %lld, \"linear\": %.4f, \"linear_spread\": %.4f, "
                    "\"knn5\": %.4f, \"knn5_spread\": %.4f, \"unconverged\": %lld}",
                    separator, (long long)hiss_few_sizes[j], (long long)few[j].draws, few[j].linear,
                    few[j].linear_spread, few[j].knn, few[j].knn_spread, (long long)few[j].unconverged);
            separator = ",";
        }
    }
    fputc(']', file);
}

static void json(FILE *file, int count, const hiss_eval_result *results, const char *samples) {
    fputs("{\"samples\": ", file);
    json_text(file, samples);
    fputs(",\n \"results\": [", file);
    for (int i = 0; i < count; i++) {
        const hiss_eval_result *r = &results[i];
        fprintf(file, "%s\n  {\"name\": ", i ? "," : "");
        json_text(file, r->name);
        fprintf(file, ", \"D\": %lld, \"train\": %lld, \"test\": %lld, \"classes\": %lld, \"seconds\": %.3f",
                (long long)r->D, (long long)r->train_count, (long long)r->test_count, (long long)r->classes,
                r->seconds);
        if (r->has_knn) {
            json_knn(file, &r->knn);
        }
        if (r->has_linear) {
            json_linear(file, &r->linear);
        }
        if (r->has_few) {
            json_few(file, r->few);
        }
        fputc('}', file);
    }
    fputs("\n]}\n", file);
}

typedef struct results {
    int count;
    const hiss_eval_result *result;
    const char *samples;
} results;

static void write_json(FILE *stream, const void *user) {
    const results *r = user;
    json(stream, r->count, r->result, r->samples);
}

hiss_status hiss_eval_write(const char *path, int count, const hiss_eval_result *result, const char *samples,
                            hiss_error *err) {
    return hiss_file_write_by(path, write_json, &(results){count, result, samples}, err);
}
