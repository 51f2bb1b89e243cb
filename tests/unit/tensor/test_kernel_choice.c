/* Tables of implementations: what a file may say, which row counts, and that a choice is what computes. */
#include "kernel_support.h"

#include <unistd.h>

static const char path[] = "kernel_choice.table";

static hiss_status read_table(const char *text, hiss_kernel_table **table, hiss_error *err) {
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
    hiss_status s = hiss_kernel_table_read(path, table, err);
    unlink(path);
    return s;
}

static hiss_kernels kernels_of(const char *text) {
    hiss_kernels k = *hiss_kernels_blas();
    hiss_kernel_table *table = NULL;
    hiss_error err = {0};
    if (read_table(text, &table, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    k.table = table;
    return k;
}

static void destroy(hiss_kernels *k) {
    hiss_kernel_table_destroy((hiss_kernel_table *)(uintptr_t)k->table);
}

static const hiss_conv shape = {
    .N = 4, .H = 14, .W = 14, .C = 8, .F = 16, .R = 3, .S = 3, .stride = 1, .pad = 1, .P = 14, .Q = 14};

static const char *chosen(const hiss_kernels *k, hiss_product product, const hiss_conv *c) {
    return hiss_implementation_name(product, hiss_kernels_choice(k, product, c));
}

static void first_match_counts(void **unused) {
    (void)unused;
    hiss_kernels k = kernels_of("# a remark\n\n"
                                "conv2d_forward 5 * * * * * * * * direct\n"
                                "conv2d_forward 4 14 14 8 16 3 3 1 1 tiled-blas # of 4\n"
                                "conv2d_forward * * * * * * * * * direct\n"
                                "conv2d_backward_data * * * * * 3 3 * * winograd\n"
                                "conv2d_backward_data * * * * * 3 3 * * tiled-blas\n"
                                "linear_forward * 32 * blas\n");
    assert_string_equal(chosen(&k, HISS_CONV2D_FORWARD, &shape), "tiled-blas");
    hiss_conv other = shape;
    other.N = 5;
    assert_string_equal(chosen(&k, HISS_CONV2D_FORWARD, &other), "direct");
    /* winograd cannot take 8 channels: its row is passed over. */
    assert_string_equal(chosen(&k, HISS_CONV2D_BACKWARD_DATA, &shape), "tiled-blas");
    /* no row: the rule */
    assert_string_equal(chosen(&k, HISS_CONV2D_BACKWARD_WEIGHT, &shape),
                        chosen(hiss_kernels_blas(), HISS_CONV2D_BACKWARD_WEIGHT, &shape));
    const hiss_conv layer = {.N = 3, .H = 1, .W = 1, .C = 32, .F = 48, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
    assert_string_equal(chosen(&k, HISS_LINEAR_FORWARD, &layer), "blas");
    assert_int_equal(hiss_kernels_choice(hiss_kernels_ref(), HISS_LINEAR_FORWARD, &layer), -1);
    destroy(&k);
}

static void rows_read_back(void **unused) {
    (void)unused;
    for (int p = 0; p < HISS_PRODUCTS; p++) {
        for (int i = 0; hiss_implementation_name((hiss_product)p, i); i++) {
            char row[HISS_KERNEL_ROW];
            hiss_kernel_table_row((hiss_product)p, &shape, i, row);
            hiss_kernels k = kernels_of(row);
            if (hiss_implementation_can(hiss_kernels_blas(), (hiss_product)p, i, &shape)) {
                assert_int_equal(hiss_kernels_choice(&k, (hiss_product)p, &shape), i);
            }
            destroy(&k);
        }
    }
}

/* The implementation that is named computes: the same bits as asked for by hand, and another's differ. */
static void choice_computes(void **unused) {
    (void)unused;
    hiss_kernels k = kernels_of("linear_forward * * * blas\n"), own = kernels_of("linear_forward * * * own\n");
    const hiss_conv layer = {.N = 32, .H = 1, .W = 1, .C = 256, .F = 64, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
    const int64_t M = layer.N, D = layer.C, F = layer.F;
    uint64_t state = 3;
    float *x = new_filled(&state, M * D), *w = new_filled(&state, F * D), *a = hiss_new(float, M *F),
          *b = hiss_new(float, M *F), *scratch = hiss_new(float, k.linear_scratch(M, D, F));
    const hiss_kernels mine = hiss_kernels_for(&k, true, &layer);
    mine.linear_forward(M, D, F, x, w, NULL, a, scratch);
    k.gemm(false, true, M, F, D, 1, x, D, w, D, 0, b, F);
    assert_same_bits("blas", M * F, a, b);
    const hiss_kernels theirs = hiss_kernels_for(&own, true, &layer);
    theirs.linear_forward(M, D, F, x, w, NULL, a, scratch);
    assert_near("own", M * F, a, b, 16, 1e-5);
    if (hiss_implementation_can(hiss_kernels_blas(), HISS_LINEAR_FORWARD, 0, &layer)) {
        assert_true(mine.linear_forward != theirs.linear_forward);
    }
    float *free_all[] = {x, w, a, b, scratch};
    for (size_t i = 0; i < sizeof free_all / sizeof free_all[0]; i++) {
        hiss_free(free_all[i]);
    }
    destroy(&k);
    destroy(&own);
}

/* What ships chooses implementations that can compute, for any shape. */
static void built_in_choices_can(void **unused) {
    (void)unused;
    uint64_t state = 7;
    for (int i = 0; i < 2000; i++) {
        const int64_t rows[] = {1, 32, 64, 96, 128, 256, 512}, width[] = {1, 16, 32, 100, 256};
        const hiss_conv layer = {.N = next_among(&state, 7, rows),
                                 .H = 1,
                                 .W = 1,
                                 .C = next_among(&state, 5, width),
                                 .F = next_among(&state, 5, width),
                                 .R = 1,
                                 .S = 1,
                                 .stride = 1,
                                 .P = 1,
                                 .Q = 1};
        for (int p = 0; p < HISS_PRODUCTS; p++) {
            const int k = hiss_kernels_choice(hiss_kernels_blas(), (hiss_product)p, &layer);
            assert_true(hiss_implementation_can(hiss_kernels_blas(), (hiss_product)p, k, &layer));
        }
    }
}

static void mistakes_are_named(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"conv2d 1 2\n", "unknown product 'conv2d'"},
        {"\nconv2d_forward 1 2 3\n", ":2: expected 9 numbers"},
        {"linear_forward 1 x 3 own\n", "found 'x'"},
        {"linear_forward 1 -2 3 own\n", "found '-2'"},
        {"linear_forward 1 2 3 winograd\n", "(own, blas, bf16)"},
        {"linear_forward 1 2 3\n", "expected one implementation"},
        {"linear_forward 1 2 3 own blas\n", "expected one implementation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hiss_kernel_table *table = NULL;
        hiss_error err = {0};
        assert_int_equal(read_table(cases[i].text, &table, &err), HISS_EUSER);
        assert_null(table);
        if (!strstr(err.text, cases[i].expected)) {
            fail_msg("'%s' is not in '%s'", cases[i].expected, err.text);
        }
    }
    hiss_kernel_table *table = NULL;
    hiss_error err = {0};
    assert_int_equal(hiss_kernel_table_read("absent.table", &table, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "absent.table"));
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_match_counts),   cmocka_unit_test(rows_read_back),     cmocka_unit_test(choice_computes),
        cmocka_unit_test(built_in_choices_can), cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
