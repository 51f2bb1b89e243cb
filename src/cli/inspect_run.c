/* What the directory of a run holds. */
#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"
#include "hiss/file.h"
#include "hiss/run_directory.h"
#include "hiss/snapshot.h"

/* Facts of summary.yaml for people, in its order; programs get all of it. */
static const char *const shown[][2] = {{NULL, "result"},
                                       {NULL, "steps"},
                                       {NULL, "epochs"},
                                       {NULL, "steps_per_epoch"},
                                       {NULL, "parameters"},
                                       {NULL, "parameters_sha256"},
                                       {NULL, "assignment_sha256"},
                                       {"identity", "version"},
                                       {"identity", "kernels"},
                                       {"identity", "data"},
                                       {"identity", "config_sha256"},
                                       {"machine", "host"},
                                       {"machine", "system"},
                                       {"machine", "ranks"},
                                       {"machine", "threads"},
                                       {NULL, "seconds"}};

static void say_summary(facts *f, const hiss_yaml *summary) {
    facts_tree(f, "summary", summary);
    for (int k = 0; k < HISS_COUNT(shown) && !f->json; k++) {
        const hiss_yaml *at = shown[k][0] ? hiss_yaml_get(summary, shown[k][0]) : summary;
        facts_text(f, shown[k][1], hiss_yaml_text(at, shown[k][1]));
    }
}

/* The name of each of these files that is there. */
static void say_files(facts *f, const char *run) {
    static const char *const names[] = {"config.yaml", "metrics.jsonl", "summary.yaml", "curves.svg",
                                        "eval.txt",    "eval.json",     "query.png",    "report.html"};
    char lines[256] = "";
    for (int k = 0; k < HISS_COUNT(names); k++) {
        const size_t used = strlen(lines);
        if (hiss_run_directory_has(run, names[k])) {
            snprintf(lines + used, sizeof lines - used, "%s\n", names[k]);
        }
    }
    facts_names(f, "files", lines);
}

static void say_checkpoints(facts *f, const char *run, const char *newest) {
    int64_t *steps = NULL;
    const int n = hiss_snapshot_list(run, &steps);
    char *lines = NULL;
    size_t size = 0;
    FILE *text = hiss_text_open(&lines, &size);
    for (int k = 0; k < n; k++) {
        fprintf(text, "step-%lld.h5\n", (long long)steps[k]);
    }
    fclose(text);
    facts_names(f, "checkpoints", lines);
    facts_text(f, "newest", newest);
    free(lines);
    hiss_free(steps);
}

hiss_status inspect_run(const char *run, const inspect_options *o, facts *f, hiss_error *err) {
    char path[CLI_PATH], newest[CLI_PATH];
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *config = NULL, *summary = NULL;
    snprintf(path, sizeof path, "%.*s/config.yaml", CLI_PATH - 16, run);
    hiss_status s = hiss_yaml_read(arena, path, &config, err);
    unsigned char *text = NULL;
    size_t size = 0;
    if (s == HISS_OK && !(text = hiss_file_bytes(path, &size))) {
        s = hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read; check its permissions", path);
    }
    snprintf(path, sizeof path, "%.*s/summary.yaml", CLI_PATH - 16, run);
    s = s == HISS_OK && hiss_file_exists(path) ? hiss_yaml_read(arena, path, &summary, err) : s;
    s = s == HISS_OK ? hiss_checkpoint_newest(run, false, newest, sizeof newest, err) : s;
    if (s == HISS_OK) {
        facts_text(f, "kind", "run");
        facts_text(f, "objective", hiss_yaml_text(config, "objective"));
        facts_flag(f, "finished", summary != NULL);
        say_summary(f, summary);
        say_checkpoints(f, run, newest);
        say_files(f, run);
        facts_config(f, run, (const char *)text, o->config);
    }
    hiss_free(text);
    hiss_arena_destroy(arena);
    return s;
}
