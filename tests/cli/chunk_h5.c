/* Copy /images and /labels of a small file into another, the images in chunks:
 *
 *   chunk_h5 IN OUT ROWSxH[xW[xC]] [gzip] [shuffle] [fletcher] [rows=N]
 *
 * What the chunk leaves out is as long as the images' own axis; rows=N: only so many rows of images are written. */
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop_unless(bool fine, const char *what) {
    if (!fine) {
        fprintf(stderr, "chunk_h5: %s failed\n", what);
        exit(1);
    }
}

/* Copies the data set; create says how it lies. */
static void copy(hid_t in, hid_t out, const char *name, hid_t create, hsize_t rows) {
    hsize_t dim[H5S_MAX_RANK], zero[H5S_MAX_RANK] = {0};
    const hid_t from = H5Dopen2(in, name, H5P_DEFAULT), type = H5Dget_type(from), space = H5Dget_space(from);
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    void *values = malloc((size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type));
    stop_unless(values && H5Dread(from, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, "reading");
    const hid_t to = H5Dcreate2(out, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    dim[0] = rows < dim[0] ? rows : dim[0];
    const hid_t here = H5Screate_simple(ndim, dim, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, zero, NULL, dim, NULL);
    stop_unless(to >= 0 && H5Dwrite(to, type, here, space, H5P_DEFAULT, values) >= 0, "writing");
    H5Sclose(here);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(to);
    H5Dclose(from);
    free(values);
}

int main(int argc, char **argv) {
    stop_unless(argc >= 4, "chunk_h5 IN OUT CHUNK ...");
    const hid_t in = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t out = H5Fcreate(argv[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t images = H5Dopen2(in, "/images", H5P_DEFAULT), space = H5Dget_space(images);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[H5S_MAX_RANK], rows = ~(hsize_t)0;
    const int ndim = H5Sget_simple_extent_dims(space, chunk, NULL);
    char *rest = argv[3];
    for (int d = 0; d < ndim && *rest; d++) {
        chunk[d] = strtoull(rest, &rest, 10);
        rest += *rest == 'x';
    }
    stop_unless(H5Pset_chunk(create, ndim, chunk) >= 0, "setting chunks");
    for (int i = 4; i < argc; i++) {
        const bool is_rows = strncmp(argv[i], "rows=", 5) == 0;
        rows = is_rows ? strtoull(argv[i] + 5, NULL, 10) : rows;
        stop_unless(is_rows || (!strcmp(argv[i], "gzip")       ? H5Pset_deflate(create, 4)
                                : !strcmp(argv[i], "shuffle")  ? H5Pset_shuffle(create)
                                : !strcmp(argv[i], "fletcher") ? H5Pset_fletcher32(create)
                                                               : -1) >= 0,
                    argv[i]);
    }
    copy(in, out, "/images", create, rows);
    copy(in, out, "/labels", H5P_DEFAULT, ~(hsize_t)0);
    H5Pclose(create);
    H5Sclose(space);
    H5Dclose(images);
    H5Fclose(in);
    stop_unless(H5Fclose(out) >= 0, "closing");
    return 0;
}
