/* hiss doctor: what would go wrong, or slowly, if one trained here and now. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *run;
    int64_t threads, write;
    double rate, latency;
    int log;
    bool help;
} options;

static const hiss_row rows[] = {
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "change a key of the config: --set train.lanes=8 (repeatable)"},
    {"run", HISS_PATH, offsetof(options, run), "runs/doctor", 0, 0, NULL, "run directory that train would write"},
    {"threads", HISS_INT, offsetof(options, threads), "0", 0, 1024, NULL,
     "lanes in flight on each rank; 0: dist.threads of the config, else 1"},
    {"write", HISS_INT, offsetof(options, write), "64", 0, 1 << 20, NULL,
     "MiB to write into the run directory, to see how fast it is; 0: none"},
    {"rate", HISS_FLOAT, offsetof(options, rate), "0", 0, 1e9, NULL,
     "MB/s that two ranks should exchange; 0: a fifth of what the median pair does"},
    {"latency", HISS_FLOAT, offsetof(options, latency), "0", 0, 1e9, NULL,
     "microseconds that a message may take; 0: 20 times the median pair's"},
    {"log", HISS_CHOICE, offsetof(options, log), "warning", 0, 0, HISS_LOG_CHOICES, "how much to say besides"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf(
        "usage: [mpirun -n RANKS] hiss doctor [CONFIG] [OPTIONS]\n\nCheck where and how hiss was started, and with "
        "CONFIG the data, files and names in it, for what\nwould fail or be slow. Start it exactly as you would start "
        "hiss train. Exit code: 0, or 2 when a line says FAIL.\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

static void print(void *user, doctor_finding f, const char *text) {
    static const char *const name[] = {"OK  ", "WARN", "FAIL"};
    *(doctor_finding *)user = f > *(doctor_finding *)user ? f : *(doctor_finding *)user;
    printf("%s  %s\n", name[f], text);
}

/* ---- data ---- */

static void check_labels(const doctor *d, hiss_dataset *set) {
    if (hiss_comm_rank(d->comm) != 0 || !hiss_dataset_labelled(set)) {
        return;
    }
    if (hiss_dataset_looks_sorted(set)) {
        doctor_tell(d, FINDING_WARN,
                    "%s: labels look sorted, so that lanes would see few classes each; set data.order to permuted, or "
                    "write a shuffled file with hiss prepare",
                    hiss_dataset_file(set));
    } else {
        doctor_tell(d, FINDING_OK, "%s: labels do not look sorted", hiss_dataset_file(set));
    }
}

/* What a stream of samples costs, on the rank that has most of them. */
static void check_chunks(const doctor *d, const hiss_experiment *e, const hiss_dataset *set) {
    const double cost = hiss_dataset_amplification(set, 0);
    const char *name = hiss_dataset_dearest(set);
    const int64_t ranks = hiss_comm_size(d->comm), share = (hiss_dataset_count(set) + ranks - 1) / ranks;
    const double bytes = (double)share * (double)hiss_dataset_row(set);
    if (cost <= 1.0) {
        doctor_tell(d, FINDING_OK, "%s: rows of samples are read one by one", hiss_dataset_file(set));
    } else if (bytes <= (double)e->data.memory) {
        doctor_tell(
            d, FINDING_OK,
            "%s: data set %s lies in chunks that hold parts of %.0f rows each: decoded once, into memory, %.1f MiB "
            "a rank",
            hiss_dataset_file(set), name, cost, bytes / 1048576.0);
    } else {
        doctor_tell(
            d, FINDING_WARN,
            "%s: data set %s lies in chunks that hold parts of %.0f rows each and exceeds data.memory: a stream "
            "would decode %.0f rows for each, with data.window %lld %.1f rows; so a copy of %.1f MiB a rank is decoded "
            "into TMPDIR or /var/tmp, if there is room; raise data.memory, use more ranks, or write the file "
            "without chunks (h5repack -l %s:CONTI OLD NEW)",
            hiss_dataset_file(set), name, cost, cost, (long long)(8.0 * cost),
            hiss_dataset_amplification(set, (int64_t)(8.0 * cost)), bytes / 1048576.0, name);
    }
}

static hiss_status open_set(const doctor *d, const hiss_experiment *e, hiss_dataset **set, hiss_error *err) {
    hiss_data_options data = hiss_experiment_data(e);
    data.verify = false; /* it would read the whole file */
    hiss_status s = hiss_dataset_open(&data, (uint64_t)e->seed, set, err);
    s = s == HISS_OK ? hiss_config_blame(e->config, hiss_objective_expect(e->objective, *set, err), err) : s;
    return hiss_comm_agree(d->comm, s, err);
}

/* Whether training can begin with it. The caller closes *out, which may be NULL. Collective. */
static bool check_data(const doctor *d, const hiss_experiment *e, hiss_dataset **out) {
    hiss_dataset *set = NULL;
    hiss_placement placement = {0};
    hiss_error err = {0};
    hiss_status s = open_set(d, e, &set, &err);
    if (s == HISS_OK) {
        int64_t H, W, C;
        hiss_dataset_shape(set, &H, &W, &C);
        doctor_tell(d, FINDING_OK, "%s: readable by all ranks, %lld images of %lld x %lld x %lld",
                    hiss_dataset_file(set), (long long)hiss_dataset_count(set), (long long)H, (long long)W,
                    (long long)C);
        char files[HISS_FILES_TEXT];
        if (hiss_dataset_files_text(set, files)) {
            doctor_tell(d, FINDING_OK, "%s", files);
        }
        check_labels(d, set);
        check_chunks(d, e, set);
        s = hiss_comm_agree(d->comm, hiss_experiment_place(e, set, d->comm, &placement, &err), &err);
        hiss_config_blame(e->config, s, &err);
    }
    char idle[256];
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s", err.text);
    } else if (hiss_placement_idles(&placement, idle, sizeof idle)) {
        doctor_tell(d, FINDING_WARN, "%s", idle);
    } else if (placement.lanes % (hiss_comm_size(d->comm) * d->threads) != 0) {
        doctor_tell(d, FINDING_WARN,
                    "%lld lanes on %d x %lld threads: some threads wait for others; let ranks x threads divide "
                    "train.lanes",
                    (long long)placement.lanes, hiss_comm_size(d->comm), (long long)d->threads);
    } else {
        doctor_tell(d, FINDING_OK, "%lld lanes, as many on every thread", (long long)placement.lanes);
    }
    hiss_placement_destroy(&placement);
    *out = set;
    return s == HISS_OK;
}

/* ---- memory ---- */

/* Make what training makes, but take no step. Whether that succeeds. Collective. */
static bool check_training(const doctor *d, hiss_experiment *e, hiss_dataset *set) {
    hiss_error err = {0};
    const hiss_train_request request = {.comm = d->comm, .experiment = e, .run = "", .resume = "never", .set = set};
    e->data.verify = false;
    e->dist.threads = d->threads;
    const hiss_status s = hiss_train_check(&request, &err);
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s", err.text);
        return false;
    }
    if (e->train.init) {
        doctor_tell(d, FINDING_OK, "train.init: %s has parameters of this network", e->train.init);
    }
    doctor_memory(d);
    return true;
}

/* ---- evaluation ---- */

/* The judge of images that a method makes; of one that makes none, it is looked at all the same. Collective. */
static hiss_status check_classifier(const doctor *d, hiss_experiment *e, const char *path, const hiss_dataset *set,
                                    const hiss_frozen *m, hiss_error *err) {
    const hiss_task *t = hiss_frozen_task(m);
    const hiss_generation_ops *ops = e->objective->generation;
    const hiss_maker by = {
        .H = t->H, .W = t->W, .C = t->C, .classes = ops && ops->classes ? ops->classes(hiss_frozen_method(m)) : 0};
    classifier *c = NULL;
    const hiss_status s = cli_load_classifier(d->comm, path, set, &by, &c, err);
    classifier_destroy(c);
    return hiss_config_blame(e->config, s, err);
}

/* What hiss eval opens and looks for before it works; e->data.verify is false. Collective. */
static void check_evaluation(const doctor *d, hiss_experiment *e, const hiss_eval_options *eval) {
    hiss_sample_range train, test;
    hiss_frozen *frozen = NULL;
    hiss_layer_size layer[HISS_MAX_TAPS];
    char samples[HISS_EVAL_SAMPLES];
    int layers = 0;
    hiss_error err = {0};
    hiss_status s =
        hiss_comm_agree(d->comm, hiss_eval_open(eval, &e->data, (uint64_t)e->seed, &train, &test, samples, &err), &err);
    if (s == HISS_OK) {
        s = hiss_frozen_create(e, train.set, &frozen, &err);
        if (s == HISS_OK) {
            s = cli_choose_layers(frozen, "--set eval.layers=NAME,...", eval->layers, &layers, layer, &err);
            hiss_config_blame(e->config, hiss_error_under_key(&err, s, "eval.layers"), &err);
        }
        s = hiss_comm_agree(d->comm, s, &err);
    }
    if (s == HISS_OK && eval->generation && eval->classifier) {
        s = check_classifier(d, e, eval->classifier, train.set, frozen, &err);
    }
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "hiss eval would fail: %s", err.text);
    } else {
        doctor_tell(d, FINDING_OK, "hiss eval: %lld training and %lld test samples, %d layer%s", (long long)train.count,
                    (long long)test.count, layers, layers == 1 ? "" : "s");
    }
    hiss_frozen_destroy(frozen);
    hiss_eval_close(&train, &test);
}

/* What the probes of a run open and look for before it begins. Collective. */
static void check_probes(const doctor *d, hiss_experiment *e, const hiss_eval_options *eval) {
    prober *p = NULL;
    hiss_error err = {0};
    if (prober_create(d->comm, e, eval, &p, &err) != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "hiss train would fail: %s", err.text);
    } else if (p) {
        doctor_tell(d, FINDING_OK, "probe: what it names is there");
    }
    prober_destroy(p);
}

/* ---- the command ---- */

static hiss_status examine(hiss_comm *comm, const void *options_, const char *config, const hiss_arguments *rest,
                           hiss_error *err) {
    const options *o = options_;
    const hiss_status once =
        o->threads ? cli_expect_once(rows, HISS_COUNT(rows), rest, "threads", "dist.threads", err) : HISS_OK;
    if (once != HISS_OK) {
        return once;
    }
    doctor_finding worst = FINDING_OK;
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_error wrong = {0};
    doctor d = {.comm = comm, .threads = o->threads ? o->threads : 1, .say = print, .user = &worst};
    hiss_status s = HISS_OK;
    hiss_dataset *set = NULL;
    hiss_log_warn_once(); /* the evaluation opens the same data */
    if (config) {
        s = cli_read_experiment(comm, config, rest->repeated, rest->nrepeated, &e, &eval, &wrong);
        d.threads = s == HISS_OK && !o->threads ? e.dist.threads : d.threads;
    }
    doctor_launch(&d);
    doctor_machines(&d);
    doctor_kernels(&d);
    doctor_system(&d);
    doctor_files(&d, o->run, o->write);
    doctor_network(&d, o->rate, o->latency);
    if (s != HISS_OK) {
        doctor_tell(&d, FINDING_FAIL, "%s", wrong.text);
    } else if (config && check_data(&d, &e, &set) && check_training(&d, &e, set)) {
        check_evaluation(&d, &e, &eval);
        check_probes(&d, &e, &eval);
    }
    hiss_dataset_close(set);
    if (e.config) {
        hiss_experiment_destroy(&e);
    }
    if (hiss_comm_max_i64(comm, worst) == FINDING_FAIL) {
        return hiss_fail(err, HISS_EUSER, "training or evaluation would fail here: see the lines that say FAIL");
    }
    return HISS_OK;
}

int cmd_doctor(int argc, char **argv) {
    options o = {0};
    const cli_task task = {.rows = rows,
                           .nrows = HISS_COUNT(rows),
                           .options = &o,
                           .help = &o.help,
                           .log = &o.log,
                           .print_help = help,
                           .run = examine};
    return cli_run(&task, argc, argv);
}
