/* Shards, the order of samples, and batches.
 *
 * A lane's epoch is a walk through its shard of n samples, of which the first steps * m are used. The shard is cut, in
 * order, into groups of `window` samples, the last one short. Groups are visited in the order of the permutation keyed
 * by (seed, HISS_FOR_SHUFFLE, epoch, lane); the samples of a group in the order of the permutation keyed by
 * (..., lanes + the group's first sample). When the window is 0 or at least n there is one group, which is the whole
 * shard, and its permutation is the lane's own. Both permutations are computed, not stored, and a position is found
 * by arithmetic alone: only the place of the short group in the order has to be known.
 *
 * In memory mode the local lanes' samples are one piece, as their shards are neighbours, and a batch is m look-ups done
 * by the thread that asks for it. In stream mode the prefetch thread (prefetch.c) fills a ring of such batches; both
 * use data_order_at, so their batches are the same.
 *
 * Cost: about 0.3 us per sample for the permutation; nothing is copied in memory mode. */
#include <assert.h>
#include <string.h>

#include "copy.h"
#include "hiss/alloc.h"
#include "hiss/log.h"
#include "loader_impl.h"

enum { MODE_AUTO, MODE_MEMORY, MODE_STREAM };
static const double cheap = 4.0; /* rows decoded for one that may be streamed as they lie */
static const double mebibyte = 1048576.0;

void hiss_shards_partition(int64_t n, int64_t lanes, int64_t *shards) {
    int64_t base = n / lanes, longer = n % lanes;
    shards[0] = 0;
    for (int64_t l = 0; l < lanes; l++) {
        shards[l + 1] = shards[l] + base + (l < longer);
    }
}

/* ---- order ---- */

data_order data_order_of(uint64_t seed, int64_t epoch, int64_t lane, int64_t lanes, const int64_t *shards,
                         int64_t window) {
    data_order o = {.seed = seed,
                    .epoch = epoch,
                    .lane = lane,
                    .lanes = lanes,
                    .begin = shards[lane],
                    .count = shards[lane + 1] - shards[lane],
                    .inside_of = -1};
    o.window = window > 0 && window < o.count ? window : o.count;
    o.groups = (o.count + o.window - 1) / o.window;
    o.among = hiss_permutation_keyed(seed, HISS_FOR_SHUFFLE, epoch, lane, o.groups);
    o.short_at = o.count % o.window ? hiss_permutation_find(&o.among, o.groups - 1) : o.groups;
    return o;
}

int64_t data_order_at(data_order *o, int64_t position, int64_t *group_begin, int64_t *group_count) {
    assert(0 <= position && position < o->count);
    int64_t rest = o->count % o->window, place = position / o->window, offset = position % o->window;
    if (place >= o->short_at) {
        int64_t behind = position - o->short_at * o->window;
        place = behind < rest ? o->short_at : o->short_at + 1 + (behind - rest) / o->window;
        offset = behind < rest ? behind : (behind - rest) % o->window;
    }
    int64_t group = hiss_permutation_at(&o->among, place), begin = o->begin + group * o->window;
    int64_t count = rest && group == o->groups - 1 ? rest : o->window;
    if (group != o->inside_of) {
        o->inside = hiss_permutation_keyed(o->seed, HISS_FOR_SHUFFLE, o->epoch,
                                           o->groups == 1 ? o->lane : o->lanes + begin, count);
        o->inside_of = group;
    }
    if (group_begin) {
        *group_begin = begin;
        *group_count = count;
    }
    return begin + hiss_permutation_at(&o->inside, offset);
}

/* ---- slots ---- */

void data_ring_entry_create(data_ring_entry *slot, int64_t samples, bool labelled) {
    *slot = (data_ring_entry){.epoch = -1,
                              .sample = hiss_new(int64_t, samples),
                              .row = hiss_new(const uint8_t *, samples),
                              .label = labelled ? hiss_new(int32_t, samples) : NULL};
}

void data_ring_entry_destroy(data_ring_entry *slot) {
    hiss_free(slot->sample);
    hiss_free(slot->row);
    hiss_free(slot->label);
}

/* ---- the loader ---- */

static hiss_status start_memory(hiss_loader *loader, hiss_error *err) {
    int64_t begin = loader->shards[loader->first], count = loader->shards[loader->end] - begin;
    int64_t local = loader->end - loader->first;
    loader->rows = hiss_alloc((size_t)(count * loader->row));
    loader->order = hiss_new(data_order, local);
    loader->filled = hiss_new(bool, local);
    data_ring_entry_create(&loader->slot, local * loader->m, hiss_dataset_labelled(loader->set));
    return hiss_dataset_read(loader->set, begin, count, loader->rows, NULL, err);
}

/* What would make n samples enough for L lanes of m. */
static void advise_shards(int64_t n, int64_t lanes, int64_t m, char *out, size_t size) {
    const long long most_lanes = (long long)(n / m), most = (long long)(n / lanes);
    if (most_lanes > 0 && most > 0) {
        snprintf(out, size, "set train.lanes to at most %lld, or train.lane_samples to at most %lld", most_lanes, most);
    } else if (most_lanes > 0 || most > 0) {
        snprintf(out, size, "set %s to at most %lld", most > 0 ? "train.lane_samples" : "train.lanes",
                 most > 0 ? most : most_lanes);
    } else {
        snprintf(out, size, "lower both, to a product of at most %lld", (long long)n);
    }
}

hiss_status hiss_epoch_steps(const char *file, int64_t n, int64_t lanes, int64_t m, int64_t *steps, hiss_error *err) {
    *steps = n / lanes / m;
    if (*steps > 0) {
        return HISS_OK;
    }
    char advice[160];
    advise_shards(n, lanes, m, advice, sizeof advice);
    return hiss_fail(err, HISS_EUSER,
                     "%s has %lld sample%s: %lld lane%s of %lld, fewer than train.lane_samples = %lld; %s", file,
                     (long long)n, n == 1 ? "" : "s", (long long)lanes, lanes == 1 ? " gets a shard" : "s get shards",
                     (long long)(n / lanes), (long long)m, advice);
}

/* Decode the samples once, to where they can be streamed from. */
static hiss_status copy_decoded(hiss_loader *loader, const hiss_data_options *data, hiss_error *err) {
    hiss_dataset *set = loader->set;
    const int64_t begin = loader->shards[loader->first], end = loader->shards[loader->end];
    char why[DATA_COPY_WHY];
    data_fields_keep(set, data->memory / 2);
    const hiss_status status = data_copy_create(set, begin, end, data->memory / 2, &set->copy, why, err);
    data_fields_keep(set, data->memory / 4);
    if (!status && set->copy) {
        hiss_info(
            "data: data set %s lies in chunks that hold parts of %lld rows each and exceeds data.memory: %.1f MiB "
            "were decoded once, into %s, and are streamed from there",
            set->dearest, (long long)set->dearest_layout.rows_at_once, (double)((end - begin) * loader->row) / mebibyte,
            data_copy_folder(set->copy));
    } else if (!status) {
        const double cost = hiss_dataset_amplification(set, data->window);
        hiss_log(cost > cheap ? HISS_LOG_WARNING : HISS_LOG_INFO,
                 "data: data set %s lies in chunks that hold parts of %lld rows each, so "
                 "that each sample streamed costs the "
                 "decoding of %.1f; no decoded copy can be made: %s; or raise "
                 "data.memory, set data.window to as many or more, "
                 "or write the file without chunks (h5repack -l %s:CONTI OLD NEW)",
                 set->dearest, (long long)set->dearest_layout.rows_at_once, cost, why, set->dearest);
    }
    return status;
}

/* Whether samples are streamed. Those that are decoded many at a time are, if at all, from a copy. */
static hiss_status choose(hiss_loader *loader, const hiss_data_options *data, int64_t bytes, bool *stream,
                          hiss_error *err) {
    hiss_dataset *set = loader->set;
    *stream = bytes > 0 && (data->mode == MODE_STREAM || (data->mode == MODE_AUTO && bytes > data->memory));
    if (set->dearest_layout.chunk_bytes > data->memory) {
        return hiss_fail_key(
            err, HISS_EUSER, "data.memory",
            "%lld bytes; data set %s of %s lies in chunks of %lld bytes, which can only be decoded as a "
            "whole: allow as much, or write the file without chunks (h5repack -l %s:CONTI OLD "
            "NEW)",
            (long long)data->memory, set->dearest, set->path, (long long)set->dearest_layout.chunk_bytes, set->dearest);
    }
    const bool dear = hiss_dataset_amplification(set, 0) > cheap;
    if (!dear || bytes == 0) {
        return HISS_OK;
    }
    if (*stream && bytes > data->memory) {
        return copy_decoded(loader, data, err);
    }
    hiss_info("data: data set %s lies in chunks that hold parts of %lld rows each: decoded once, into memory",
              set->dearest, (long long)set->dearest_layout.rows_at_once);
    *stream = false;
    data_fields_keep(set, data->memory > bytes ? data->memory - bytes : 0);
    return HISS_OK;
}

hiss_status hiss_loader_create(const hiss_loader_options *options, hiss_loader **out, hiss_error *err) {
    int64_t n = hiss_dataset_count(options->set), L = options->lanes, m = options->m;
    assert(L >= 1 && m >= 1 && 0 <= options->first_lane && options->first_lane <= options->end_lane &&
           options->end_lane <= L);
    int64_t steps;
    const hiss_status enough = hiss_epoch_steps(hiss_dataset_file(options->set), n, L, m, &steps, err);
    if (enough != HISS_OK) {
        return enough;
    }
    hiss_loader *loader = hiss_new(hiss_loader, 1);
    *loader = (hiss_loader){.set = options->set,
                            .trace = options->trace,
                            .seed = options->seed,
                            .lanes = L,
                            .first = options->first_lane,
                            .end = options->end_lane,
                            .m = m,
                            .window = options->data->window,
                            .steps = steps,
                            .row = hiss_dataset_row(options->set),
                            .shards = hiss_new(int64_t, L + 1)};
    hiss_shards_partition(n, L, loader->shards);
    int64_t bytes = (loader->shards[loader->end] - loader->shards[loader->first]) * loader->row;
    bool stream;
    hiss_status status = choose(loader, options->data, bytes, &stream, err);
    if (status) {
        hiss_loader_destroy(loader);
        return status;
    }
    hiss_info("data: %lld samples, %lld lanes, %lld steps per epoch, %.1f MiB of samples %s", (long long)n,
              (long long)L, (long long)loader->steps, (double)bytes / mebibyte, stream ? "streamed" : "in memory");
    status = stream ? data_prefetch_create(loader, options->data->memory, &loader->prefetch, err)
                    : start_memory(loader, err);
    data_fields_keep(loader->set, options->data->memory / 4);
    if (status) {
        hiss_loader_destroy(loader);
        return status;
    }
    *out = loader;
    return HISS_OK;
}

void hiss_loader_destroy(hiss_loader *loader) {
    if (loader) {
        data_prefetch_destroy(loader->prefetch);
        data_copy_destroy(loader->set->copy);
        loader->set->copy = NULL;
        data_ring_entry_destroy(&loader->slot);
        hiss_free(loader->rows);
        hiss_free(loader->order);
        hiss_free(loader->filled);
        hiss_free(loader->shards);
        hiss_free(loader);
    }
}

bool hiss_loader_streams(const hiss_loader *loader) {
    return loader->prefetch != NULL;
}

int64_t hiss_loader_bytes(const hiss_loader *loader) {
    return loader->prefetch ? data_prefetch_bytes(loader->prefetch)
                            : (loader->shards[loader->end] - loader->shards[loader->first]) * loader->row;
}

int64_t hiss_loader_steps(const hiss_loader *loader) {
    return loader->steps;
}

double hiss_loader_waited(const hiss_loader *loader) {
    return loader->waited;
}

void hiss_loader_seek(hiss_loader *loader, int64_t epoch, int64_t step) {
    assert(epoch >= 0 && 0 <= step && step < loader->steps);
    loader->epoch = epoch;
    loader->step = step;
    if (loader->prefetch) {
        data_prefetch_seek(loader->prefetch, epoch, step);
    }
}

static void enter_memory(hiss_loader *loader) {
    int64_t local = loader->end - loader->first;
    for (int64_t i = 0; i < local && loader->slot.epoch != loader->epoch; i++) {
        loader->order[i] = data_order_of(loader->seed, loader->epoch, loader->first + i, loader->lanes, loader->shards,
                                         loader->window);
    }
    loader->slot.epoch = loader->epoch;
    loader->slot.step = loader->step;
    memset(loader->filled, 0, sizeof(bool) * (size_t)local);
    loader->entered = &loader->slot;
}

hiss_status hiss_loader_next(hiss_loader *loader, int64_t *epoch, int64_t *step, hiss_error *err) {
    if (loader->prefetch) {
        hiss_status status = data_prefetch_next(loader->prefetch, &loader->entered, &loader->waited, err);
        if (status) {
            return status;
        }
    } else {
        enter_memory(loader);
    }
    *epoch = loader->entered->epoch;
    *step = loader->entered->step;
    bool last = loader->step + 1 == loader->steps;
    loader->epoch += last;
    loader->step = last ? 0 : loader->step + 1;
    return HISS_OK;
}

static void fill_lane(hiss_loader *loader, int64_t i) {
    const data_ring_entry *slot = &loader->slot;
    for (int64_t j = 0; j < loader->m; j++) {
        int64_t k = i * loader->m + j;
        int64_t sample = data_order_at(&loader->order[i], slot->step * loader->m + j, NULL, NULL);
        slot->sample[k] = sample;
        slot->row[k] = loader->rows + (sample - loader->shards[loader->first]) * loader->row;
        if (slot->label) {
            slot->label[k] = data_set_label(loader->set, sample);
        }
    }
    loader->filled[i] = true;
}

hiss_batch hiss_loader_batch(hiss_loader *loader, int64_t lane) {
    assert(loader->first <= lane && lane < loader->end && loader->entered);
    int64_t i = lane - loader->first;
    if (!loader->prefetch && !loader->filled[i]) {
        fill_lane(loader, i);
    }
    const data_ring_entry *slot = loader->entered;
    return (hiss_batch){.m = loader->m,
                        .sample = slot->sample + i * loader->m,
                        .row = slot->row + i * loader->m,
                        .label = slot->label ? slot->label + i * loader->m : NULL};
}
