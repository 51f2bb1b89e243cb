/* The model: slots and sharing, the layout of the flat vector, initial values, and what the hash depends on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "hiss/nn.h"

static hiss_slot parameter_slot(const char *name, hiss_shape shape, int group) {
    return (hiss_slot){.name = name, .kind = HISS_SLOT_PARAMETER, .shape = shape, .group = group, .deviation = 1.0};
}

static void test_slots_are_found_by_name(void **state) {
    (void)state;
    hiss_model *m = hiss_model_create();
    char name[16] = "fc/weight";
    hiss_slot slot = parameter_slot(name, HISS_SHAPE(3, 5), 0);
    const int a = hiss_model_slot(m, &slot);
    assert_int_equal(hiss_model_find(m, "fc/weight"), a);
    strcpy(name, "other"); /* the model keeps a copy of the name */
    assert_string_equal(hiss_model_at(m, a)->name, "fc/weight");
    assert_int_equal(hiss_model_at(m, a)->count, 15);
    const int b = hiss_model_slot(m, &slot);
    assert_true(b != a);
    assert_int_equal(hiss_model_count(m), 2);
    assert_int_equal(hiss_model_find(m, "nobody"), -1);
    assert_int_equal(hiss_model_find(m, "fc/weigh"), -1);
    hiss_model_destroy(m);
    hiss_model_destroy(NULL);
    assert_int_equal(hiss_alloc_live(), 0);
}

static void test_sharing(void **state) {
    (void)state;
    hiss_model *m = hiss_model_create();
    hiss_slot slot = parameter_slot("w", HISS_SHAPE(4, 2), 1);
    const int a = hiss_model_slot(m, &slot);
    slot.group = 0; /* the first to name a slot decides group and start */
    slot.deviation = 7.0;
    assert_int_equal(hiss_model_slot(m, &slot), a);
    assert_int_equal(hiss_model_at(m, a)->group, 1);
    assert_true(hiss_model_at(m, a)->deviation == 1.0);
    slot.shape = HISS_SHAPE(2, 4);
    assert_int_equal(hiss_model_slot(m, &slot), -1);
    slot.shape = HISS_SHAPE(8);
    assert_int_equal(hiss_model_slot(m, &slot), -1);
    slot.shape = HISS_SHAPE(4, 2);
    slot.kind = HISS_SLOT_BUFFER;
    assert_int_equal(hiss_model_slot(m, &slot), -1);
    assert_int_equal(hiss_model_count(m), 1);
    hiss_model_layout(m);
    slot.kind = HISS_SLOT_PARAMETER; /* known slots can be looked up when the layout is fixed */
    assert_int_equal(hiss_model_slot(m, &slot), a);
    hiss_model_destroy(m);
}

/* A name stands for the slot, and for all within it; nothing that only begins alike, and no metric. */
static void names_freeze_what_lies_within_them(void **state) {
    (void)state;
    static const char *const names[] = {"conv1", "fc/weight", "loss"};
    static const struct {
        const char *name;
        hiss_slot_kind kind;
        bool frozen;
    } slots[] = {{"conv1/weight", HISS_SLOT_PARAMETER, true},      {"conv1/norm/mean", HISS_SLOT_BUFFER, true},
                 {"conv10/weight", HISS_SLOT_PARAMETER, false},    {"part/conv1/weight", HISS_SLOT_PARAMETER, false},
                 {"fc/weight", HISS_SLOT_PARAMETER, true},         {"fc/bias", HISS_SLOT_PARAMETER, false},
                 {"fc/weights/other", HISS_SLOT_PARAMETER, false}, {"loss", HISS_SLOT_METRIC, false}};
    hiss_model *m = hiss_model_create();
    hiss_slot before = parameter_slot("conv1/bias", HISS_SHAPE(2), 0);
    hiss_model_slot(m, &before);
    hiss_model_freeze(m, HISS_COUNT(names), names);
    for (int k = 0; k < HISS_COUNT(slots); k++) {
        const hiss_slot slot = {.name = slots[k].name, .kind = slots[k].kind, .shape = HISS_SHAPE(2)};
        assert_int_equal(hiss_model_at(m, hiss_model_slot(m, &slot))->frozen, slots[k].frozen);
    }
    assert_false(hiss_model_at(m, 0)->frozen); /* it was there before */
    hiss_model_destroy(m);
}

/* Slots in scrambled order of kinds and groups, more than the first capacity. */
static hiss_model *mixed_model(void) {
    hiss_model *m = hiss_model_create();
    for (int k = 0; k < 75; k++) {
        char name[16];
        snprintf(name, sizeof name, "slot%d", k);
        const hiss_slot_kind kind = k % 5 == 1 ? HISS_SLOT_BUFFER : k % 5 == 3 ? HISS_SLOT_METRIC : HISS_SLOT_PARAMETER;
        hiss_slot slot = {.name = name, .kind = kind, .shape = HISS_SHAPE(1 + k % 33), .group = (k * 7) % 4};
        assert_int_equal(hiss_model_slot(m, &slot), k);
    }
    hiss_model_layout(m);
    return m;
}

static int rank_of(const hiss_slot *slot) { /* parameters by group, then buffers, then metrics */
    return slot->kind == HISS_SLOT_PARAMETER ? slot->group : slot->kind == HISS_SLOT_BUFFER ? 100 : 200;
}

static void test_layout(void **state) {
    (void)state;
    hiss_model *m = mixed_model();
    const int64_t floats = hiss_model_floats(m);
    char *taken = hiss_new(char, floats);
    int64_t sum = 0, parameters = 0;
    for (int s = 0; s < hiss_model_count(m); s++) {
        const hiss_slot *slot = hiss_model_at(m, s);
        assert_int_equal(slot->offset % 16, 0);
        assert_int_equal(slot->offset, hiss_model_offsets(m)[s]);
        assert_true(slot->offset >= 0 && slot->offset + slot->count <= floats);
        for (int64_t i = 0; i < slot->count; i++) {
            assert_false(taken[slot->offset + i]);
            taken[slot->offset + i] = 1;
        }
        sum += (slot->count + 15) / 16 * 16;
        parameters += slot->kind == HISS_SLOT_PARAMETER ? slot->count : 0;
        for (int t = 0; t < s; t++) { /* by kind and group; within these in the order in which they were made */
            const hiss_slot *before = hiss_model_at(m, t);
            assert_true(rank_of(before) <= rank_of(slot) ? before->offset < slot->offset
                                                         : before->offset > slot->offset);
        }
    }
    assert_int_equal(floats, sum); /* nothing but padding to 16 in between */
    assert_int_equal(hiss_model_parameters(m), parameters);
    hiss_free(taken);
    hiss_model_destroy(m);
}

static hiss_model *two_weights(bool other_first, const char *second) {
    hiss_model *m = hiss_model_create();
    hiss_slot first = parameter_slot("first", HISS_SHAPE(100, 101), 0);
    hiss_slot other = parameter_slot(second, HISS_SHAPE(50, 40), 0);
    hiss_slot start = {.name = "gamma", .kind = HISS_SLOT_PARAMETER, .shape = HISS_SHAPE(5), .constant = 1.5};
    hiss_slot variance = {.name = "variance", .kind = HISS_SLOT_BUFFER, .shape = HISS_SHAPE(5), .constant = 1.0};
    hiss_slot loss = {.name = "loss", .kind = HISS_SLOT_METRIC, .shape = HISS_SHAPE(1), .constant = 0.0};
    other.deviation = 0.125;
    other.group = other_first ? 0 : 1;
    first.group = other_first ? 1 : 0;
    hiss_model_slot(m, &first);
    hiss_model_slot(m, &other);
    hiss_model_slot(m, &start);
    hiss_model_slot(m, &variance);
    hiss_model_slot(m, &loss);
    hiss_model_layout(m);
    return m;
}

static const float *values_of(const hiss_model *m, const float *vector, const char *name) {
    return vector + hiss_model_at(m, hiss_model_find(m, name))->offset;
}

static float *new_values(const hiss_model *m, uint64_t seed) {
    float *vector = hiss_new(float, hiss_model_floats(m));
    memset(vector, 0x5a, sizeof(float) * (size_t)hiss_model_floats(m)); /* padding must be zeroed */
    hiss_model_initialize(m, seed, vector);
    return vector;
}

static void test_initial_values(void **state) {
    (void)state;
    hiss_model *m = two_weights(false, "second");
    float *a = new_values(m, 11), *b = new_values(m, 11), *c = new_values(m, 12);
    assert_memory_equal(a, b, sizeof(float) * (size_t)hiss_model_floats(m));
    for (int s = 0; s < hiss_model_count(m); s++) {
        const hiss_slot *slot = hiss_model_at(m, s);
        const float *v = a + slot->offset;
        const double n = (double)slot->count;
        double sum = 0.0, squares = 0.0;
        int equal = 0;
        for (int64_t i = 0; i < slot->count; i++) {
            sum += (double)v[i];
            squares += (double)v[i] * (double)v[i];
            equal += v[i] == c[slot->offset + i];
            assert_true(slot->deviation > 0.0 || v[i] == (float)slot->constant);
        }
        for (int64_t i = slot->count; i % 16; i++) {
            assert_true(v[i] == 0.0f);
        }
        if (slot->deviation > 0.0) { /* five standard errors */
            assert_true(fabs(sum / n) < 5.0 * slot->deviation / sqrt(n));
            assert_true(fabs(sqrt(squares / n) / slot->deviation - 1.0) < 5.0 / sqrt(2.0 * n));
            assert_true(equal < 5);
        }
    }
    assert_true(values_of(m, a, "gamma")[4] == 1.5f && values_of(m, a, "variance")[0] == 1.0f);
    hiss_free(a);
    hiss_free(b);
    hiss_free(c);
    hiss_model_destroy(m);
}

/* A slot's values depend on seed and slot number alone: not on its place, nor on what else the model holds. */
static void test_initial_values_stand_alone(void **state) {
    (void)state;
    hiss_model *m = two_weights(false, "second"), *moved = two_weights(true, "second"), *small = hiss_model_create();
    hiss_slot first = parameter_slot("first", HISS_SHAPE(100, 101), 0);
    hiss_model_slot(small, &first);
    hiss_model_layout(small);
    float *a = new_values(m, 11), *b = new_values(moved, 11), *c = new_values(small, 11);
    assert_true(hiss_model_at(m, 0)->offset != hiss_model_at(moved, 0)->offset);
    assert_memory_equal(values_of(m, a, "first"), values_of(moved, b, "first"), sizeof(float) * 10100);
    assert_memory_equal(values_of(m, a, "first"), values_of(small, c, "first"), sizeof(float) * 10100);
    assert_memory_equal(values_of(m, a, "second"), values_of(moved, b, "second"), sizeof(float) * 2000);
    int equal = 0;
    for (int i = 0; i < 2000; i++) {
        equal += values_of(m, a, "first")[i] * 0.125f == values_of(m, a, "second")[i];
    }
    assert_true(equal < 5);
    hiss_free(a);
    hiss_free(b);
    hiss_free(c);
    hiss_model_destroy(m);
    hiss_model_destroy(moved);
    hiss_model_destroy(small);
}

static const char *hash_of(const hiss_model *m, const float *vector, char text[HISS_HASH_TEXT]) {
    hiss_model_hash(m, vector, text);
    return text;
}

static void test_hash_sees_values(void **state) {
    (void)state;
    char base[HISS_HASH_TEXT], now[HISS_HASH_TEXT];
    hiss_model *m = two_weights(false, "second");
    float *v = new_values(m, 11);
    hash_of(m, v, base);
    for (int s = 0; s < hiss_model_count(m); s++) {
        const hiss_slot *slot = hiss_model_at(m, s);
        const bool counts = slot->kind != HISS_SLOT_METRIC;
        const int64_t at[] = {slot->offset, slot->offset + slot->count - 1};
        for (int k = 0; k < 2; k++) {
            const float old = v[at[k]];
            v[at[k]] = nextafterf(old, 100.0f); /* the last bit */
            assert_int_equal(strcmp(base, hash_of(m, v, now)) != 0, counts);
            v[at[k]] = old;
        }
        for (int64_t i = slot->count; i % 16; i++) { /* padding */
            v[slot->offset + i] = 9.0f;
        }
    }
    assert_string_equal(base, hash_of(m, v, now));
    float *first = v + hiss_model_at(m, 0)->offset;
    first[0] = 0.0f;
    hash_of(m, v, base);
    first[0] = -0.0f; /* bits, not numbers */
    assert_string_not_equal(base, hash_of(m, v, now));
    hiss_free(v);
    hiss_model_destroy(m);
}

static void test_hash_sees_names_and_slot_order_only(void **state) {
    (void)state;
    char a[HISS_HASH_TEXT], b[HISS_HASH_TEXT];
    hiss_model *m = two_weights(false, "second"), *moved = two_weights(true, "second"),
               *renamed = two_weights(false, "Second");
    float *v = new_values(m, 11), *w = new_values(moved, 11), *x = new_values(renamed, 11);
    assert_string_equal(hash_of(m, v, a), hash_of(moved, w, b)); /* other places, same slots */
    assert_string_not_equal(a, hash_of(renamed, x, b));
    hiss_free(v);
    hiss_free(w);
    hiss_free(x);
    hiss_model_destroy(m);
    hiss_model_destroy(moved);
    hiss_model_destroy(renamed);

    hiss_model *pair[2];
    for (int k = 0; k < 2; k++) { /* equal values, another order of slots; a metric in between does not count */
        pair[k] = hiss_model_create();
        for (int j = 0; j < 2; j++) {
            hiss_slot slot = parameter_slot(j == k ? "one" : "two", HISS_SHAPE(3), 0);
            slot.deviation = 0.0;
            hiss_model_slot(pair[k], &slot);
        }
        hiss_model_layout(pair[k]);
    }
    v = new_values(pair[0], 1);
    w = new_values(pair[1], 1);
    assert_string_not_equal(hash_of(pair[0], v, a), hash_of(pair[1], w, b));
    hiss_model *with_metric = hiss_model_create();
    hiss_slot metric = {.name = "loss", .kind = HISS_SLOT_METRIC, .shape = HISS_SHAPE(1), .constant = 3.0};
    hiss_model_slot(with_metric, &metric);
    for (int j = 0; j < 2; j++) {
        hiss_slot slot = parameter_slot(j == 0 ? "one" : "two", HISS_SHAPE(3), 0);
        slot.deviation = 0.0;
        hiss_model_slot(with_metric, &slot);
    }
    hiss_model_layout(with_metric);
    x = new_values(with_metric, 1);
    assert_string_equal(a, hash_of(with_metric, x, b));
    hiss_free(v);
    hiss_free(w);
    hiss_free(x);
    hiss_model_destroy(pair[0]);
    hiss_model_destroy(pair[1]);
    hiss_model_destroy(with_metric);
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slots_are_found_by_name),
                                       cmocka_unit_test(test_sharing),
                                       cmocka_unit_test(names_freeze_what_lies_within_them),
                                       cmocka_unit_test(test_layout),
                                       cmocka_unit_test(test_initial_values),
                                       cmocka_unit_test(test_initial_values_stand_alone),
                                       cmocka_unit_test(test_hash_sees_values),
                                       cmocka_unit_test(test_hash_sees_names_and_slot_order_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
