/* Grids of images that a method makes. */
#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

/* Of image k of a grid. */
static int64_t class_in_grid(const hiss_maker *maker, int64_t rows, int64_t columns, int64_t k) {
    const int64_t by_row = maker->classes > columns && maker->classes <= rows;
    return (by_row ? k / columns : maker->classes > columns ? k : k % columns) % maker->classes;
}

hiss_status hiss_maker_draw(const hiss_maker *maker, uint64_t seed, int64_t rows, int64_t columns, int64_t wanted,
                            const char *path, hiss_error *err) {
    const int64_t size = maker->H * maker->W * maker->C, count = rows * columns;
    float *image = hiss_new(float, maker->batch *size);
    int64_t *classes = hiss_new(int64_t, maker->batch);
    uint8_t *bytes = hiss_alloc((size_t)(count * size));
    hiss_status s = HISS_OK;
    for (int64_t first = 0; first < count && s == HISS_OK; first += maker->batch) {
        const int64_t some = count - first < maker->batch ? count - first : maker->batch;
        for (int64_t i = 0; i < some && maker->classes > 0; i++) {
            classes[i] = wanted >= 0 ? wanted : class_in_grid(maker, rows, columns, first + i);
        }
        s = maker->make(maker->user, false, seed, first, some, classes, image, err);
        for (int64_t k = 0; k < some * size && s == HISS_OK; k++) {
            bytes[first * size + k] = eval_byte_of(image[k]);
        }
    }
    s = s == HISS_OK ? hiss_write_grid(path, rows, columns, maker->H, maker->W, maker->C, bytes, err) : s;
    hiss_free(image);
    hiss_free(classes);
    hiss_free(bytes);
    return s;
}
