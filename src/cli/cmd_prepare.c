/* hiss prepare */
#include <assert.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/log.h"

typedef struct options {
    const char *images, *labels, *source;
    hiss_prepare_options prepare;
    bool help;
} options;

#define PREPARE(field) (offsetof(options, prepare) + offsetof(hiss_prepare_options, field))
static const hiss_row rows[] = {
    {"output", HISS_PATH, PREPARE(output), NULL, 0, 0, NULL,
     "HDF5 file to write; for fashion-mnist the directory of train.h5 and test.h5"},
    {"images", HISS_PATH, offsetof(options, images), NULL, 0, 0, NULL,
     "idx: file of images, plain or gzip; npz: name of the array, images by default; webdataset: field of the "
     "pictures"},
    {"labels", HISS_PATH, offsetof(options, labels), NULL, 0, 0, NULL,
     "idx: file of labels, may be left out; npz, webdataset: name of the array, field or json key, or none"},
    {"source", HISS_PATH, offsetof(options, source), "/usr/share/datasets/fashion-mnist", 0, 0, NULL,
     "fashion-mnist: where the four idx files are (Debian: dataset-fashion-mnist)"},
    {"shuffle", HISS_BOOL, PREPARE(shuffle), "true", 0, 0, NULL, "shuffle the samples (the seed is recorded)"},
    {"seed", HISS_INT, PREPARE(seed), "1", 0, 9007199254740992.0, NULL, "seed of the shuffle"},
    {"chunk", HISS_INT, PREPARE(chunk), "0", 0, 1e9, NULL,
     "samples per HDF5 chunk; 0: contiguous, or 256 when compressed"},
    {"deflate", HISS_INT, PREPARE(deflate), "0", 0, 9, NULL, "compression level"},
    {"split", HISS_STRING, PREPARE(split), NULL, 0, 0, NULL, "npz: NAME takes NAME_images and NAME_labels (MedMNIST)"},
    {"layout", HISS_STRING, PREPARE(layout), NULL, 0, 0, NULL, "npz: axes of images with channels, NHWC or NCHW"},
    {"height", HISS_INT, PREPARE(height), "256", 1, 65536, NULL, "pictures: rows of the stored images"},
    {"width", HISS_INT, PREPARE(width), "256", 1, 65536, NULL, "pictures: columns of the stored images"},
    {"channels", HISS_INT, PREPARE(channels), "3", 1, 3, NULL, "pictures: 3 colour, 1 grey"},
    {"skip-broken", HISS_BOOL, PREPARE(skip_broken), "false", 0, 0, NULL,
     "pictures: leave out those that cannot be read, and say how many"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss prepare fashion-mnist --output DIR\n"
           "       hiss prepare folder FOLDER --output FILE.h5\n"
           "       hiss prepare npz FILE.npz [--split NAME] --output FILE.h5\n"
           "       hiss prepare webdataset FILE.tar ... --output FILE.h5\n");
    for (const char *const *format = hiss_prepare_formats(); *format; format++) {
        printf("       hiss prepare %s --images FILE [--labels FILE] --output FILE.h5\n", *format);
    }
    printf("\n"
           "Write a data set: /images uint8 [n,H,W,C], /labels int32 [n], shuffled, with a checksum.\n"
           "A folder holds JPEG, PNG, PPM or PGM images, which are turned as their Exif orientation says; its "
           "sub-folders, in name\n"
           "order, are classes 0, 1, ...\n\n");
    hiss_rows_help(stdout, NULL, rows, HISS_COUNT(rows));
}

static const char *const parts[][2] = {{"train", "train"}, {"t10k", "test"}};

static void path_of_source(const options *o, int part, const char *what, char out[CLI_PATH]) {
    snprintf(out, CLI_PATH, "%s/%s-%s-ubyte.gz", o->source, parts[part][0], what);
}

static void path_of_output(const options *o, int part, char out[CLI_PATH]) {
    snprintf(out, CLI_PATH, "%s/%s.h5", o->prepare.output, parts[part][1]);
}

/* All four sources are there and both outputs can be written, before any is. */
static hiss_status check_fashion_mnist(const options *o, hiss_error *err) {
    static const char *const files[] = {"images-idx3", "labels-idx1"};
    char path[CLI_PATH];
    for (int k = 0; k < HISS_COUNT(parts) * HISS_COUNT(files); k++) {
        path_of_source(o, k / HISS_COUNT(files), files[k % HISS_COUNT(files)], path);
        if (!hiss_file_exists(path)) {
            return hiss_fail(
                err, HISS_EUSER,
                "%s is missing; install it with `apt-get install dataset-fashion-mnist`, or name the folder "
                "of the four idx files with --source",
                path);
        }
    }
    hiss_status s = hiss_directories_make(o->prepare.output, err);
    for (int k = 0; k < HISS_COUNT(parts) && s == HISS_OK; k++) {
        path_of_output(o, k, path);
        s = hiss_file_expect_writable(path, err);
    }
    return s;
}

static hiss_status fashion_mnist(const options *o, hiss_error *err) {
    const bool there = hiss_file_exists(o->prepare.output);
    hiss_status s = check_fashion_mnist(o, err);
    for (int k = 0; k < HISS_COUNT(parts) && s == HISS_OK; k++) {
        char images[CLI_PATH], labels[CLI_PATH], output[CLI_PATH];
        path_of_source(o, k, "images-idx3", images);
        path_of_source(o, k, "labels-idx1", labels);
        path_of_output(o, k, output);
        hiss_prepare_options prepare = o->prepare;
        prepare.output = output;
        s = hiss_prepare_arrays(&prepare, "idx", images, labels, err);
        if (s == HISS_OK) {
            hiss_info("wrote %s", output);
        }
    }
    if (s != HISS_OK && !there) {
        rmdir(o->prepare.output); /* when nothing is in it */
    }
    return s;
}

/* What `hiss prepare` reads: the word for it (arrays: of their format), how many files it takes, and its options. */
typedef enum source_kind { FASHION_MNIST, FOLDER, NPZ, WEBDATASET, ARRAYS, KINDS } source_kind;
static const struct {
    const char *word, *files;
    int least, most;
    const char *used;
} kinds[KINDS] = {[FASHION_MNIST] = {"fashion-mnist", "", 0, 0, "output source shuffle seed chunk deflate"},
                  [FOLDER] = {"folder", "a folder of pictures", 1, 1,
                              "output shuffle seed chunk deflate height width channels skip-broken"},
                  [NPZ] = {"npz", "an npz file", 1, 1, "output images labels split layout shuffle seed chunk deflate"},
                  [WEBDATASET] = {"webdataset", "tar files", 1, INT_MAX,
                                  "output images labels shuffle seed chunk deflate height width channels skip-broken"},
                  [ARRAYS] = {"", "", 0, 0, "output images labels shuffle seed chunk deflate"}};

static hiss_status find_kind(const hiss_arguments *rest, source_kind *out, hiss_error *err) {
    const char *word = rest->npositional ? rest->positional[0] : "";
    char words[256] = "";
    size_t length = 0;
    for (int k = 0; k < ARRAYS; k++) {
        *out = (source_kind)k;
        if (strcmp(word, kinds[k].word) == 0) {
            return HISS_OK;
        }
        length += (size_t)snprintf(words + length, sizeof words - length, "%s%s", k ? ", " : "", kinds[k].word);
    }
    *out = ARRAYS;
    for (const char *const *format = hiss_prepare_formats(); *format; format++) {
        if (strcmp(word, *format) == 0) {
            return HISS_OK;
        }
        length += (size_t)snprintf(words + length, sizeof words - length, "%s%s", format[1] ? ", " : " or ", *format);
        assert(length < sizeof words);
    }
    return hiss_fail(err, HISS_EUSER, "prepare%s%.100s: expected %s; see hiss prepare --help", *word ? " " : "", word,
                     words);
}

static hiss_status check_words(const hiss_arguments *rest, source_kind kind, hiss_error *err) {
    const int files = rest->npositional - 1;
    if (files < kinds[kind].least) {
        return hiss_fail(err, HISS_EUSER, "prepare %s needs %s", kinds[kind].word, kinds[kind].files);
    }
    return files <= kinds[kind].most ? HISS_OK
                                     : hiss_fail(err, HISS_EUSER, "prepare %s: unexpected argument '%.200s'%s",
                                                 rest->positional[0], rest->positional[1 + kinds[kind].most],
                                                 kind == ARRAYS ? "; files are given by --images and --labels" : "");
}

static hiss_status prepare(options *o, const hiss_arguments *rest, hiss_error *err) {
    source_kind kind = FASHION_MNIST;
    enum { COMPRESSED_CHUNK = 256 };
    hiss_alloc_for("pictures", "prepare smaller ones, or with a smaller --chunk");
    hiss_status s = find_kind(rest, &kind, err);
    s = s == HISS_OK ? check_words(rest, kind, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    const char *word = rest->positional[0];
    char form[64];
    snprintf(form, sizeof form, "on hiss prepare %s", word);
    s = hiss_options_expect(rows, HISS_COUNT(rows), rest, kinds[kind].used, form, err);
    if (s == HISS_OK && !o->prepare.shuffle) {
        s = hiss_options_expect(
            rows, HISS_COUNT(rows), rest,
            "output source images labels split layout shuffle chunk deflate height width channels skip-broken",
            "with --no-shuffle", err);
    }
    if (s != HISS_OK) {
        return s;
    }
    if (o->prepare.deflate > 0 && o->prepare.chunk == 0) {
        o->prepare.chunk = COMPRESSED_CHUNK;
    }
    if (!o->prepare.output) {
        return hiss_fail(err, HISS_EUSER, "prepare %s needs --output", word);
    }
    const char *const *files = rest->positional + 1,
                      *labels = o->labels && strcmp(o->labels, "none") == 0 ? "" : o->labels;
    switch (kind) {
    case FASHION_MNIST:
        return fashion_mnist(o, err);
    case FOLDER:
        return hiss_prepare_folder(&o->prepare, files[0], err);
    case NPZ:
        return hiss_prepare_npz(&o->prepare, files[0], o->images, labels, err);
    case WEBDATASET:
        return hiss_prepare_webdataset(&o->prepare, files, rest->npositional - 1, o->images, labels, err);
    default:
        return o->images ? hiss_prepare_arrays(&o->prepare, word, o->images, o->labels, err)
                         : hiss_fail(err, HISS_EUSER, "prepare %s needs --images", word);
    }
}

int cmd_prepare(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char **words = hiss_new(const char *, argc + 1);
    hiss_arguments rest = {.positional = words, .max_positional = argc + 1};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
    } else if (s == HISS_OK) {
        s = prepare(&o, &rest, &err);
    }
    hiss_free(words);
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
