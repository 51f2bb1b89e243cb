/* Write HDF5 files that are sound or at least harmless, and of a kind that hiss cannot use, or seldom sees:
 *
 *   strange_h5 KIND FILE           a data set of images and labels; KIND says what is strange about it
 *   strange_h5 filter:ID FILE DATASET   put a data set of an existing file behind a filter that nobody has
 *   strange_h5 late:ID FILE DATASET     the same for all rows but the first ones, which are stored without
 *   strange_h5 absent:ID FILE DATASET   the same, but the first ones are not there
 *   strange_h5 unused:ID FILE DATASET   the same, but all are stored without
 *
 * None of them makes the library crash, compute or allocate: formats newer than the library are old ones with another
 * number in the place of a version. Objects of the first format have no checksums, so the library comes as far as that
 * number, and refuses it. */
#define H5_USE_110_API
#include <hdf5.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 96, SIDE = 12, LARGE_SETS = 100, MANY = 50000 };
enum { DATASPACE = 1, DATATYPE = 3, FILL_VALUE = 5, LAYOUT = 8, PIPELINE = 11, ATTRIBUTE = 12, CONTINUATION = 16 };
static const hsize_t image_dims[3] = {ROWS, SIDE, SIDE};

static void stop_unless(bool fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "strange_h5: %s failed\n", what);
        exit(1);
    }
}

/* ---- data sets ---- */

static void add_with(hid_t file, const char *name, hid_t type, int ndim, const hsize_t *dim, hid_t create) {
    static unsigned char values[1 << 16];
    const hid_t space = H5Screate_simple(ndim, dim, NULL),
                set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    stop_unless(set >= 0, name);
    if (create == H5P_DEFAULT) {
        stop_unless(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
    }
    H5Dclose(set);
    H5Sclose(space);
}

static void add_images(hid_t file, const char *name) {
    add_with(file, name, H5T_NATIVE_UINT8, 3, image_dims, H5P_DEFAULT);
}

static void add_labels(hid_t file) {
    add_with(file, "labels", H5T_NATIVE_INT32, 1, image_dims, H5P_DEFAULT);
}

/* ---- kinds that HDF5 writes by itself ---- */

static void dangling(hid_t file) {
    H5Lcreate_soft("/nowhere/pixels", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void linked(hid_t file) {
    add_images(file, "pixels");
    H5Lcreate_soft("pixels", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void circle(hid_t file) {
    H5Lcreate_soft("/other", file, "images", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/images", file, "other", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file) {
    H5Lcreate_external("elsewhere.h5", "/pixels", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void linked_external(hid_t file) {
    H5Lcreate_external("elsewhere.h5", "/", file, "group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/group/pixels", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void group(hid_t file) {
    H5Gclose(H5Gcreate2(file, "images", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    add_images(file, "images/a");
}

static void under_a_set(hid_t file) {
    add_images(file, "pixels");
    H5Lcreate_soft("/pixels/images", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void type(hid_t file) {
    const hid_t copy = H5Tcopy(H5T_NATIVE_UINT8);
    H5Tcommit2(file, "images", copy, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(copy);
}

static void extent(hid_t file, H5S_class_t class) {
    const hid_t space = H5Screate(class);
    H5Dclose(H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void null(hid_t file) {
    extent(file, H5S_NULL);
}

static void scalar(hid_t file) {
    extent(file, H5S_SCALAR);
}

static void vlen(hid_t file) {
    const hid_t rows = H5Tvlen_create(H5T_NATIVE_UINT8), create = H5Pcreate(H5P_DATASET_CREATE);
    add_with(file, "images", rows, 1, image_dims, create);
    H5Pclose(create);
    H5Tclose(rows);
}

/* Images beside labels 0 and 1 of every integer type, each in a data set of its type's name; beyond: one that no label
 * is. */
static void integers(hid_t file) {
    static const signed char bits[ROWS] = {0, 1, 0, 1};
    const hid_t bools = H5Tenum_create(H5T_NATIVE_INT8);
    for (signed char k = 0; k < 2; k++) {
        H5Tenum_insert(bools, k ? "TRUE" : "FALSE", &k);
    }
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8LE,  H5T_STD_I16BE, H5T_STD_U16LE, H5T_STD_U16BE, H5T_STD_I32BE,
                           H5T_STD_U32LE, H5T_STD_I64BE, H5T_STD_U64LE, bools,         H5T_STD_U64LE};
    static const char *const names[] = {"i8",  "u8",    "i16be", "u16",   "u16be", "i32be",
                                        "u32", "i64be", "u64",   "bools", "beyond"};
    const unsigned long long most = ~0ull;
    add_images(file, "images");
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        const hid_t space = H5Screate_simple(1, image_dims, NULL), one = H5Screate(H5S_SCALAR);
        const hid_t set = H5Dcreate2(file, names[k], types[k], space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        const hid_t from = types[k] == bools ? bools : H5T_NATIVE_INT8;
        stop_unless(H5Dwrite(set, from, H5S_ALL, H5S_ALL, H5P_DEFAULT, bits) >= 0, names[k]);
        if (strcmp(names[k], "beyond") == 0) {
            const hsize_t at = 7;
            H5Sselect_elements(space, H5S_SELECT_SET, 1, &at);
            stop_unless(H5Dwrite(set, H5T_NATIVE_ULLONG, one, space, H5P_DEFAULT, &most) >= 0, names[k]);
        }
        H5Sclose(one);
        H5Sclose(space);
        H5Dclose(set);
    }
    add_with(file, "f64", H5T_NATIVE_DOUBLE, 1, image_dims, H5P_DEFAULT);
    add_with(file, "pixels16", H5T_NATIVE_UINT16, 3, image_dims, H5P_DEFAULT);
    H5Tclose(bools);
}

static void virtual(hid_t file) {
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, image_dims, NULL);
    H5Pset_virtual(create, space, "elsewhere.h5", "/pixels", space);
    add_with(file, "images", H5T_NATIVE_UINT8, 3, image_dims, create);
    H5Sclose(space);
    H5Pclose(create);
}

static void external(hid_t file) {
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(create, "pixels.raw", 0, H5F_UNLIMITED);
    add_with(file, "images", H5T_NATIVE_UINT8, 3, image_dims, create);
    H5Pclose(create);
}

/* ---- sound files that ask for much ---- */

/* One chunk of 1040 MiB of zeros, deflated. */
static void large_chunk(hid_t file) {
    const hsize_t bytes[1] = {1040 << 20};
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, bytes, NULL);
    add_images(file, "images");
    H5Pset_chunk(create, 1, bytes);
    H5Pset_deflate(create, 1);
    const hid_t set = H5Dcreate2(file, "large", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    void *zeros = calloc(1, bytes[0]);
    stop_unless(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0, "writing 1040 MiB");
    free(zeros);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
}

/* Chunked images of 64 GiB, of which nothing was written. */
static void sparse(hid_t file) {
    const hsize_t dim[3] = {1 << 20, 256, 256}, chunk[3] = {1, 256, 256};
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 3, chunk);
    add_with(file, "images", H5T_NATIVE_UINT8, 3, dim, create);
    H5Pclose(create);
}

/* Rows that were never written: some of [count] begin, written[count]. */
static void add_unwritten(hid_t file, const char *name, const hsize_t *chunk, int count, const hsize_t *begin,
                          const hsize_t *written) {
    static const unsigned char ones[ROWS * SIDE * SIDE] = {1};
    const hsize_t most[3] = {H5S_UNLIMITED, SIDE, SIDE};
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, image_dims, chunk ? most : NULL);
    if (chunk) {
        H5Pset_chunk(create, 3, chunk);
    }
    const hid_t set = H5Dcreate2(file, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    stop_unless(set >= 0, name);
    for (int i = 0; i < count; i++) {
        const hsize_t start[3] = {begin[i]}, size[3] = {written[i], i == 1 ? 1 : SIDE, SIDE};
        const hid_t here = H5Screate_simple(3, size, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL);
        stop_unless(H5Dwrite(set, H5T_NATIVE_UINT8, here, space, H5P_DEFAULT, ones) >= 0, name);
        H5Sclose(here);
    }
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
}

/* In each data set a row of its own is missing. */
static void unwritten(hid_t file) {
    static const hsize_t single[3] = {1, SIDE, SIDE}, several[3] = {10, SIDE, SIDE}, split[3] = {4, SIDE / 2, SIDE};
    static const hsize_t begin[2] = {0, 60}, written[2] = {50, 1}, all[1] = {ROWS};
    static const hsize_t vast[3] = {1 << 23, SIDE, SIDE};
    add_unwritten(file, "images", single, 1, begin, all);
    add_unwritten(file, "single", single, 2, begin, written);
    add_unwritten(file, "several", several, 2, begin, written);
    add_unwritten(file, "split", split, 2, begin, written);
    add_unwritten(file, "chunks", several, 0, NULL, NULL);
    add_unwritten(file, "none", NULL, 0, NULL, NULL);
    add_unwritten(file, "vast", vast, 0, NULL, NULL);
    const hid_t space = H5Screate_simple(1, image_dims, NULL);
    H5Dclose(H5Dcreate2(file, "classes", H5T_NATIVE_INT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

/* 64 MiB of zeros, deflated twice: more densely than deflate can. */
static void dense(hid_t file) {
    const hsize_t dim[3] = {1 << 10, 256, 256};
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dim, NULL);
    H5Pset_chunk(create, 3, dim);
    H5Pset_deflate(create, 9);
    H5Pset_deflate(create, 9);
    const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    void *zeros = calloc(dim[0], dim[1] * dim[2]);
    stop_unless(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0, "writing 64 MiB");
    free(zeros);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
}

/* A hundred thousand objects: groups, and a data set in each. */
static void many(hid_t file) {
    const hsize_t dim[1] = {4};
    add_images(file, "images");
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "group%d", i);
        const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        add_with(group, "values", H5T_NATIVE_INT32, 1, dim, H5P_DEFAULT);
        H5Gclose(group);
    }
}

/* Rows of 400 MB, a hundred times two; the file has holes in their place. */
static void large_rows(hid_t file) {
    const hsize_t dim[2] = {2, 100000000};
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    add_images(file, "images");
    H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    for (int i = 0; i < LARGE_SETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "large%d", i);
        add_with(file, name, H5T_NATIVE_FLOAT, 2, dim, create);
    }
    H5Pclose(create);
}

/* ---- versions nobody has ---- */

/* The place in the file of the data of an object's first message of a type; type 0: of the object itself. */
static long place_of(const char *path, const char *object, unsigned type) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    H5O_info_t info;
    stop_unless(H5Oget_info_by_name2(file, object, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0, object);
    H5Fclose(file);
    FILE *stream = fopen(path, "rb");
    long at = (long)info.addr;
    if (type) {
        at += 16;
        unsigned char head[16]; /* type, size, flags, and the beginning of the data */
        while (fseek(stream, at, SEEK_SET) == 0 && fread(head, 1, sizeof head, stream) == sizeof head &&
               head[0] + 256u * head[1] != type) {
            long further = 0;
            memcpy(&further, head + 8, sizeof further);
            at = head[0] == CONTINUATION ? further : at + 8 + head[2] + 256 * head[3];
        }
        at += 8;
    }
    fclose(stream);
    return at;
}

static void put(const char *path, long at, int value) {
    FILE *stream = fopen(path, "r+b");
    stop_unless(stream && fseek(stream, at, SEEK_SET) == 0 && fputc(value, stream) == value && fclose(stream) == 0,
                "writing a byte");
}

static void plain(hid_t file) {
    add_images(file, "images");
}

static void grouped(hid_t file) {
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    add_images(file, "group/pixels");
    H5Lcreate_soft("/group/pixels", file, "images", H5P_DEFAULT, H5P_DEFAULT);
}

static void deflated(hid_t file) {
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 3, image_dims);
    H5Pset_deflate(create, 1);
    add_with(file, "images", H5T_NATIVE_UINT8, 3, image_dims, create);
    H5Pclose(create);
}

static void attributed(hid_t file) {
    const hid_t space = H5Screate(H5S_SCALAR);
    add_images(file, "images");
    H5Aclose(H5Acreate2(file, "note", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static const struct kind {
    const char *name;
    void (*make)(hid_t file);
    const char *object; /* then put `value` at its message */
    unsigned message;
    int value;
} kinds[] = {
    {"plain", plain, NULL, 0, 0},
    {"dangling", dangling, NULL, 0, 0},
    {"linked", linked, NULL, 0, 0},
    {"circle", circle, NULL, 0, 0},
    {"external_link", external_link, NULL, 0, 0},
    {"linked_external", linked_external, NULL, 0, 0},
    {"group", group, NULL, 0, 0},
    {"under_a_set", under_a_set, NULL, 0, 0},
    {"type", type, NULL, 0, 0},
    {"null", null, NULL, 0, 0},
    {"scalar", scalar, NULL, 0, 0},
    {"vlen", vlen, NULL, 0, 0},
    {"integers", integers, NULL, 0, 0},
    {"virtual", virtual, NULL, 0, 0},
    {"external", external, NULL, 0, 0},
    {"sparse", sparse, NULL, 0, 0},
    {"unwritten", unwritten, NULL, 0, 0},
    {"dense", dense, NULL, 0, 0},
    {"many", many, NULL, 0, 0},
    {"unfinished", plain, NULL, 0, 0},
    {"large_chunk", large_chunk, NULL, 0, 0},
    {"large_rows", large_rows, NULL, 0, 0},
    {"new_layout", plain, "/images", LAYOUT, 5},
    {"new_dataspace", plain, "/images", DATASPACE, 9},
    {"new_datatype", plain, "/images", DATATYPE, 0x90},
    {"new_class", plain, "/images", DATATYPE, 0x1c},
    {"new_fill_value", plain, "/images", FILL_VALUE, 9},
    {"new_pipeline", deflated, "/images", PIPELINE, 9},
    {"new_header", plain, "/images", 0, 9},
    {"new_labels", plain, "/labels", LAYOUT, 5},
    {"new_attribute", attributed, "/", ATTRIBUTE, 9},
    {"new_group", grouped, "/group", 0, 9},
};

static void make(const struct kind *k, const char *path) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const bool marked = strcmp(k->name, "unfinished") == 0; /* while it is written; only newer formats are */
    H5Pset_libver_bounds(access, marked ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    stop_unless(file >= 0, path);
    k->make(file);
    add_labels(file);
    if (marked) { /* its writer dies */
        H5Fflush(file, H5F_SCOPE_GLOBAL);
        _exit(0);
    }
    stop_unless(H5Fclose(file) >= 0, path);
    H5Pclose(access);
    if (k->object) {
        put(path, place_of(path, k->object, k->message), k->value);
    }
}

/* The same data set, its values in chunks that claim to have gone through the filter, as `how` has it. */
static void filter(const char *path, const char *name, const char *how, H5Z_filter_t id) {
    const hsize_t pieces = strcmp(how, "filter") == 0 ? 1 : 4;
    const bool first = strcmp(how, "absent") != 0, late = strcmp(how, "late") == 0, unused = strcmp(how, "unused") == 0;
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), old = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t type_id = H5Dget_type(old), space = H5Dget_space(old), create = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dim[H5S_MAX_RANK], at[H5S_MAX_RANK] = {0};
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    const size_t bytes = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type_id);
    void *values = malloc(bytes);
    stop_unless(H5Dread(old, type_id, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
    H5Dclose(old);
    H5Ldelete(file, name, H5P_DEFAULT);
    dim[0] /= pieces;
    H5Pset_chunk(create, ndim, dim);
    H5Pset_filter(create, id, H5Z_FLAG_OPTIONAL, 0, NULL);
    const hid_t set = H5Dcreate2(file, name, type_id, space, H5P_DEFAULT, create, H5P_DEFAULT);
    for (hsize_t k = first ? 0 : 1; k < pieces; k++) {
        const uint32_t skipped = unused || (late && k == 0) ? 1 : 0;
        at[0] = k * dim[0];
        stop_unless(H5Dwrite_chunk(set, H5P_DEFAULT, skipped, at, bytes / pieces,
                                   (const char *)values + k * (bytes / pieces)) >= 0,
                    name);
    }
    free(values);
    H5Dclose(set);
    stop_unless(H5Fclose(file) >= 0, path);
}

int main(int argc, char **argv) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    char *id = argc == 4 ? strchr(argv[1], ':') : NULL;
    if (id) {
        *id = 0;
        filter(argv[2], argv[3], argv[1], atoi(id + 1));
        return 0;
    }
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            make(&kinds[i], argv[2]);
            return 0;
        }
    }
    fprintf(stderr, "usage: strange_h5 KIND FILE, or strange_h5 filter|late|absent|unused:ID FILE DATASET\n");
    return 2;
}
