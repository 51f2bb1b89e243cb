/* Animated PNGs: chunks, numbers and checksums as the specification has them, every frame as it was painted, the first for
 * readers that know no animation; what cannot be written is refused and leaves nothing. */
#include "../apng.h"
#include "data/image_impl.h"
#include "hiss/picture.h"
#include "hiss/rng.h"

typedef struct film {
    int64_t H, W;
    int painted;
    bool noise;
} film;

static uint8_t color(const film *f, int64_t t, int64_t k) {
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, t, k);
    return f->noise ? (uint8_t)hiss_rng_word(&rng) : (uint8_t)(t * 40 + k / (f->W * 3) / 4);
}

static void paint(void *user, int64_t t, uint8_t *pixels) {
    film *f = user;
    assert_int_equal(t, f->painted++);
    for (int64_t k = 0; k < f->H * f->W * 3; k++) {
        assert_int_equal(pixels[k], t == 0 ? 0 : color(f, t - 1, k));
        pixels[k] = color(f, t, k);
    }
}

/* Of every size; noise grows when it is packed. */
static void frames(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {7, 40, 33}, {3, 1, 200}, {2, 200, 1}};
    for (int k = 0; k < 5; k++) {
        for (int noise = 0; noise < 2; noise++) {
            film f = {.H = sizes[k][1], .W = sizes[k][2], .noise = noise};
            hiss_animation a = {sizes[k][0], f.H, f.W, 100 + k, paint, &f};
            hiss_error err = {0};
            assert_int_equal(hiss_animation_write(path, &a, &err), HISS_OK);
            apng read = apng_read(path);
            assert_true(read.frames == a.frames && read.H == f.H && read.W == f.W && f.painted == a.frames);
            assert_true(read.plays == 0 && read.delay * 1000 == a.milliseconds * read.of);
            for (int64_t i = 0; i < a.frames * f.H * f.W * 3; i++) {
                assert_int_equal(read.pixels[i], color(&f, i / (f.H * f.W * 3), i % (f.H * f.W * 3)));
            }
            data_image still;
            assert_int_equal(data_image_read_stored(path, &still, &err), HISS_OK);
            assert_true(still.H == f.H && still.W == f.W && still.C == 3);
            assert_memory_equal(still.pixels, read.pixels, (size_t)(f.H * f.W * 3));
            data_image_free(&still);
            hiss_free(read.pixels);
        }
    }
}

static void refused(void **state) {
    (void)state;
    film f = {.H = 2, .W = 2};
    hiss_animation a = {2, 1 << 14, 1 << 14, 100, paint, &f};
    hiss_error err = {0};
    unlink(path);
    assert_int_equal(hiss_animation_write(path, &a, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "a.png: cannot write frames of 16384 x 16384 pixels"));
    assert_int_equal(f.painted, 0);
    a.H = a.W = 2;
    assert_int_equal(hiss_animation_write("/nonexistent/a.png", &a, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, "/nonexistent/a.png"));
    assert_true(access(path, F_OK) != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
