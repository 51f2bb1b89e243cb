/* Stamps for hiss prepare scenes, and what is in a file of objects:
 *   objects_h5 png OUT HEIGHT WIDTH R G B [ALPHA]
 *                                           a PNG of this colour and alpha (255), whose border, an eighth of each side, is transparent
 *   objects_h5 show FILE                    shapes, classes, and for each row its targets and its boxes
 *   objects_h5 name FILE OBJECT [A,B,C]     the attribute classes of /, or of a data set; without names, none
 *   objects_h5 fill FILE COLUMN VALUE       that column of /targets
 *   objects_h5 box FILE ROW K VALUE         value K of the first box of a row */
#include <hdf5.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int png(const char *path, int height, int width, char **rgb, int alpha) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = PNG_FORMAT_RGBA};
    unsigned char *pixels = malloc((size_t)height * (size_t)width * 4), *to = pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const int inside = y >= height / 8 && y < height - height / 8 && x >= width / 8 && x < width - width / 8;
            for (int c = 0; c < 3; c++) {
                *to++ = (unsigned char)atoi(rgb[c]);
            }
            *to++ = (unsigned char)(inside ? alpha : 0);
        }
    }
    const int fine = png_image_write_to_file(&image, path, 0, pixels, 0, NULL);
    free(pixels);
    return fine ? 0 : 1;
}

/* Values of a data set as doubles; dim[3] of its shape, 1 behind its axes. */
static double *read_all(hid_t file, const char *name, hsize_t dim[4]) {
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) {
        return NULL;
    }
    const hid_t space = H5Dget_space(set);
    dim[0] = dim[1] = dim[2] = dim[3] = 1;
    H5Sget_simple_extent_dims(space, dim, NULL);
    double *values = malloc(sizeof *values * dim[0] * dim[1] * dim[2] * dim[3] + 1);
    const herr_t read = H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Sclose(space);
    H5Dclose(set);
    return read < 0 ? NULL : values;
}

static int show(const char *path) {
    hsize_t images[4], targets[4], boxes[4];
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    double *image = read_all(file, "/images", images), *target = read_all(file, "/targets", targets);
    double *box = read_all(file, "/boxes", boxes);
    char *classes = NULL;
    const hid_t attribute = file >= 0 ? H5Aopen(file, "classes", H5P_DEFAULT) : -1;
    if (!image || !target || !box || attribute < 0 || H5Aread(attribute, H5Aget_type(attribute), &classes) < 0) {
        return 1;
    }
    for (char *c = classes; *c; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    printf("images %d %d %d %d, %d boxes\nclasses %s\n", (int)images[0], (int)images[1], (int)images[2], (int)images[3],
           (int)boxes[1], classes);
    for (hsize_t i = 0; i < targets[0]; i++) {
        for (hsize_t c = 0; c < targets[1]; c++) {
            printf("%g ", target[i * targets[1] + c]);
        }
        for (hsize_t k = 0; k < boxes[1]; k++) {
            const double *b = box + (i * boxes[1] + k) * boxes[2];
            if (b[0] >= 0) {
                printf("| %g: %g %g %g %g ", b[0], b[1], b[2], b[3], b[4]);
            }
        }
        printf("\n");
    }
    free(image);
    free(target);
    free(box);
    H5Aclose(attribute);
    H5Fclose(file);
    return 0;
}

static int name(const char *path, const char *of, char *names) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), object = H5Oopen(file, of, H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    herr_t done = 0;
    H5Tset_size(type, H5T_VARIABLE);
    if (H5Aexists(object, "classes") > 0) {
        done = H5Adelete(object, "classes");
    }
    for (char *c = names; c && *c; c++) {
        *c = *c == ',' ? '\n' : *c;
    }
    if (names) {
        const char *text = names;
        const hid_t attribute = H5Acreate2(object, "classes", type, space, H5P_DEFAULT, H5P_DEFAULT);
        done = H5Awrite(attribute, type, &text);
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(object);
    return H5Fclose(file) < 0 || done < 0;
}

static int fill(const char *path, hsize_t column, double value) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "/targets", H5P_DEFAULT);
    hsize_t dim[4];
    double *values = read_all(file, "/targets", dim);
    if (!values) {
        return 1;
    }
    for (hsize_t i = 0; i < dim[0]; i++) {
        values[i * dim[1] + column] = value;
    }
    const herr_t done = H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Dclose(set);
    return H5Fclose(file) < 0 || done < 0;
}

static int box(const char *path, hsize_t row, hsize_t k, double value) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "/boxes", H5P_DEFAULT);
    hsize_t dim[4];
    double *values = read_all(file, "/boxes", dim);
    if (!values) {
        return 1;
    }
    values[row * dim[1] * dim[2] + k] = value;
    const herr_t done = H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Dclose(set);
    return H5Fclose(file) < 0 || done < 0;
}

int main(int argc, char **argv) {
    if ((argc == 8 || argc == 9) && strcmp(argv[1], "png") == 0) {
        return png(argv[2], atoi(argv[3]), atoi(argv[4]), argv + 5, argc == 9 ? atoi(argv[8]) : 255);
    }
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "name") == 0) {
        return name(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    }
    if (argc == 5 && strcmp(argv[1], "fill") == 0) {
        return fill(argv[2], (hsize_t)atoi(argv[3]), atof(argv[4]));
    }
    if (argc == 6 && strcmp(argv[1], "box") == 0) {
        return box(argv[2], (hsize_t)atoi(argv[3]), (hsize_t)atoi(argv[4]), atof(argv[5]));
    }
    return argc == 3 && strcmp(argv[1], "show") == 0 ? show(argv[2]) : 2;
}
