/* Output of a run: RUN/metrics.jsonl, the display of progress, RUN/summary.yaml. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/energy.h"
#include "hiss/fault.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/metrics.h"
#include "hiss/watch.h"
#include "hiss/yaml.h"
#include "hiss_build.h"
#include "train/states.h"

enum { MOST_STEPS = 1 << 14, LEAST_STEPS = 50, LINE = 8192, PATH_TEXT = 4096 };

struct journal {
    trainer *t;
    FILE *metrics; /* rank 0 */
    bool root;
    int slots[MAX_METRICS], nslots;
    int64_t steps;                    /* since the last line, of this process */
    double began, start, last, shown; /* of the run, of its steps, of the window */
    int64_t first_step;
    double sent_before;   /* bytes, before it */
    double stepped;       /* when the last step ended */
    double *step_seconds; /* [step_capacity] of the window's steps, the first so many */
    int64_t step_count, step_capacity;
    rank_account account; /* of what follows step account_from: the first window warms up, if there is another */
    int64_t account_from, lines;
    hiss_named named[MAX_METRICS + HISS_MAX_DERIVED]; /* of the last line */
    int nnamed;
    bool bar_open;
    energy *energy; /* NULL until the first step */
};

/* Keep the lines up to step: a resumed run writes the others again. */
static hiss_status drop_later_lines(const char *path, int64_t step, hiss_error *err) {
    FILE *old = hiss_fault("journal.read") ? NULL : fopen(path, "r");
    if (!old) {
        return errno == ENOENT ? HISS_OK
                               : hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read: %s", path, strerror(errno));
    }
    char *line = NULL, *text = NULL;
    size_t capacity = 0, size = 0;
    FILE *kept = hiss_text_open(&text, &size);
    while (getline(&line, &capacity, old) > 0) {
        const int64_t at = hiss_metrics_step(line);
        if (at >= 0 && at <= step && line[strlen(line) - 1] == '\n') {
            fputs(line, kept);
        }
    }
    const bool whole = !ferror(old);
    fclose(old);
    fclose(kept);
    free(line);
    hiss_status s = whole ? hiss_file_write_text(path, text, err)
                          : hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read to its end: is the disk failing?", path);
    free(text);
    return s;
}

/* On rank 0; elsewhere nothing. */
static hiss_status open_metrics(journal *j, hiss_error *err) {
    if (!j->root) {
        return HISS_OK;
    }
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/metrics.jsonl", j->t->request->run);
    hiss_status s = drop_later_lines(path, j->t->step, err);
    j->metrics = s == HISS_OK && !hiss_fault("journal.open") ? fopen(path, "a") : NULL;
    if (s == HISS_OK && !j->metrics) {
        s = hiss_fail(err, HISS_ESYSTEM, "%s: cannot be written: %s", path, strerror(errno));
    } else if (j->metrics) {
        setvbuf(j->metrics, NULL, _IOLBF, LINE);
    }
    return s;
}

journal *train_journal_create(trainer *t, double began) {
    journal *j = hiss_new(journal, 1);
    j->t = t;
    j->root = hiss_comm_rank(t->comm) == 0;
    j->began = began;
    j->start = j->last = j->stepped = hiss_seconds();
    j->first_step = j->account_from = t->step;
    j->sent_before = hiss_comm_bytes_sent(t->comm);
    j->step_capacity = t->experiment->train.log_every < MOST_STEPS ? t->experiment->train.log_every : MOST_STEPS;
    j->step_seconds = hiss_new(double, j->step_capacity);
    for (int s = 0; s < hiss_model_count(t->model); s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind == HISS_SLOT_METRIC && slot->offset != t->control_offset && j->nslots < MAX_METRICS) {
            j->slots[j->nslots++] = s;
        }
    }
    return j;
}

hiss_status train_journal_open(journal *j, hiss_error *err) {
    j->energy = train_energy_open(j->t->comm, HISS_ENERGY_TREE);
    return hiss_comm_agree(j->t->comm, open_metrics(j, err), err);
}

hiss_status train_journal_rewind(journal *j, hiss_error *err) {
    j->steps = j->step_count = 0;
    j->last = j->stepped = hiss_seconds();
    j->t->times = (trainer_times){0};
    if (j->metrics) {
        fclose(j->metrics);
        j->metrics = NULL;
    }
    return hiss_comm_agree(j->t->comm, open_metrics(j, err), err);
}

static void end_bar(journal *j) {
    if (j->bar_open) {
        printf("\n");
        fflush(stdout);
        j->bar_open = false;
    }
}

void train_journal_close(journal *j) {
    if (j) {
        end_bar(j);
        if (j->metrics) {
            fclose(j->metrics);
        }
        train_energy_close(j->energy);
        hiss_free(j->step_seconds);
        hiss_free(j);
    }
}

static void duration(double seconds, char out[32]) {
    const int64_t s = seconds > 0 ? (int64_t)(seconds + 0.5) : 0;
    if (s >= 3600) {
        snprintf(out, 32, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(out, 32, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    }
}

static void draw_bar(journal *j, double now) {
    enum { WIDTH = 24 };
    const trainer *t = j->t;
    const double done = (double)t->step / (double)t->total_steps;
    const double rate = (double)(t->step - j->first_step) / (now - j->start);
    const double images = rate * (double)(t->placement.lanes * t->placement.m);
    char left[32], bar[WIDTH + 1];
    for (int k = 0; k < WIDTH; k++) {
        bar[k] = k < (int)(done * WIDTH) ? '#' : '.';
    }
    bar[WIDTH] = 0;
    duration((double)(t->total_steps - t->step) / rate, left);
    printf("\r[%s] %3.0f %%  epoch %" PRId64 "/%" PRId64 "  loss %.4f  %.0f images/s  %s left ", bar, 100.0 * done,
           t->epoch + 1, t->epochs, t->window.sum[0] / (double)(t->window.counted[0] ? t->window.counted[0] : 1),
           images, left);
    fflush(stdout);
    j->bar_open = true;
}

void train_journal_step(journal *j) {
    const trainer *t = j->t;
    for (int k = 0; k < j->nslots; k++) {
        for (int p = 0; p < t->nphases; p++) {
            if (train_phase_runs(t, p, t->epoch) && t->phases[p].role[j->slots[k]] == ROLE_METRIC) {
                j->t->window.sum[k] += (double)t->vector[hiss_model_at(t->model, j->slots[k])->offset];
                j->t->window.counted[k]++;
                break;
            }
        }
    }
    j->steps++;
    const double now = hiss_seconds();
    if (j->step_count < j->step_capacity) {
        j->step_seconds[j->step_count++] = now - j->stepped;
    }
    j->stepped = now;
    train_energy_step(j->energy, now);
    if (j->root && j->t->request->bar && now - j->shown > 0.2) {
        j->shown = now;
        draw_bar(j, now);
    }
}

static void average(journal *j) {
    trainer *t = j->t;
    int n = 0;
    for (int k = 0; k < j->nslots; k++) {
        if (t->window.counted[k] > 0) {
            snprintf(j->named[n].name, sizeof j->named[n].name, "%s", hiss_model_at(t->model, j->slots[k])->name);
            j->named[n++].value = t->window.sum[k] / (double)t->window.counted[k];
        }
        t->window.sum[k] = 0.0;
        t->window.counted[k] = 0;
    }
    const hiss_report_ops *ops = t->experiment->objective->report;
    j->nnamed = n + (ops && ops->derive ? ops->derive(t->method, j->named, n, j->named + n) : 0);
}

const hiss_named *train_journal_last(const journal *j, int *count) {
    *count = j->nnamed;
    return j->named;
}

static void print_number(FILE *out, const char *name, double value) {
    if (isfinite(value)) {
        fprintf(out, ", \"%s\": %.9g", name, value);
    } else {
        fprintf(out, ", \"%s\": null", name);
    }
}

/* One plain line per epoch where no bar is drawn. */
static void print_epoch(journal *j, double images) {
    const trainer *t = j->t;
    char left[32], text[512] = "";
    const double rate = (double)(t->step - j->first_step) / (hiss_seconds() - j->start);
    duration((double)(t->total_steps - t->step) / rate, left);
    for (int k = 0; k < j->nnamed; k++) {
        const size_t used = strlen(text);
        if (!strstr(j->named[k].name, "seconds") && j->named[k].value != 0.0) {
            snprintf(text + used, sizeof text - used, "  %s %.4f", j->named[k].name, j->named[k].value);
        }
    }
    for (int k = 0; k < t->probing.count; k++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "  %s %.4g", t->probing.number[k].name, t->probing.number[k].value);
    }
    printf("epoch %" PRId64 "/%" PRId64 "  step %" PRId64 "%s  %.0f images/s  %s left\n", t->epoch + 1, t->epochs,
           t->step, text, images, left);
    fflush(stdout);
}

static void print_times(FILE *out, const char *name, const double spread[3]) {
    fprintf(out, ", \"%s_seconds\": [%.6f, %.6f, %.6f]", name, spread[0], spread[1], spread[2]);
}

/* Rank 0's steps of the window: the reduction keeps all ranks in step. */
static void print_steps(journal *j) {
    const double median = hiss_median(j->step_seconds, j->step_count); /* sorts */
    print_times(j->metrics, "step", (double[]){j->step_seconds[0], median, j->step_seconds[j->step_count - 1]});
}

static void account(journal *j, double blocked, double seconds) {
    if (j->lines++ == 1) {
        j->account = (rank_account){0};
        j->account_from = j->t->step - j->steps;
    }
    train_rank_account_add(&j->account, &j->t->times, blocked, seconds);
}

hiss_status train_journal_log(journal *j, hiss_error *err) {
    trainer *t = j->t;
    if (j->steps == 0) {
        return HISS_OK;
    }
    hiss_watch_note(t->comm, "write metrics", -1);
    const double now = hiss_seconds();
    const trainer_times *n = &t->times;
    const double seconds[] = {n->data,   n->augment, n->forward, n->exchange, n->supply, n->backward,
                              n->reduce, n->update,  n->epoch,   n->wait,     n->sum};
    static const char *const names[] = {"data",   "augment", "forward", "exchange", "supply", "backward",
                                        "reduce", "update",  "epoch",   "wait",     "sum"};
    enum { WAIT = HISS_COUNT(names) - 2 };
    double spread[HISS_COUNT(names)][3];
    for (int k = 0; k < HISS_COUNT(names); k++) {
        hiss_comm_min_median_max(t->comm, seconds[k], spread[k]);
    }
    account(j, spread[WAIT][0], now - j->last);
    const double images = (double)(j->steps * t->placement.lanes * t->placement.m) / (now - j->last);
    average(j);
    const int measured = train_layer_norms_end(t);
    if (j->root) {
        fprintf(j->metrics, "{\"step\": %" PRId64 ", \"epoch\": %" PRId64, t->step, t->epoch);
        print_number(j->metrics, "lr", train_phase_rate(t, t->current, 0, t->step > 0 ? t->step - 1 : 0));
        for (int k = 0; k < j->nnamed; k++) {
            print_number(j->metrics, j->named[k].name, j->named[k].value);
        }
        for (int k = 0; k < t->probing.count; k++) {
            print_number(j->metrics, t->probing.number[k].name, t->probing.number[k].value);
        }
        for (int k = 0; k < measured; k++) {
            const hiss_probed_number norm = train_layer_norms_number(t->layer_norms, k);
            print_number(j->metrics, norm.name, norm.value);
        }
        print_number(j->metrics, "images_per_second", images);
        print_number(j->metrics, "seconds", now - j->began);
        print_steps(j);
        for (int k = 0; k < HISS_COUNT(names); k++) {
            print_times(j->metrics, names[k], spread[k]);
        }
        fprintf(j->metrics, "}\n");
        if (!t->request->bar && t->step % t->placement.steps_per_epoch == 0) {
            print_epoch(j, images);
        }
    }
    t->times = (trainer_times){0};
    j->steps = j->step_count = 0;
    j->last = now;
    j->stepped = hiss_seconds();
    if (j->root && (hiss_fault("journal.write") || ferror(j->metrics))) {
        return hiss_fail(err, HISS_ESYSTEM, "%s/metrics.jsonl: writing failed: is the disk full?", t->request->run);
    }
    return HISS_OK;
}

static void print_machine(FILE *out, const trainer *t) {
    struct utsname u;
    if (uname(&u) == 0) {
        fprintf(out, "machine:\n  host: %s\n  system: %s %s\n  processors: %ld\n", u.nodename, u.sysname, u.machine,
                sysconf(_SC_NPROCESSORS_ONLN));
    }
    char running[HISS_LIBRARY_TEXT], built[HISS_LIBRARY_TEXT];
    hiss_comm_library(running, built);
    fprintf(out, "  mpi: \"%s\"\n", running);
    fprintf(out, "  ranks: %d\n  threads: %d\n", hiss_comm_size(t->comm), train_pool_threads(t->pool));
}

/* Whether the run may be compared with others. */
static void print_result(FILE *out, const trainer *t) {
    char now[KERNELS_TEXT];
    train_kernels(t, now);
    if (*t->origin.mixed) {
        fprintf(out, "result: \"INVALID for comparison: computed %s, then with %s (choice %.8s)\"\n", t->origin.mixed,
                now, t->choices);
    } else {
        fprintf(out, "result: VALID\n");
    }
}

/* Whether the run ends below chance, and what else its method has to say of its end, for the summary; if so, a warning.
 * A few steps only try whether it runs. */
static void judge_end(const journal *j, FILE *out) {
    const hiss_report_ops *ops = j->t->experiment->objective->report;
    char line[512] = "";
    const int below = ops && ops->below_chance && j->nnamed > 0 && j->t->step >= LEAST_STEPS
                          ? ops->below_chance(j->t->method, j->named, j->nnamed, line, sizeof line)
                          : -1;
    if (below >= 0) {
        fprintf(out, "below_chance: %s\n", below ? "true" : "false");
    }
    if (below > 0 && j->root) {
        hiss_warn("the run ends below chance: %s; either it has diverged (lower optim.lr, now %g), or it has hardly "
                  "begun to learn (more train.epochs)",
                  line, j->t->experiment->optim[0].lr);
    }
    if (ops && ops->concern && j->nnamed > 0 && j->t->step >= LEAST_STEPS) {
        const bool concern = ops->concern(j->t->method, j->named, j->nnamed, line, sizeof line);
        fprintf(out, "concern: %s\n", concern ? "true" : "false");
        if (concern && j->root) {
            hiss_warn("%s", line);
        }
    }
}

/* The classes of labels by number. Of many there is the count; checkpoints have all names. */
static void print_classes(FILE *out, const hiss_dataset *set) {
    enum { MOST_NAMES = 1000 };
    const int64_t count = hiss_dataset_labelled(set) ? hiss_dataset_classes(set) : 0;
    if (count > 0) {
        fprintf(out, "classes: %" PRId64 "\n%s", count, count <= MOST_NAMES ? "class_names:\n" : "");
    }
    for (int64_t c = 0; c < count && count <= MOST_NAMES; c++) {
        fputs("  - ", out);
        hiss_yaml_write_text(out, hiss_dataset_class(set, c));
        fputc('\n', out);
    }
}

/* The scales of channels that were measured, as checkpoints have them. */
static void print_scaling(FILE *out, const hiss_scaling *scaling) {
    for (int what = 0; hiss_scaling_measured(scaling) && what < 2; what++) {
        fprintf(out, "augment_%s: [", what ? "std" : "mean");
        for (int c = 0; c < scaling->count; c++) {
            fprintf(out, "%s%.17g", c ? ", " : "", what ? scaling->std[c] : scaling->mean[c]);
        }
        fprintf(out, "]\n");
    }
}

hiss_status train_journal_summary(journal *j, double seconds, hiss_error *err) {
    trainer *t = j->t;
    end_bar(j);
    char *text = NULL, hash[HISS_HASH_TEXT], kernels[KERNELS_TEXT];
    size_t size = 0;
    train_kernels(t, kernels);
    FILE *out = hiss_text_open(&text, &size);
    hiss_model_hash(t->model, t->vector, hash);
    print_result(out, t);
    fprintf(out, "steps: %" PRId64 "\nepochs: %" PRId64 "\nsteps_per_epoch: %" PRId64 "\nparameters: %" PRId64 "\n",
            t->step, t->step / t->placement.steps_per_epoch, t->placement.steps_per_epoch,
            hiss_model_parameters(t->model));
    fprintf(out, "parameters_sha256: %s\n", hash);
    const guard_counts counts = train_guard_counted(t->guard);
    fprintf(out, "skipped_steps: %" PRId64 "\nrollbacks: %" PRId64 "\nreplica_checks: %" PRId64 "\n", t->skipped[0],
            counts.rollbacks, counts.checks);
    judge_end(j, out);
    hiss_state states[HISS_MAX_STATES];
    const int n = train_states_of(t, states);
    for (int k = 0; k < n; k++) {
        train_states_hash(t, &states[k], hash);
        fprintf(out, "%s_sha256: %s\n", states[k].name, hash);
    }
    print_classes(out, t->set);
    train_labelled_write(out, t);
    print_scaling(out, &t->experiment->augment.scaling);
    hiss_hash *config = hiss_hash_begin();
    const char *resolved = hiss_config_resolved(t->experiment->config);
    hiss_hash_add(config, resolved, strlen(resolved));
    hiss_hash_end(config, hash);
    fprintf(out, "identity:\n  version: \"%s\"\n  kernels: \"%s\"\n  data: \"%s\"\n  config_sha256: %s\n", HISS_VERSION,
            kernels, hiss_dataset_identity(t->set), hash);
    fprintf(out, "  kernel_choices_sha256: %s\n", t->choices);
    if (*t->init) {
        fprintf(out, "  init_sha256: %s\n", t->init);
    }
    const hiss_dist_options *dist = &t->experiment->dist;
    fprintf(out, "  reduce: %s%s\n", dist->reduce == HISS_REDUCE_TREE ? "tree" : "mpi (not bit-stable over ranks)",
            dist->wire == HISS_WIRE_BF16 ? " in bf16" : "");
    print_machine(out, t);
    const int64_t images = (t->step - j->first_step) * t->placement.lanes * t->placement.m;
    const int64_t steps = t->step > j->first_step ? t->step - j->first_step : 1;
    fprintf(out, "seconds: %.3f\nimages_per_second: %.1f\n", seconds, (double)images / seconds);
    fprintf(out, "bytes_sent_per_step: %.0f # by rank 0\n",
            (hiss_comm_bytes_sent(t->comm) - j->sent_before) / (double)steps);
    train_energy_write(out, t->comm, j->energy, images);
    fprintf(out, "metrics:\n");
    for (int k = 0; k < j->nnamed; k++) {
        fprintf(out, "  %s: %.9g\n", j->named[k].name, j->named[k].value);
    }
    train_probe_write(t, out);
    train_checkpoint_report(t, out);
    fprintf(out, "ranks_from_step: %" PRId64 "\n", j->account_from);
    train_rank_account_write(out, t->comm, &j->account);
    fclose(out);
    hiss_status s = HISS_OK;
    if (j->root) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/summary.yaml", t->request->run);
        s = hiss_file_write_text(path, text, err);
    }
    free(text);
    return hiss_comm_agree(t->comm, s, err);
}
