/* bfloat16 on the wire: rounding against candidates that are compared in double, packing in place at every length, changes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/wire_impl.h"

enum { MOST = 70 };

static float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t draw(uint64_t *key) {
    *key = *key * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*key >> 32);
}

/* Of the two numbers of 8 bits of precision around a finite one, the nearer; of two alike, the one whose last bit is 0. A
 * number beyond the largest of them has infinity above it, which stands for 2^128. */
static float nearest(float value) {
    const uint32_t low = bits_of(value) & 0xffff0000u, high = low + 0x10000u;
    const double size = fabs((double)value), below = fabs((double)of_bits(low));
    const double above = (high & 0x7fffffffu) == 0x7f800000u ? ldexp(1.0, 128) : fabs((double)of_bits(high));
    const bool up = above - size < size - below || (above - size == size - below && (low & 0x10000u));
    return of_bits(up ? high : low);
}

static void check_rounding(float value) {
    float mine = value;
    comm_wire_round(&mine, 1);
    assert_int_equal(bits_of(mine), bits_of(nearest(value)));
}

static void rounds_to_nearest(void **state) {
    (void)state;
    uint64_t key = 1;
    for (int k = 0; k < 200000; k++) {
        const uint32_t bits = draw(&key);
        if ((bits & 0x7f800000u) != 0x7f800000u) {
            check_rounding(of_bits(bits));
            check_rounding(of_bits((bits & 0xffff0000u) | 0x8000u)); /* ties */
        }
    }
    const float ends[] = {0.0f, -0.0f, 1.0f, 3.4028234e38f, -3.4028234e38f, 1e-45f, 1.1754944e-38f};
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        check_rounding(ends[k]);
    }
}

static void keeps_what_is_no_number(void **state) {
    (void)state;
    const uint32_t nans[] = {0x7f800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u, 0xff80ffffu};
    for (size_t k = 0; k < sizeof nans / sizeof *nans; k++) {
        float value = of_bits(nans[k]);
        comm_wire_round(&value, 1);
        assert_true(isnan(value));
        float row[2] = {of_bits(nans[k]), 1.0f};
        comm_wire_pack(row, 2);
        memmove((char *)row + 4, row, 4);
        comm_wire_unpack(row, 2, 0, 2);
        assert_true(isnan(row[0]) && row[1] == 1.0f);
    }
    float infinite = INFINITY;
    comm_wire_round(&infinite, 1);
    assert_true(isinf(infinite));
}

/* A sum of what travelled is a sum of what did not. */
static void adds_alike(void **state) {
    (void)state;
    uint64_t key = 2;
    for (int k = 0; k < 1000; k++) {
        float left[MOST], right[MOST], other[MOST], there[MOST];
        for (int i = 0; i < MOST; i++) {
            left[i] = other[i] = of_bits((draw(&key) & 0x80ffffffu) | 0x3f000000u);
            right[i] = there[i] = of_bits((draw(&key) & 0x80ffffffu) | 0x3f000000u);
        }
        comm_wire_round(other, MOST);
        comm_wire_round(there, MOST);
        comm_wire_add(left, right, MOST);
        for (int i = 0; i < MOST; i++) {
            assert_int_equal(bits_of(left[i]), bits_of(nearest(other[i] + there[i])));
        }
    }
}

/* In strips of any length, as they are added up. */
static void packs_in_place(void **state) {
    (void)state;
    uint64_t key = 3;
    for (int count = 1; count <= MOST; count++) {
        for (int strip = 1; strip <= count; strip++) {
            float row[MOST + 1], expected[MOST];
            for (int i = 0; i < count; i++) {
                row[i] = of_bits((draw(&key) & 0x80ffffffu) | 0x3f000000u);
                expected[i] = nearest(row[i]);
            }
            row[count] = 7.0f;
            comm_wire_pack(row, count);
            memmove((char *)row + 2 * count, row, 2 * (size_t)count); /* as it arrives */
            for (int at = 0; at < count; at += strip) {
                comm_wire_unpack(row, count, at, count - at < strip ? count - at : strip);
            }
            assert_memory_equal(row, expected, sizeof *row * (size_t)count);
            assert_true(row[count] == 7.0f);
        }
    }
}

/* Whoever takes the change has what its owner has; a small step of a large number is not lost. */
static void changes_are_exact(void **state) {
    (void)state;
    uint64_t key = 4;
    float before[MOST], values[MOST], other[MOST];
    uint16_t change[MOST];
    for (int i = 0; i < MOST; i++) {
        before[i] = other[i] = of_bits((draw(&key) & 0x80ffffffu) | 0x3f000000u);
        values[i] = before[i] + 1e-5f * of_bits((draw(&key) & 0x807fffffu) | 0x3f800000u);
    }
    float wanted[MOST];
    memcpy(wanted, values, sizeof wanted);
    comm_wire_change(before, values, change, MOST);
    comm_wire_apply(change, other, MOST);
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(bits_of(values[i]), bits_of(other[i]));
        const float step = wanted[i] - before[i], ulp = nextafterf(fabsf(wanted[i]), 2.0f) - fabsf(wanted[i]);
        assert_true(values[i] != before[i] && fabsf(values[i] - wanted[i]) <= fabsf(step) / 256.0f + ulp);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_to_nearest), cmocka_unit_test(keeps_what_is_no_number), cmocka_unit_test(adds_alike),
        cmocka_unit_test(packs_in_place),    cmocka_unit_test(changes_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
