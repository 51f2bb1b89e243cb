/* Write small files with the names, types, filters and shapes of public data sets and of other programs:
 *
 *   public_h5 KIND FIRST ROWS FILE [FILE]       of cosmoflow and deepcam, FILE is a folder, with a file for each sample
 *
 * KIND is a row of the table at the end. All hold samples FIRST to FIRST + ROWS - 1 of one sequence, whose class is told
 * by where the light is. plain has their values as hiss has them in memory: images, floats (the same from 0 to 1), counts,
 * bands, kelvin, volumes, climate; and labels, two and four classes. */
#include <hdf5.h>

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, DEPTH = 4, CLASSES = 10, BLOSC = 32001 };
static int64_t first, rows;

static void stop_unless(int fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "public_h5: %s failed\n", what);
        exit(1);
    }
}

/* ---- the samples ---- */

static int64_t class_of(int64_t n) {
    return n * 7 % CLASSES;
}

/* From 0 to 255. */
static int light(int64_t n, int64_t h, int64_t w, int64_t c) {
    const int64_t k = class_of(n), far = labs(h - (2 + k % 5 * 3)) + labs(w - (4 + k / 5 * 8));
    const uint32_t noise = (uint32_t)(((n * SIDE + h) * SIDE + w) * 16 + c) * 2654435761u >> 26;
    return (int)((far < 5 ? 40 * (5 - far) - 8 * (c % 3) : 0) + noise / 2);
}

/* Values of ROWS samples whose axes are in the order of `word`, as floats; free() them. dim: the sizes. */
static double *samples(const char *word, int64_t channels, hsize_t *dim) {
    const int ndim = (int)strlen(word);
    hsize_t count = 1;
    for (int i = 0; i < ndim; i++) {
        dim[i] = (hsize_t)(word[i] == 'N' ? rows : word[i] == 'C' ? channels : word[i] == 'D' ? DEPTH : SIDE);
        count *= dim[i];
    }
    double *values = malloc(sizeof(double) * count);
    stop_unless(values != NULL, "memory");
    for (hsize_t i = 0; i < count; i++) {
        int64_t n = 0, h = 0, w = 0, c = 0, d = 0, rest = (int64_t)i;
        for (int a = ndim - 1; a >= 0; a--) {
            *(word[a] == 'N'   ? &n
              : word[a] == 'H' ? &h
              : word[a] == 'W' ? &w
              : word[a] == 'D' ? &d
                               : &c) = rest % (int64_t)dim[a];
            rest /= (int64_t)dim[a];
        }
        values[i] = light(first + n, h, w, c + 4 * d);
    }
    return values;
}

/* ---- data sets ---- */

/* Takes create and closes it. */
static void write_set(hid_t file, const char *name, hid_t type, int ndim, const hsize_t *dim, hid_t create,
                      const double *values) {
    const hid_t space = H5Screate_simple(ndim, dim, NULL), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t set = H5Dcreate2(file, name, type, space, links, create, H5P_DEFAULT);
    stop_unless(set >= 0 && H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
    H5Dclose(set);
    H5Pclose(links);
    H5Sclose(space);
    H5Pclose(create);
}

static hid_t contiguous(void) {
    return H5Pcreate(H5P_DATASET_CREATE);
}

static hid_t chunked(int ndim, const hsize_t *chunk) {
    const hid_t create = contiguous();
    stop_unless(H5Pset_chunk(create, ndim, chunk) >= 0, "setting chunks");
    return create;
}

/* As h5py's chunks=True does it: pieces of rows too. */
static hid_t packed_chunks(int ndim, const hsize_t *dim, int shuffled) {
    hsize_t chunk[5];
    for (int i = 0; i < ndim; i++) {
        chunk[i] = i == 0 && dim[0] > 20 ? 20 : i == 1 ? (dim[1] + 1) / 2 : dim[i];
    }
    const hid_t create = chunked(ndim, chunk);
    stop_unless((!shuffled || H5Pset_shuffle(create) >= 0) && H5Pset_deflate(create, 4) >= 0, "filters");
    return create;
}

/* Images in the order of word, value * times + plus. */
static void images(hid_t file, const char *name, hid_t type, const char *word, int64_t channels, double times,
                   double plus, int packed) {
    hsize_t dim[5], count = 1;
    const int ndim = (int)strlen(word);
    double *values = samples(word, channels, dim);
    for (int i = 0; i < ndim; i++) {
        count *= dim[i];
    }
    for (hsize_t i = 0; i < count; i++) {
        values[i] = values[i] * times + plus;
    }
    write_set(file, name, type, ndim, dim, packed ? packed_chunks(ndim, dim, packed > 1) : contiguous(), values);
    free(values);
}

/* Labels class % classes + plus, [n,1,...] with `ones` axes of length 1 behind (negative: in front) n. */
static void labels(hid_t file, const char *name, hid_t type, int64_t classes, double plus, int ones) {
    hsize_t dim[5] = {1, 1, 1, 1, 1};
    double *values = malloc(sizeof(double) * (size_t)rows);
    for (int64_t i = 0; i < rows; i++) {
        values[i] = (double)(class_of(first + i) % classes) + plus;
    }
    dim[ones < 0 ? -ones : 0] = (hsize_t)rows;
    write_set(file, name, type, 1 + abs(ones), dim, contiguous(), values);
    free(values);
}

/* Rows of `columns` values, by fill. */
static void table(hid_t file, const char *name, int columns, int ndim, void (*fill)(int64_t n, double *row)) {
    const hsize_t dim[2] = {(hsize_t)rows, (hsize_t)columns};
    double *values = calloc((size_t)(rows * columns), sizeof(double));
    for (int64_t i = 0; i < rows; i++) {
        fill(first + i, values + i * columns);
    }
    write_set(file, name, H5T_IEEE_F64LE, ndim, dim, contiguous(), values);
    free(values);
}

/* ---- attributes ---- */

static void text_attribute(hid_t file, const char *name, const char *attribute, const char *text) {
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), object = H5Oopen(file, name, H5P_DEFAULT);
    H5Tset_size(type, strlen(text));
    const hid_t made = H5Acreate2(object, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
    stop_unless(made >= 0 && H5Awrite(made, type, text) >= 0, attribute);
    H5Aclose(made);
    H5Oclose(object);
    H5Sclose(space);
    H5Tclose(type);
}

/* netCDF has arrays of one value where others have scalars. */
static void number_attribute(hid_t file, const char *name, const char *attribute, hid_t type, double value) {
    const hsize_t one = 1;
    const hid_t space = H5Screate_simple(1, &one, NULL), object = H5Oopen(file, name, H5P_DEFAULT);
    const hid_t made = H5Acreate2(object, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
    stop_unless(made >= 0 && H5Awrite(made, H5T_NATIVE_DOUBLE, &value) >= 0, attribute);
    H5Aclose(made);
    H5Oclose(object);
    H5Sclose(space);
}

/* ---- the kinds ---- */

static hid_t create_file(const char *path, hsize_t user_block) {
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(create, user_block);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, create, H5P_DEFAULT);
    stop_unless(file >= 0, path);
    H5Pclose(create);
    return file;
}

static void plain(hid_t file, const char *other) {
    (void)other;
    images(file, "images", H5T_STD_U8LE, "NHWC", 3, 1, 0, 0);
    images(file, "floats", H5T_IEEE_F32LE, "NHWC", 3, 1 / 255.0, 0, 0);
    images(file, "counts", H5T_STD_U16LE, "NHW", 1, 200, 0, 0);
    images(file, "bands", H5T_IEEE_F32LE, "NHWC", 10, 0.01, -0.25, 0);
    images(file, "kelvin", H5T_IEEE_F32LE, "NHW", 1, 1, 150, 0);
    images(file, "volumes", H5T_STD_I16LE, "NDHWC", 4, 1, 0, 0);
    images(file, "climate", H5T_IEEE_F32LE, "NHWC", 16, 4, 300, 0);
    labels(file, "labels", H5T_STD_I32LE, CLASSES, 0, 0);
    labels(file, "two", H5T_STD_I32LE, 2, 0, 0);
    labels(file, "four", H5T_STD_I32LE, 4, 0, 0);
}

/* camelyonpatch_level_2_split_train_x.h5 and _y.h5 */
static void pcam(hid_t file, const char *other) {
    const hid_t beside = create_file(other, 0);
    images(file, "x", H5T_STD_U8LE, "NHWC", 3, 1, 0, 0);
    labels(beside, "y", H5T_STD_U8LE, 2, 0, 3);
    H5Fclose(beside);
}

static void coordinate(int64_t n, double *row) {
    *row = (double)(n * 37 % 360) + 0.125;
}

/* Galaxy10_DECals.h5 */
static void galaxy10(hid_t file, const char *other) {
    (void)other;
    images(file, "images", H5T_STD_U8LE, "NHWC", 3, 1, 0, 0);
    labels(file, "ans", H5T_STD_U8LE, CLASSES, 0, 0);
    table(file, "ra", 1, 1, coordinate);
    table(file, "dec", 1, 1, coordinate);
}

/* Hues of floor, wall and object, scale, shape, orientation. */
static void factors(int64_t n, double *row) {
    for (int i = 0; i < 3; i++) {
        row[i] = (double)((n + i) % 10) / 10;
    }
    row[3] = 0.75 + (double)(n % 8) / 14;
    row[4] = (double)(class_of(n) % 4);
    row[5] = (double)(n % 15) * 60 / 14 - 30;
}

/* 3dshapes.h5 */
static void shapes(hid_t file, const char *other) {
    (void)other;
    images(file, "images", H5T_STD_U8LE, "NHWC", 3, 1, 0, 1);
    table(file, "labels", 6, 2, factors);
}

static void one_hot(int64_t n, double *row) {
    row[class_of(n)] = 1;
}

/* training.h5 of So2Sat LCZ42: 17 classes, of which these samples have ten */
static void so2sat(hid_t file, const char *other) {
    (void)other;
    images(file, "sen1", H5T_IEEE_F64LE, "NHWC", 8, 0.02, -2, 0);
    images(file, "sen2", H5T_IEEE_F64LE, "NHWC", 10, 0.01, -0.25, 0);
    table(file, "label", 17, 2, one_hot);
}

/* A variable of netCDF-4, packed as reanalyses are: value = scale * number + offset, of light + 150. */
static void packed(hid_t file, const char *name, hid_t type, double scale, double offset) {
    images(file, name, type, "NHW", 1, 1 / scale, (150 - offset) / scale, 2);
    number_attribute(file, name, "scale_factor", H5T_IEEE_F64LE, scale);
    number_attribute(file, name, "add_offset", H5T_IEEE_F64LE, offset);
    number_attribute(file, name, "_FillValue", type, -32767);
    number_attribute(file, name, "missing_value", type, -32767);
    text_attribute(file, name, "units", "K");
}

/* A month of reanalysis, with coordinates. */
static void netcdf(hid_t file, const char *other) {
    (void)other;
    const hsize_t place[1] = {SIDE};
    double degrees[SIDE];
    for (int i = 0; i < SIDE; i++) {
        degrees[i] = 60 - 0.25 * i;
    }
    packed(file, "t2m", H5T_STD_I16LE, 0.125, 275);
    write_set(file, "latitude", H5T_IEEE_F32LE, 1, place, contiguous(), degrees);
    text_attribute(file, "latitude", "CLASS", "DIMENSION_SCALE");
    labels(file, "regime", H5T_STD_I64LE, CLASSES, 0, 0);
    text_attribute(file, "/", "_NCProperties", "version=2,netcdf=4.9.0,hdf5=1.10.8");
}

/* The same values, packed otherwise. */
static void repacked(hid_t file, const char *other) {
    (void)other;
    packed(file, "t2m", H5T_STD_I16BE, -0.25, 200);
    images(file, "only_offset", H5T_STD_I16LE, "NHW", 1, 1, -100, 0);
    number_attribute(file, "only_offset", "add_offset", H5T_IEEE_F32LE, 250);
    labels(file, "regime", H5T_STD_I64LE, CLASSES, 0, 0);
}

/* Samples without a corner, `hole` there, each value * times + plus; fill: _FillValue. */
static void with_hole(hid_t file, const char *name, hid_t type, double times, double plus, double hole, int fill) {
    hsize_t dim[3];
    double *values = samples("NHW", 1, dim);
    for (int64_t i = 0; i < rows * SIDE * SIDE; i++) {
        const bool corner = i % SIDE >= SIDE - 4 && i / SIDE % SIDE >= SIDE - 3;
        values[i] = corner ? hole : values[i] * times + plus;
    }
    write_set(file, name, type, 3, dim, contiguous(), values);
    free(values);
    if (fill) {
        number_attribute(file, name, fill > 1 ? "missing_value" : "_FillValue", type, hole);
    }
}

static void holes(hid_t file, const char *other) {
    (void)other;
    with_hole(file, "whole", H5T_IEEE_F32LE, 1, 150, 180, 0);
    with_hole(file, "packed", H5T_STD_I16LE, 8, -1000, -32767, 1);
    number_attribute(file, "packed", "scale_factor", H5T_IEEE_F32LE, 0.125);
    number_attribute(file, "packed", "add_offset", H5T_IEEE_F32LE, 275);
    with_hole(file, "float", H5T_IEEE_F32LE, 1, 150, 1e20, 1);
    with_hole(file, "double", H5T_IEEE_F64BE, 1, 150, 1e300, 2);
    with_hole(file, "nan", H5T_IEEE_F32LE, 1, 150, (double)NAN, 0);
    with_hole(file, "huge", H5T_IEEE_F64LE, 1, 150, 1e300, 0);
    with_hole(file, "infinite", H5T_IEEE_F32LE, 1, 150, HUGE_VAL, 0);
    with_hole(file, "whole_bytes", H5T_STD_U8LE, 0.5, 0, 30, 0);
    with_hole(file, "bytes", H5T_STD_U8LE, 0.5, 0, 255, 1);
    labels(file, "labels", H5T_STD_I32LE, CLASSES, 0, 0);
}

/* save -v7.3 of X (H,W,C,N) and Y (N,1), whose classes begin with 1: the axes of a file are those in reverse. */
static void matlab(hid_t file, const char *other) {
    (void)other;
    images(file, "X", H5T_STD_U8LE, "NCWH", 3, 1, 0, 1);
    text_attribute(file, "X", "MATLAB_class", "uint8");
    labels(file, "Y", H5T_IEEE_F64LE, CLASSES, 1, -1);
    text_attribute(file, "Y", "MATLAB_class", "double");
}

/* create_carray with Filters(complib="blosc") */
static void pytables(hid_t file, const char *other) {
    (void)other;
    static const unsigned options[7] = {2, 2, 1, 20 * SIDE * SIDE * 3, 5, 1, 0};
    const hsize_t chunk[4] = {20, SIDE, SIDE, 3};
    hsize_t dim[4];
    double *values = samples("NHWC", 3, dim);
    const hid_t create = chunked(4, chunk);
    stop_unless(H5Pset_filter(create, BLOSC, H5Z_FLAG_OPTIONAL, 7, options) >= 0, "the filter");
    write_set(file, "images", H5T_STD_U8LE, 4, dim, create, values);
    free(values);
    text_attribute(file, "images", "CLASS", "CARRAY");
    text_attribute(file, "images", "VERSION", "1.1");
    labels(file, "labels", H5T_STD_I64LE, CLASSES, 0, 0);
    text_attribute(file, "labels", "CLASS", "ARRAY");
    text_attribute(file, "/", "PYTABLES_FORMAT_VERSION", "2.1");
}

/* tensor.numpy() of ToTensor, in the order of PyTorch */
static void torch(hid_t file, const char *other) {
    (void)other;
    images(file, "data", H5T_IEEE_F32LE, "NCHW", 3, 1 / 255.0, 0, 2);
    labels(file, "target", H5T_STD_I64LE, CLASSES, 0, 0);
}

/* A scan's master file: its frames are in another one, to which leads a link, and as a virtual data set. */
static void nexus(hid_t file, const char *other) {
    const hid_t beside = create_file(other, 0), links = H5Pcreate(H5P_LINK_CREATE), create = contiguous();
    const hsize_t dim[3] = {(hsize_t)rows, SIDE, SIDE}, zero[3] = {0, 0, 0}, half[3] = {(hsize_t)rows / 2, SIDE, SIDE};
    images(beside, "entry/data/data", H5T_STD_U16LE, "NHW", 1, 200, 0, 2);
    H5Fclose(beside);
    H5Pset_create_intermediate_group(links, 1);
    stop_unless(H5Lcreate_external(other, "/entry/data/data", file, "entry/data/data_000001", links, H5P_DEFAULT) >= 0,
                "the link");
    const hid_t space = H5Screate_simple(3, dim, NULL), from = H5Screate_simple(3, dim, NULL);
    for (int part = 0; part < 2; part++) {
        const hsize_t begin[3] = {part ? half[0] : 0, 0, 0};
        H5Sselect_hyperslab(space, H5S_SELECT_SET, part ? begin : zero, NULL, half, NULL);
        H5Sselect_hyperslab(from, H5S_SELECT_SET, part ? begin : zero, NULL, half, NULL);
        stop_unless(H5Pset_virtual(create, space, other, "/entry/data/data", from) >= 0, "the mapping");
    }
    H5Sselect_all(space);
    H5Dclose(H5Dcreate2(file, "entry/data/data", H5T_STD_U16LE, space, links, create, H5P_DEFAULT));
    H5Sclose(from);
    H5Sclose(space);
    H5Pclose(create);
    H5Pclose(links);
    labels(file, "entry/sample/kind", H5T_STD_U8LE, CLASSES, 0, 0);
    text_attribute(file, "entry", "NX_class", "NXentry");
    text_attribute(file, "entry/data", "signal", "data");
}

/* univ_ics_2019-03_a10000668.hdf5: four redshifts of a universe, and the parameters it came from */
static void cosmoflow(hid_t file, const char *other) {
    (void)other;
    static const double parameters[4] = {0.25, -0.5, 0.75, 0.125};
    const hsize_t four = 4;
    images(file, "full", H5T_STD_I16LE, "DHWC", 4, 1, 0, 0);
    write_set(file, "unitPar", H5T_IEEE_F32LE, 1, &four, contiguous(), parameters);
    write_set(file, "redshifts", H5T_IEEE_F32LE, 1, &four, contiguous(), parameters);
}

/* data-2105-04-29-01-1.h5: sixteen variables in their units, and a mask */
static void deepcam(hid_t file, const char *other) {
    (void)other;
    images(file, "climate/data", H5T_IEEE_F32LE, "HWC", 16, 4, 300, 0);
    images(file, "climate/labels_0", H5T_IEEE_F32LE, "HW", 1, 0, 1, 0);
}

static const struct {
    const char *name;
    void (*write)(hid_t file, const char *other);
    hsize_t user_block;
    const char *each; /* first part of the names of files of one sample */
} kinds[] = {{"plain", plain, 0, NULL},
             {"pcam", pcam, 0, NULL},
             {"galaxy10", galaxy10, 0, NULL},
             {"3dshapes", shapes, 0, NULL},
             {"so2sat", so2sat, 0, NULL},
             {"repacked", repacked, 0, NULL},
             {"holes", holes, 0, NULL},
             {"netcdf", netcdf, 0, NULL},
             {"matlab", matlab, 512, NULL},
             {"pytables", pytables, 0, NULL},
             {"torch", torch, 0, NULL},
             {"nexus", nexus, 0, NULL},
             {"cosmoflow", cosmoflow, 0, "univ_ics_2019-03_a1"},
             {"deepcam", deepcam, 0, "data-2105-04-29-"}};

int main(int argc, char **argv) {
    stop_unless(argc >= 5, "public_h5 KIND FIRST ROWS FILE [FILE]");
    first = strtoll(argv[2], NULL, 10);
    rows = strtoll(argv[3], NULL, 10);
    size_t k = 0;
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].name, argv[1]) != 0) {
        k++;
    }
    stop_unless(k < sizeof kinds / sizeof *kinds, argv[1]);
    const int64_t end = first + rows;
    for (rows = kinds[k].each ? 1 : rows; first < end; first += rows) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s%06lld.h5", argv[4], kinds[k].each ? kinds[k].each : "", (long long)first);
        const hid_t file = create_file(kinds[k].each ? path : argv[4], kinds[k].user_block);
        kinds[k].write(file, argc > 5 ? argv[5] : "");
        stop_unless(H5Fclose(file) >= 0, argv[4]);
    }
    return 0;
}
