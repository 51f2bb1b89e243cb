/* What a run has logged, for other programs: metrics.jsonl as an event file of TensorBoard, or as lines of MLPerf
 * logging. Both also of a run that goes on. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/export.h"
#include "hiss/events.h"
#include "hiss/file.h"
#include "hiss/metrics.h"
#include "hiss/number.h"
#include "hiss/run_directory.h"

/* A number of section.key of the config; -1: there is none. */
static double number_of(const hiss_yaml *config, const char *section, const char *key) {
    const hiss_yaml *in = *section ? hiss_yaml_get(config, section) : config;
    const char *text = in ? hiss_yaml_text(in, key) : NULL;
    double value = -1.0;
    return text && hiss_real_parse(text, &value) ? value : -1.0;
}

static hiss_status write_lines(hiss_arena *arena, const char *run, const hiss_metrics *metrics, FILE *out,
                               hiss_error *err) {
    char path[CLI_PATH];
    hiss_yaml *config = NULL;
    snprintf(path, sizeof path, "%.*s/config.yaml", CLI_PATH - 16, run);
    const hiss_status s = hiss_yaml_read(arena, path, &config, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_yaml *optim = hiss_yaml_get(config, "optim");
    const double lanes = number_of(config, "train", "lanes"), m = number_of(config, "train", "lane_samples");
    const hiss_mllog_run about = {.benchmark = hiss_yaml_text(config, "objective"),
                                  .file = "metrics.jsonl",
                                  .optimizer = optim ? hiss_yaml_text(optim, "method") : NULL,
                                  .rate = number_of(config, "optim", "lr"),
                                  .seed = number_of(config, "", "seed"),
                                  .batch = lanes > 0.0 && m > 0.0 ? lanes * m : -1.0,
                                  .ended = hiss_run_directory_has(run, "summary.yaml")};
    hiss_mllog_write(metrics, &about, out);
    return HISS_OK;
}

/* A folder of one event file; without it nothing is left of a folder that was not there. */
static hiss_status write_events(const char *folder, const char *bytes, size_t count, hiss_error *err) {
    const bool there = hiss_file_exists(folder);
    char path[CLI_PATH + 48];
    snprintf(path, sizeof path, "%s/events.out.tfevents.0.hiss", folder);
    hiss_status s = hiss_directories_make(folder, err);
    s = s == HISS_OK ? hiss_file_expect_writable(path, err) : s;
    s = s == HISS_OK ? hiss_file_write_verified(path, bytes, count, err) : s;
    if (s != HISS_OK && !there) {
        rmdir(folder);
    }
    return s;
}

hiss_status export_write_log(const export_options *o, const char *run, hiss_error *err) {
    const bool events = o->format == EXPORT_TENSORBOARD;
    char path[CLI_PATH], *bytes = NULL;
    size_t count = 0;
    hiss_metrics metrics;
    hiss_arena *arena = hiss_arena_create();
    snprintf(path, sizeof path, "%.*s/metrics.jsonl", CLI_PATH - 16, run);
    hiss_status s = cli_expect_metrics(run, err);
    s = s == HISS_OK && !events ? hiss_file_expect_writable(o->output, err) : s;
    s = s == HISS_OK ? hiss_metrics_read(arena, path, &metrics, err) : s;
    FILE *stream = hiss_text_open(&bytes, &count);
    if (s == HISS_OK && events) {
        hiss_events_write(&metrics, stream);
    } else if (s == HISS_OK) {
        s = write_lines(arena, run, &metrics, stream, err);
    }
    fclose(stream);
    if (s == HISS_OK) {
        s = events ? write_events(o->output, bytes, count, err)
                   : hiss_file_write_verified(o->output, bytes, count, err);
    }
    if (s == HISS_OK) {
        printf("%s: %lld lines of %s\n", o->output, (long long)metrics.lines, path);
    }
    free(bytes);
    hiss_arena_destroy(arena);
    return s;
}
