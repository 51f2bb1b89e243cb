/* Write images of 20 classes that pixels tell apart, beside labels of many kinds:
 *
 *   classes_h5 FILE ROWS [backwards]   the numbers of the enumeration count from the other end
 *   classes_h5 FILE ROWS as KIND       one of them is `some`, too
 *
 * labels: integers. text: strings. fixed: strings of fixed length. enum: an enumeration. byte: uint8. real: float64. hot: float64 [n,20]. deep: uint8
 * [n,1,1,1]. far: one class is 100000. wide: float64 [n,6], of which column 4 is the class. hot_turned, wide_turned: axes
 * in reverse. part: every tenth from the fourth is -1. id: the row. */
#define H5_USE_110_API
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 12, CLASSES = 20, COLUMNS = 6, NAME = 16, MOST = 1 << 16 };

static int class_at(int i) {
    return (i * 7 + i / CLASSES) % CLASSES;
}

static void put(hid_t file, const char *name, hid_t stored, hid_t given, int ndim, const hsize_t *dim,
                const void *values) {
    const hid_t space = H5Screate_simple(ndim, dim, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (set < 0 || H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        fprintf(stderr, "classes_h5: %s cannot be written\n", name);
        exit(1);
    }
    H5Dclose(set);
    H5Sclose(space);
}

static void put_images(hid_t file, int rows) {
    unsigned char *pixels = calloc((size_t)rows, (size_t)SIDE * SIDE);
    for (int i = 0; i < rows * SIDE * SIDE; i++) {
        const int row = i / (SIDE * SIDE), k = i % (SIDE * SIDE);
        pixels[i] = (unsigned char)(k % CLASSES == class_at(row) ? 255 : (row * 13 + k * 7) % 40);
    }
    put(file, "images", H5T_NATIVE_UINT8, H5T_NATIVE_UINT8, 3, (const hsize_t[]){(hsize_t)rows, SIDE, SIDE}, pixels);
    free(pixels);
}

static void put_numbers(hid_t file, int rows) {
    static const char *const names[] = {"labels", "far", "part", "id"};
    long long *value = calloc((size_t)rows, sizeof *value);
    const hsize_t dim[] = {(hsize_t)rows, 1, 1, 1};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < rows; i++) {
            const long long all[] = {class_at(i), class_at(i) == CLASSES - 1 ? 100000 : class_at(i),
                                     i % 10 == 3 ? -1 : class_at(i), i};
            value[i] = all[k];
        }
        put(file, names[k], H5T_STD_I32LE, H5T_NATIVE_LLONG, 1, dim, value);
    }
    for (int i = 0; i < rows; i++) {
        value[i] = class_at(i);
    }
    put(file, "byte", H5T_STD_U8LE, H5T_NATIVE_LLONG, 1, dim, value);
    put(file, "real", H5T_IEEE_F64LE, H5T_NATIVE_LLONG, 1, dim, value);
    put(file, "deep", H5T_STD_U8LE, H5T_NATIVE_LLONG, 4, dim, value);
    free(value);
}

/* The same with its axes in reverse, as files by MATLAB have them. */
static void put_turned(hid_t file, const char *name, int rows, int columns, const double *value) {
    double *turned = calloc((size_t)rows * (size_t)columns, sizeof *turned);
    for (int i = 0; i < rows * columns; i++) {
        turned[i % columns * rows + i / columns] = value[i];
    }
    put(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, (const hsize_t[]){(hsize_t)columns, (hsize_t)rows}, turned);
    free(turned);
}

static void put_columns(hid_t file, int rows) {
    double *hot = calloc((size_t)rows * CLASSES, sizeof *hot), *wide = calloc((size_t)rows * COLUMNS, sizeof *wide);
    for (int i = 0; i < rows; i++) {
        hot[i * CLASSES + class_at(i)] = 1;
        for (int k = 0; k < COLUMNS; k++) {
            wide[i * COLUMNS + k] = k == 4 ? class_at(i) : 0.1 * i + k;
        }
    }
    put_turned(file, "hot_turned", rows, CLASSES, hot);
    put_turned(file, "wide_turned", rows, COLUMNS, wide);
    put(file, "hot", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, (const hsize_t[]){(hsize_t)rows, CLASSES}, hot);
    put(file, "wide", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, (const hsize_t[]){(hsize_t)rows, COLUMNS}, wide);
    free(hot);
    free(wide);
}

static void put_fixed(hid_t file, int rows, const char *const *text) {
    char(*fixed)[NAME] = calloc((size_t)rows + 1, sizeof *fixed);
    const hid_t strings = H5Tcopy(H5T_C_S1);
    H5Tset_size(strings, NAME);
    H5Tset_strpad(strings, H5T_STR_NULLPAD);
    for (int i = 0; i < rows; i++) {
        strcpy(fixed[i], text[i]);
    }
    put(file, "fixed", strings, strings, 1, (const hsize_t[]){(hsize_t)rows}, fixed);
    H5Tclose(strings);
    free(fixed);
}

static void put_names(hid_t file, int rows, int backwards) {
    char name[CLASSES][NAME];
    const char **text = calloc((size_t)rows, sizeof *text);
    short *number = calloc((size_t)rows, sizeof *number);
    const hid_t strings = H5Tcopy(H5T_C_S1), members = H5Tenum_create(H5T_NATIVE_SHORT);
    H5Tset_size(strings, H5T_VARIABLE);
    for (int c = 0; c < CLASSES; c++) {
        snprintf(name[c], NAME, "class-%02d", c);
        H5Tenum_insert(members, name[c], &(short){(short)(backwards ? CLASSES - 1 - c : c)});
    }
    for (int i = 0; i < rows; i++) {
        text[i] = name[class_at(i)];
        number[i] = (short)(backwards ? CLASSES - 1 - class_at(i) : class_at(i));
    }
    put(file, "text", strings, strings, 1, (const hsize_t[]){(hsize_t)rows}, text);
    put_fixed(file, rows, text);
    put(file, "enum", members, members, 1, (const hsize_t[]){(hsize_t)rows}, number);
    H5Tclose(members);
    H5Tclose(strings);
    free(text);
    free(number);
}

int main(int argc, char **argv) {
    const int rows = argc > 2 ? atoi(argv[2]) : -1;
    const hid_t file = rows >= 0 && rows <= MOST ? H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT) : -1;
    if (file < 0) {
        fprintf(stderr, "usage: classes_h5 FILE ROWS [backwards | as KIND]\n");
        return 1;
    }
    put_images(file, rows);
    put_numbers(file, rows);
    put_columns(file, rows);
    put_names(file, rows, argc > 3 && strcmp(argv[3], "backwards") == 0);
    if (argc > 4 && H5Lcreate_hard(file, argv[4], file, "some", H5P_DEFAULT, H5P_DEFAULT) < 0) {
        return 1;
    }
    H5Fclose(file);
    return 0;
}
