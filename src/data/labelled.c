/* Few labels: so many samples of each class, drawn by seed.
 *
 * The draw of a class is a keyed permutation of its samples in order of index. It does not depend on ranks, nor on what
 * the samples are used for: draw 0 of N samples is what evaluation calls its first draw of N labels per class. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/data.h"

hiss_class_members hiss_class_members_of(int64_t n, const int32_t *label, int64_t classes) {
    hiss_class_members m = {
        .samples = n, .classes = classes, .start = hiss_new(int64_t, classes + 1), .member = hiss_new(int64_t, n)};
    int64_t *next = hiss_new(int64_t, classes + 1);
    for (int64_t i = 0; i < n; i++) {
        if (label[i] >= 0 && label[i] < classes) {
            m.start[label[i] + 1]++;
        }
    }
    for (int64_t c = 0; c < classes; c++) {
        m.start[c + 1] += m.start[c];
    }
    memcpy(next, m.start, sizeof(int64_t) * (size_t)(classes + 1));
    for (int64_t i = 0; i < n; i++) {
        if (label[i] >= 0 && label[i] < classes) {
            m.member[next[label[i]]++] = i;
        }
    }
    hiss_free(next);
    return m;
}

void hiss_class_members_free(hiss_class_members *members) {
    hiss_free(members->start);
    hiss_free(members->member);
    *members = (hiss_class_members){0};
}

int64_t hiss_class_members_draw(const hiss_class_members *members, uint64_t seed, int64_t number, int64_t each,
                                int64_t **index) {
    const int64_t *start = members->start;
    bool *drawn = hiss_new(bool, members->samples);
    int64_t count = 0;
    for (int64_t c = 0; c < members->classes; c++) {
        const int64_t there = start[c + 1] - start[c];
        if (there == 0) {
            continue;
        }
        const hiss_permutation order = hiss_permutation_keyed(seed, HISS_FOR_EVALUATION, number, c, there);
        for (int64_t i = 0; i < each && i < there; i++, count++) {
            drawn[members->member[start[c] + hiss_permutation_at(&order, i)]] = true;
        }
    }
    *index = hiss_new(int64_t, count);
    for (int64_t i = 0, place = 0; i < members->samples; i++) {
        if (drawn[i]) {
            (*index)[place++] = i;
        }
    }
    hiss_free(drawn);
    return count;
}

/* ---- of a data set ---- */

static hiss_status fail_unlabelled(const hiss_dataset *set, int64_t each, hiss_error *err) {
    return hiss_fail_key(err, HISS_EUSER, "data.labelled",
                         "%lld samples of each class are to be learnt from with their labels, but %s has none; name "
                         "its data set of labels in data.labels, or set data.labelled to 0",
                         (long long)each, hiss_dataset_file(set));
}

static hiss_status expect_enough(const hiss_dataset *set, const hiss_class_members *members, int64_t each,
                                 hiss_error *err) {
    int64_t least = 0;
    for (int64_t c = 1; c < members->classes; c++) {
        least =
            members->start[c + 1] - members->start[c] < members->start[least + 1] - members->start[least] ? c : least;
    }
    const int64_t there = members->start[least + 1] - members->start[least];
    return there >= each
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "data.labelled",
                               "%lld samples of each class are wanted, but class '%s' has %lld among the %lld "
                               "samples of %s; lower data.labelled, or raise data.limit where that is set",
                               (long long)each, hiss_dataset_class(set, least), (long long)there,
                               (long long)members->samples, hiss_dataset_file(set));
}

hiss_status hiss_labelled_read(hiss_dataset *set, int64_t each, uint64_t seed, hiss_samples **out, int64_t *count,
                               hiss_error *err) {
    *out = NULL;
    *count = 0;
    if (!hiss_dataset_labelled(set)) {
        return fail_unlabelled(set, each, err);
    }
    const int64_t n = hiss_dataset_count(set);
    int32_t *label = hiss_new(int32_t, n);
    hiss_status s = hiss_dataset_read(set, 0, n, NULL, label, err);
    hiss_class_members members = {0};
    if (s == HISS_OK) {
        members = hiss_class_members_of(n, label, hiss_dataset_classes(set));
        s = expect_enough(set, &members, each, err);
    }
    if (s == HISS_OK) {
        hiss_sample_range range = {.set = set};
        range.count = *count = hiss_class_members_draw(&members, seed, 0, each, &range.index);
        *out = hiss_samples_create(set, range.count);
        s = hiss_samples_read(*out, &range, 0, range.count, err);
        hiss_free(range.index);
    }
    hiss_class_members_free(&members);
    hiss_free(label);
    return s;
}
