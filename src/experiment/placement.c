/* What an experiment computes with a data set, and which lanes of it this rank runs. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/experiment.h"

hiss_data_options hiss_experiment_data(const hiss_experiment *e) {
    hiss_data_options data = e->data;
    const hiss_objective_ops *o = e->objective;
    const bool needed = hiss_objective_needs_labels(o, e->objective_options) != NULL;
    data.label_use = needed ? HISS_LABELS_NEEDED : data.labelled > 0 ? HISS_LABELS_CHECKED : HISS_LABELS_OPTIONAL;
    const bool unit = o->unit_pixels && o->unit_pixels(e->objective_options);
    data.unit_pixels = unit ? o->name : NULL;
    return data;
}

hiss_status hiss_experiment_task(hiss_experiment *e, const hiss_dataset *set, hiss_task *out, hiss_error *err) {
    int64_t H, W, C;
    hiss_status s = hiss_objective_expect(e->objective, set, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_dataset_shape(set, &H, &W, &C);
    s = hiss_augment_check(&e->augment, H, W, C, err);
    *out = (hiss_task){.seed = (uint64_t)e->seed,
                       .stored_H = H,
                       .stored_W = W,
                       .H = e->augment.height,
                       .W = e->augment.width,
                       .C = C,
                       .classes = e->classes > 0 ? e->classes : hiss_dataset_classes(set),
                       .vocabulary = hiss_dataset_vocabulary(set),
                       .sound = hiss_dataset_sound(set),
                       .labelled = e->data.labelled,
                       .kernels = &e->kernels,
                       .augment = &e->augment,
                       .network = &e->network};
    out->fields = hiss_dataset_fields(set, &out->field);
    return s;
}

hiss_status hiss_experiment_place(const hiss_experiment *e, const hiss_dataset *set, hiss_comm *comm,
                                  hiss_placement *out, hiss_error *err) {
    const int64_t L = e->train.lanes, m = e->train.lane_samples, n = hiss_dataset_count(set);
    const int P = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    int64_t steps;
    const hiss_status s = hiss_epoch_steps(hiss_dataset_file(set), n, L, m, &steps, err);
    if (s != HISS_OK && e->data.limit > 0 && n == e->data.limit) {
        return hiss_fail_key(err, s, "data.limit",
                             "%lld, fewer samples than the %lld that a step takes (train.lanes %lld of "
                             "train.lane_samples %lld); set it to at least %lld, or 0 for all, or lower these",
                             (long long)n, (long long)(L * m), (long long)L, (long long)m, (long long)(L * m));
    }
    if (s != HISS_OK) {
        char lanes[HISS_WHERE], samples[HISS_WHERE];
        hiss_config_where(e->config, "train.lanes", lanes);
        hiss_config_where(e->config, "train.lane_samples", samples);
        const bool other = strncmp(samples, "--set", 5) == 0 && strncmp(lanes, "--set", 5) != 0; /* what was changed */
        const bool lanes_help = L > 1 && n >= m, samples_help = n >= L;
        const bool those = lanes_help == samples_help ? other : samples_help;
        return hiss_error_under_key(err, s, those ? "train.lane_samples" : "train.lanes");
    }
    int64_t *shards = hiss_new(int64_t, L + 1), *lane_offsets = hiss_new(int64_t, P + 1);
    hiss_shards_partition(n, L, shards);
    hiss_partition(L, P, lane_offsets);
    const int64_t own = lane_offsets[rank + 1] - lane_offsets[rank], most = own > 1 ? own : 1;
    *out = (hiss_placement){.samples = n,
                            .lanes = L,
                            .m = m,
                            .steps_per_epoch = steps,
                            .data = hiss_dataset_file(set),
                            .shards = shards,
                            .lane_offsets = lane_offsets,
                            .first_lane = lane_offsets[rank],
                            .end_lane = lane_offsets[rank + 1],
                            .threads = (int)(e->dist.threads < most ? e->dist.threads : most),
                            .comm = comm};
    return HISS_OK;
}

bool hiss_placement_idles(const hiss_placement *p, char *text, size_t size) {
    const int P = hiss_comm_size(p->comm);
    const long long L = p->lanes, idle = P - L;
    snprintf(text, size,
             "%d ranks, but train.lanes is %lld: %lld rank%s no lane and only wait%s for the others; start at most "
             "%lld, or set train.lanes to %d or more (another computation)",
             P, L, idle, idle > 1 ? "s have" : " has", idle > 1 ? "" : "s", L, P);
    return idle > 0;
}

void hiss_placement_destroy(hiss_placement *placement) {
    hiss_free((int64_t *)(uintptr_t)placement->shards);
    hiss_free((int64_t *)(uintptr_t)placement->lane_offsets);
    memset(placement, 0, sizeof *placement);
}
