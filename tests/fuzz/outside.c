/* Reads files as other software does, by the libraries alone and without hiss's guards: outside FILE...
 *
 * A file that an outside library can only read with a crash, without end, or with more memory than any such file is
 * worth, does others harm, and is not kept in the repository. Every library tries every file: HDF5 all objects,
 * attributes and values, libpng, libjpeg, zlib, libyaml, libarchive. What it reads or refuses is fine.
 *
 * Exit 0: fine. 1: a library asks for more than LIMIT_BYTES. Else the signal of what went wrong; CPU_SECONDS a file. */
#define H5_USE_110_API
#include <hdf5.h>
#ifdef HISS_HAS_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif
#include <jpeglib.h>
#include <png.h>
#include <yaml.h>
#include <zlib.h>

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPU_SECONDS = 10, EXIT_LARGE = 1 };
static const uint64_t limit_bytes = 256 << 20;

/* End here when a file claims so much. */
static void within_limit(uint64_t bytes, const char *what) {
    if (bytes > limit_bytes) {
        fprintf(stderr, "%s asks for %llu bytes\n", what, (unsigned long long)bytes);
        _exit(EXIT_LARGE);
    }
}

/* ---- HDF5 ---- */

static uint64_t volume(hid_t type, hid_t space) {
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    const uint64_t size = H5Tget_size(type), count = points > 0 ? (uint64_t)points : 0;
    return size > 0 && count > UINT64_MAX / size ? UINT64_MAX : count * size;
}

static void read_values(hid_t id, bool attribute) {
    const hid_t type = attribute ? H5Aget_type(id) : H5Dget_type(id),
                space = attribute ? H5Aget_space(id) : H5Dget_space(id);
    const uint64_t bytes = type < 0 || space < 0 ? 0 : volume(type, space);
    within_limit(bytes, "HDF5");
    void *values = calloc(1, bytes + 1);
    const herr_t status =
        attribute ? H5Aread(id, type, values) : H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (status >= 0 && bytes > 0 && H5Tdetect_class(type, H5T_VLEN) > 0) {
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    }
    free(values);
    H5Sclose(space);
    H5Tclose(type);
}

static herr_t read_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)info, (void)user;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute >= 0) {
        read_values(attribute, true);
        H5Aclose(attribute);
    }
    return 0;
}

static herr_t read_object(hid_t root, const char *name, const H5O_info_t *info, void *user) {
    (void)user;
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (object < 0) {
        return 0;
    }
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, read_attribute, NULL);
    if (info->type == H5O_TYPE_DATASET) {
        read_values(object, false);
    }
    H5Oclose(object);
    return 0;
}

static herr_t find_lack(unsigned n, const H5E_error2_t *record, void *user) {
    (void)n;
    *(bool *)user = *(bool *)user || record->maj_num == H5E_RESOURCE || record->min_num == H5E_NOSPACE ||
                    record->min_num == H5E_CANTALLOC;
    return 0;
}

/* Called when HDF5 fails: where there is more memory, it would have gone on. */
static herr_t note_lack(hid_t stack, void *user) {
    bool lacks = false;
    (void)user;
    H5Ewalk2(stack, H5E_WALK_UPWARD, find_lack, &lacks);
    within_limit(lacks ? UINT64_MAX : 0, "HDF5");
    return 0;
}

static void read_hdf5(const char *path) {
    H5Eset_auto2(H5E_DEFAULT, note_lack, NULL);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file >= 0) {
        H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, read_object, NULL);
        H5Fclose(file);
    }
}

/* ---- the others ---- */

static void read_png(const char *path) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path)) {
        return;
    }
    image.format = PNG_FORMAT_RGBA;
    within_limit((uint64_t)image.width * image.height * 4, "libpng");
    void *pixels = malloc(PNG_IMAGE_SIZE(image) + 1);
    png_image_finish_read(&image, NULL, pixels, 0, NULL);
    png_image_free(&image);
    free(pixels);
}

static jmp_buf refused;

static void refuse(j_common_ptr jpeg) {
    (void)jpeg;
    longjmp(refused, 1);
}

static void be_silent(j_common_ptr jpeg) {
    (void)jpeg;
}

static void read_jpeg(const char *path) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *stream = fopen(path, "rb");
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = refuse;
    errors.output_message = be_silent;
    jpeg_create_decompress(&jpeg);
    if (stream && setjmp(refused) == 0) {
        jpeg_stdio_src(&jpeg, stream);
        jpeg_read_header(&jpeg, TRUE);
        within_limit((uint64_t)jpeg.image_width * jpeg.image_height * 4, "libjpeg");
        jpeg_start_decompress(&jpeg);
        JSAMPARRAY row = jpeg.mem->alloc_sarray((j_common_ptr)&jpeg, JPOOL_IMAGE,
                                                jpeg.output_width * (unsigned)jpeg.output_components, 1);
        while (jpeg.output_scanline < jpeg.output_height) {
            jpeg_read_scanlines(&jpeg, row, 1);
        }
    }
    jpeg_destroy_decompress(&jpeg);
    if (stream) {
        fclose(stream);
    }
}

static void read_gzip(const char *path) {
    static char piece[1 << 16];
    gzFile stream = gzopen(path, "rb");
    uint64_t total = 0;
    for (int got; stream && (got = gzread(stream, piece, sizeof piece)) > 0;) {
        total += (uint64_t)got;
        within_limit(total, "zlib");
    }
    gzclose(stream);
}

static void read_yaml(const char *path) {
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *stream = fopen(path, "rb");
    if (stream && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, stream);
        for (bool more = true; more && yaml_parser_load(&parser, &document); yaml_document_delete(&document)) {
            more = yaml_document_get_root_node(&document) != NULL;
        }
        yaml_parser_delete(&parser);
        fclose(stream);
    }
}

#ifdef HISS_HAS_ARCHIVE
static void read_archive(const char *path) {
    static char piece[1 << 16];
    struct archive *reader = archive_read_new();
    struct archive_entry *entry;
    uint64_t total = 0;
    archive_read_support_format_tar(reader);
    archive_read_support_format_zip(reader);
    archive_read_support_filter_gzip(reader);
    if (archive_read_open_filename(reader, path, sizeof piece) == ARCHIVE_OK) {
        while (archive_read_next_header(reader, &entry) >= ARCHIVE_WARN) {
            for (la_ssize_t got; (got = archive_read_data(reader, piece, sizeof piece)) > 0;) {
                total += (uint64_t)got;
                within_limit(total, "libarchive");
            }
        }
    }
    archive_read_free(reader);
}
#endif

/* ---- one file ---- */

static int try(const char *path, void (*read_it)(const char *)) {
    const pid_t child = fork();
    int status = 0;
    if (child == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){CPU_SECONDS, CPU_SECONDS});
        setrlimit(RLIMIT_AS, &(struct rlimit){1ul << 30, 1ul << 30});
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        alarm(3 * CPU_SECONDS);
        read_it(path);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child < 0 ? 127 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*read)(const char *path);
    } readers[] = {
        {"HDF5", read_hdf5},          {"libpng", read_png},   {"libjpeg", read_jpeg},
        {"zlib", read_gzip},          {"libyaml", read_yaml},
#ifdef HISS_HAS_ARCHIVE
        {"libarchive", read_archive},
#endif
    };
    int worst = 0;
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof readers / sizeof *readers; k++) {
            const int status = try(argv[i], readers[k].read);
            if (status != 0) {
                fprintf(stderr, "%s: does harm to %s (exit %d)\n", argv[i], readers[k].name, status);
                worst = status > worst ? status : worst;
            }
        }
    }
    return worst;
}
