/* Write the data sets of an HDF5 file in several files, or reach them through other files:
 *   files_h5 split IN PREFIX CHUNK ROWS...   PREFIX0.h5, ... of so many rows each; CHUNK: rows of a gzip chunk, 0: none
 *   files_h5 apart IN PREFIX ROWS            PREFIX000.h5, ... of one row each, without its axis
 *   files_h5 link OUT NAME FILE OBJECT       an external link
 *   files_h5 virtual OUT NAME SOURCE:DATASET...   their rows one after the other, as a virtual data set
 *   files_h5 attribute OUT NAME ATTRIBUTE VALUE...   numbers, of the data set's type if they are whole; or one text
 *   files_h5 parts OUT KIND IN SOURCE        the images of IN as virtual /images, from parts of SOURCE, which is written */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_AXES = 8, NAME = 4096 };

typedef struct piece {
    hid_t out;
    hsize_t begin, count, chunk;
    int apart;
} piece;

static herr_t copy(hid_t in, const char *name, const H5L_info_t *info, void *user) {
    const piece *p = user;
    (void)info;
    const hid_t from = H5Dopen2(in, name, H5P_DEFAULT);
    const hid_t type = H5Dget_type(from), space = H5Dget_space(from), create = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dim[MOST_AXES], start[MOST_AXES] = {p->begin};
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    if (dim[0] < p->begin + p->count) { /* not one row for each sample */
        H5Sclose(space);
        H5Pclose(create);
        H5Tclose(type);
        H5Dclose(from);
        return 0;
    }
    dim[0] = p->count;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dim, NULL);
    const hid_t memory = H5Screate_simple(ndim, dim, NULL);
    const hid_t there = !p->apart   ? H5Screate_simple(ndim, dim, NULL)
                        : ndim == 1 ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(ndim - 1, dim + 1, NULL);
    void *values = malloc((size_t)H5Sget_simple_extent_npoints(memory) * H5Tget_size(type) + 1);
    if (p->chunk > 0) {
        dim[0] = p->chunk < dim[0] ? p->chunk : dim[0];
        H5Pset_chunk(create, ndim, dim);
        H5Pset_deflate(create, 1);
    }
    const hid_t to = H5Dcreate2(p->out, name, type, there, H5P_DEFAULT, create, H5P_DEFAULT);
    const herr_t status = H5Dread(from, type, memory, space, H5P_DEFAULT, values) < 0
                              ? -1
                              : H5Dwrite(to, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Sclose(there);
    H5Sclose(memory);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(to);
    H5Dclose(from);
    return status;
}

static int write_piece(hid_t in, const char *path, piece p) {
    p.out = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t status = H5Literate(in, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, copy, &p);
    return H5Fclose(p.out) < 0 || status < 0;
}

static int write_pieces(const char *kind, const char *from, const char *prefix, int count, char **number) {
    const hid_t in = H5Fopen(from, H5F_ACC_RDONLY, H5P_DEFAULT);
    const int apart = strcmp(kind, "apart") == 0, files = apart ? atoi(number[0]) : count - 1;
    char path[NAME];
    int failed = in < 0;
    piece p = {.apart = apart, .count = 1, .chunk = apart ? 0 : (hsize_t)atoi(number[0])};
    for (int k = 0; k < files && !failed; k++, p.begin += p.count) {
        p.count = apart ? 1 : (hsize_t)atoi(number[k + 1]);
        snprintf(path, sizeof path, apart ? "%s%03d.h5" : "%s%d.h5", prefix, k);
        failed = write_piece(in, path, p);
    }
    H5Fclose(in);
    return failed;
}

static int write_virtual(hid_t out, const char *name, int count, char **source) {
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dim[MOST_AXES], start[MOST_AXES] = {0}, rows = 0;
    hid_t space[MOST_AXES], type = -1;
    char *dataset[MOST_AXES];
    int ndim = 0;
    for (int k = 0; k < count; k++) {
        dataset[k] = strrchr(source[k], ':');
        *dataset[k]++ = '\0';
        const hid_t file = H5Fopen(source[k], H5F_ACC_RDONLY, H5P_DEFAULT),
                    set = H5Dopen2(file, dataset[k], H5P_DEFAULT);
        space[k] = H5Dget_space(set);
        type = H5Dget_type(set);
        ndim = H5Sget_simple_extent_dims(space[k], dim, NULL);
        rows += dim[0];
        H5Dclose(set);
        H5Fclose(file);
    }
    dim[0] = rows;
    const hid_t whole = H5Screate_simple(ndim, dim, NULL);
    for (int k = 0; k < count; k++, start[0] += dim[0]) {
        H5Sget_simple_extent_dims(space[k], dim, NULL);
        H5Sselect_hyperslab(whole, H5S_SELECT_SET, start, NULL, dim, NULL);
        H5Pset_virtual(create, whole, source[k], dataset[k], space[k]);
    }
    H5Sselect_all(whole);
    return H5Dcreate2(out, name, type, whole, H5P_DEFAULT, create, H5P_DEFAULT) < 0;
}

/* ---- parts ---- */

enum { AXES = 4 };

/* Part k of the whole, [n,H,W,C], and where the source has it; for k = -1 the extent of the source. */
typedef struct mapping {
    hsize_t from[AXES], to[AXES], stride[AXES], count[AXES]; /* from: in the source; to, stride: in the whole */
    hsize_t step[AXES];                                      /* in the source */
} mapping;

static int part_of(const char *kind, const hsize_t n[AXES], int k, mapping *m) {
    hsize_t *const from = m->from, *const to = m->to, *const count = m->count;
    const hsize_t other = (hsize_t)k;
    *m = (mapping){.stride = {1, 1, 1, 1}, .step = {1, 1, 1, 1}, .count = {n[0], n[1], n[2], n[3]}};
    if (strcmp(kind, "framed") == 0) { /* pictures in larger ones */
        from[1] = k < 0 ? n[1] + 3 : 1;
        from[2] = k < 0 ? n[2] + 5 : 2;
        return k < 1;
    }
    if (strcmp(kind, "channel") == 0) { /* of several */
        from[3] = k < 0 ? n[3] + 2 : 1;
        return k < 1;
    }
    if (strcmp(kind, "one") == 0) { /* the first of several */
        from[3] = k < 0 ? n[3] + 2 : 0;
        return k < 1;
    }
    if (strcmp(kind, "steps") == 0) { /* every second row, every third column, of larger pictures, from the first on */
        from[1] = k < 0 ? 2 * n[1] + 4 : 0;
        from[2] = k < 0 ? 3 * n[2] + 5 : 1;
        m->step[1] = 2;
        m->step[2] = 3;
        return k < 1;
    }
    if (strcmp(kind, "columns") == 0) { /* the odd ones and the even ones, one half each */
        count[2] = n[2] / 2;
        to[2] = other;
        m->stride[2] = 2;
        from[2] = k < 0 ? n[2] : other * count[2];
        return k < 2;
    }
    if (strcmp(kind, "halves") == 0) { /* of each picture, the lower one above */
        count[1] = n[1] / 2;
        to[1] = other * count[1];
        from[1] = k < 0 ? n[1] : count[1] - to[1];
        return k < 2;
    }
    count[0] = 1; /* turned: the pictures side by side */
    to[0] = other;
    from[1] = other;
    return other < n[0];
}

static hid_t select_part(int ndim, const hsize_t *dim, const hsize_t *start, const hsize_t *stride,
                         const hsize_t *count) {
    const hid_t space = H5Screate_simple(ndim, dim, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, stride, count, NULL);
    return space;
}

static void extent_of(const char *kind, const hsize_t n[AXES], hsize_t dim[AXES]) {
    mapping m;
    memcpy(dim, n, AXES * sizeof *n);
    if (strcmp(kind, "turned") == 0) {
        dim[0] = n[1];
        dim[1] = n[0];
    } else if (part_of(kind, n, -1, &m)) {
        for (int i = 0; i < AXES; i++) {
            dim[i] = m.from[i] > n[i] ? m.from[i] : n[i];
        }
    }
}

static int write_parts(hid_t out, const char *kind, const char *from, const char *source) {
    const hid_t in = H5Fopen(from, H5F_ACC_RDONLY, H5P_DEFAULT), images = H5Dopen2(in, "/images", H5P_DEFAULT);
    const hid_t whole = H5Dget_space(images), create = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t n[AXES], dim[AXES];
    H5Sget_simple_extent_dims(whole, n, NULL);
    extent_of(kind, n, dim);
    unsigned char *values = malloc((size_t)H5Sget_simple_extent_npoints(whole));
    H5Dread(images, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    const hid_t to = H5Fcreate(source, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t parts = H5Dcreate2(to, "/parts", H5T_STD_U8LE, H5Screate_simple(AXES, dim, NULL), H5P_DEFAULT,
                                   H5P_DEFAULT, H5P_DEFAULT);
    mapping m;
    int failed = 0;
    for (int k = 0; part_of(kind, n, k, &m) && !failed; k++) {
        const hid_t here = select_part(AXES, n, m.to, m.stride, m.count);
        if (strcmp(kind, "turned") == 0) {
            const hsize_t rows = m.count[1];
            m.count[1] = 1;
            m.count[0] = rows;
        }
        const hid_t there = select_part(AXES, dim, m.from, m.step, m.count);
        failed = H5Dwrite(parts, H5T_NATIVE_UCHAR, here, there, H5P_DEFAULT, values) < 0 ||
                 H5Pset_virtual(create, here, source, "/parts", there) < 0;
        H5Sclose(there);
        H5Sclose(here);
    }
    free(values);
    H5Fclose(to);
    return failed || H5Dcreate2(out, "/images", H5T_STD_U8LE, whole, H5P_DEFAULT, create, H5P_DEFAULT) < 0;
}

/* All rows of the source, however many it will have. */
static int write_growing(hid_t out, const char *from) {
    const hid_t in = H5Fopen(from, H5F_ACC_RDONLY, H5P_DEFAULT), images = H5Dopen2(in, "/images", H5P_DEFAULT);
    hsize_t dim[AXES], most[AXES], start[AXES] = {0}, count[AXES] = {H5S_UNLIMITED, 1, 1, 1};
    H5Sget_simple_extent_dims(H5Dget_space(images), dim, NULL);
    memcpy(most, dim, sizeof most);
    most[0] = H5S_UNLIMITED;
    const hid_t space = H5Screate_simple(AXES, dim, most), create = H5Pcreate(H5P_DATASET_CREATE);
    dim[0] = 1;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, dim);
    H5Pset_virtual(create, space, from, "/images", space);
    return H5Dcreate2(out, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT) < 0;
}

static int set_attribute(hid_t file, const char *name, const char *attribute, int count, char **value) {
    enum { MOST = 16 };
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t type = H5Dget_type(set), space = H5Screate(H5S_SCALAR);
    const hsize_t length = (hsize_t)count;
    double number[MOST];
    char *end;
    number[0] = strtod(value[0], &end);
    for (int k = 0; k < count && k < MOST; k++) {
        number[k] = strtod(value[k], NULL);
        if (strpbrk(value[k], ".en")) {
            type = H5T_IEEE_F64LE;
        }
    }
    if (*end) {
        type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, strlen(value[0]));
    }
    if (count > 1) {
        space = H5Screate_simple(1, &length, NULL);
    }
    if (H5Aexists(set, attribute) > 0) {
        H5Adelete(set, attribute);
    }
    const hid_t made = H5Acreate2(set, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t status = H5Awrite(made, *end ? type : H5T_NATIVE_DOUBLE, *end ? (void *)value[0] : number);
    H5Aclose(made);
    H5Dclose(set);
    return status < 0;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        return 2;
    }
    if (strcmp(argv[1], "split") == 0 || strcmp(argv[1], "apart") == 0) {
        return write_pieces(argv[1], argv[2], argv[3], argc - 4, argv + 4);
    }
    const hid_t out = access(argv[2], F_OK) == 0 ? H5Fopen(argv[2], H5F_ACC_RDWR, H5P_DEFAULT)
                                                 : H5Fcreate(argv[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const int failed = strcmp(argv[1], "link") == 0
                           ? H5Lcreate_external(argv[4], argv[5], out, argv[3], H5P_DEFAULT, H5P_DEFAULT) < 0
                       : strcmp(argv[1], "virtual") == 0   ? write_virtual(out, argv[3], argc - 4, argv + 4)
                       : strcmp(argv[1], "attribute") == 0 ? set_attribute(out, argv[3], argv[4], argc - 5, argv + 5)
                       : strcmp(argv[3], "growing") == 0   ? write_growing(out, argv[4])
                                                           : write_parts(out, argv[3], argv[4], argv[5]);
    H5Fclose(out);
    return failed;
}
