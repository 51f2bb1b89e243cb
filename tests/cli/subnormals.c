/* How many numbers of a checkpoint are subnormal: subnormals FILE prints `FLOATS SUBNORMAL`, over all float32 data
 * sets. */
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t floats, found;

static void look(hid_t set) {
    const hid_t space = H5Dget_space(set);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    uint32_t *bits = count > 0 ? calloc((size_t)count, sizeof *bits) : NULL;
    if (bits && H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, bits) >= 0) {
        for (hssize_t i = 0; i < count; i++) {
            found += (bits[i] & 0x7f800000) == 0 && (bits[i] & 0x007fffff) != 0;
        }
        floats += count;
    }
    free(bits);
    H5Sclose(space);
}

static herr_t visit(hid_t file, const char *name, const H5L_info_t *info, void *unused) {
    (void)info, (void)unused;
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (H5Iget_type(object) == H5I_DATASET) {
        const hid_t type = H5Dget_type(object);
        if (H5Tget_class(type) == H5T_FLOAT) {
            look(object);
        }
        H5Tclose(type);
    }
    H5Oclose(object);
    return 0;
}

int main(int count, char **arguments) {
    const hid_t file = count == 2 ? H5Fopen(arguments[1], H5F_ACC_RDONLY, H5P_DEFAULT) : -1;
    if (file < 0 || H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit, NULL) < 0) {
        return 1;
    }
    H5Fclose(file);
    printf("%" PRId64 " %" PRId64 "\n", floats, found);
    return 0;
}
