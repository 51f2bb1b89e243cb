/* hiss prepare */
#include <assert.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/generate.h"
#include "hiss/log.h"
#include "hiss/number.h"

typedef struct options {
    const char *images, *labels, *source, *scale;
    int64_t label_column;
    const char *ignore_label;
    const char *missing;
    bool follow;
    hiss_prepare_options prepare;
    int channels; /* its place in 1|3 */
    int64_t rows;
    hiss_cut cut;
    hiss_tokens tokens;
    bool help;
} options;

#define PREPARE(field) (offsetof(options, prepare) + offsetof(hiss_prepare_options, field))
static const hiss_row rows[] = {
    {"output", HISS_PATH, PREPARE(output), NULL, 0, 0, NULL,
     "HDF5 file to write; for fashion-mnist, voc, and hdf5 with --split, the directory of train.h5 and test.h5"},
    {"images", HISS_PATH, offsetof(options, images), NULL, 0, 0, NULL,
     "idx: file of images, plain or gzip; npz: name of the array, images by default; webdataset: field of the "
     "pictures; hdf5: data set, /images by default"},
    {"labels", HISS_PATH, offsetof(options, labels), NULL, 0, 0, NULL,
     "idx: file of labels, may be left out; npz, webdataset, hdf5: name of the array, field or json key, data set or "
     "FILE:/NAME, or none"},
    {"source", HISS_PATH, offsetof(options, source), "/usr/share/datasets/fashion-mnist", 0, 0, NULL,
     "fashion-mnist: where the four idx files are (Debian: dataset-fashion-mnist)"},
    {"shuffle", HISS_BOOL, PREPARE(shuffle), "true", 0, 0, NULL, "shuffle the samples (the seed is recorded)"},
    {"seed", HISS_INT, PREPARE(seed), "1", 0, 9007199254740992.0, NULL,
     "seed of the shuffle; scenes: of what is drawn"},
    {"chunk", HISS_INT, PREPARE(chunk), "0", 0, 1e9, NULL,
     "samples per HDF5 chunk; 0: contiguous, or 256 when compressed"},
    {"deflate", HISS_INT, PREPARE(deflate), "0", 0, 9, NULL, "compression level"},
    {"split", HISS_STRING, PREPARE(split), NULL, 0, 0, NULL,
     "npz: NAME takes NAME_images and NAME_labels (MedMNIST); hdf5: share of each class for test.h5, drawn by the "
     "seed"},
    {"layout", HISS_STRING, PREPARE(layout), NULL, 0, 0, NULL,
     "npz, hdf5: the axes of images, as NHWC or NCHW; hdf5: any word of data.layout"},
    {"scale", HISS_STRING, offsetof(options, scale), NULL, 0, 0, NULL,
     "hdf5: LO:HI makes uint8 pixels, LO 0 and HI 255; values outside are cut, and counted"},
    {"missing", HISS_STRING, offsetof(options, missing), NULL, 0, 0, NULL,
     "hdf5: what shall stand for NaN, _FillValue and missing_value; without it they are an error"},
    {"follow", HISS_BOOL, offsetof(options, follow), "false", 0, 0, NULL,
     "hdf5: read virtual data sets, and links into other files below the folder of the file that has them"},
    {"label-column", HISS_INT, offsetof(options, label_column), "-1", -1, 0x1p31, NULL,
     "hdf5: column of labels, from 0, where they are many in a row"},
    {"ignore-label", HISS_STRING, offsetof(options, ignore_label), "-1", 0, 0, "",
     "hdf5: label of samples that have none; '': no number is one"},
    {"height", HISS_INT, PREPARE(height), "256", 1, HISS_PREPARE_SIDE, NULL, "pictures: rows of the stored images"},
    {"width", HISS_INT, PREPARE(width), "256", 1, HISS_PREPARE_SIDE, NULL, "pictures: columns of the stored images"},
    {"channels", HISS_CHOICE, offsetof(options, channels), "3", 0, 0, "1|3", "pictures: 3 colour, 1 grey"},
    {"tiles", HISS_INT, PREPARE(tiles), "0", 0, HISS_PREPARE_SIDE, NULL,
     "pictures: scale the short side to so many pixels and cut the picture into images; 0: one image of each, its "
     "centre"},
    {"skip-broken", HISS_BOOL, PREPARE(skip_broken), "false", 0, 0, NULL,
     "pictures: leave out those that cannot be read, and say how many"},
    {"rows", HISS_INT, offsetof(options, rows), "-1", -1, 0x1p40, NULL,
     "generate, scenes: samples, 1 or more; generate: -1 is as generate.rows says"},
    {"set*", HISS_STRING, 0, NULL, 0, 0, NULL, "generate: section.key=value, as in a config (generate.size=64)"},
    {"length", HISS_INT, offsetof(options, cut.length), "0", 0, 0x1p31, NULL,
     "wav, text: values, tokens of a row; 1 or more"},
    {"overlap", HISS_INT, offsetof(options, cut.overlap), "0", 0, 0x1p31, NULL,
     "wav, text: of these, those that a row has in common with the one before"},
    {"pad", HISS_BOOL, offsetof(options, cut.pad), "false", 0, 0, NULL,
     "wav, text: fill up the last row of a file, instead of leaving it out"},
    {"trim", HISS_FLOAT, offsetof(options, cut.trim), "0", 0, 1, NULL,
     "wav: cut off the beginning and the end of a file while they stay below this share of full scale, "
     "such as 0.01; 0: nothing"},
    {"by", HISS_CHOICE, offsetof(options, tokens.by), "words", 0, 0, HISS_TOKEN_CHOICES, "text: what a token is"},
    {"min-count", HISS_INT, offsetof(options, tokens.min_count), "5", 1, 1e9, NULL,
     "text: words that occur less often are <unknown>"},
    {"vocabulary", HISS_PATH, offsetof(options, tokens.vocabulary), NULL, 0, 0, NULL,
     "text: take the words of this file, which prepare text has written"},
    {"help", HISS_BOOL, offsetof(options, help), "false", 0, 0, NULL, "this text"},
};

static void help(void) {
    printf("usage: hiss prepare fashion-mnist --output DIR\n"
           "       hiss prepare folder FOLDER --output FILE.h5\n"
           "       hiss prepare hdf5 FILE.h5 ... --output FILE.h5\n"
           "       hiss prepare hdf5 FILE.h5 ... --split 0.1 --output DIR\n"
           "       hiss prepare npz FILE.npz [--split NAME] --output FILE.h5\n"
           "       hiss prepare webdataset FILE.tar ... --output FILE.h5\n"
           "       hiss prepare wav FOLDER|FILE.wav ... --length N [--overlap M] [--trim S] --output FILE.h5\n"
           "       hiss prepare text FILE ... --length N [--overlap M] [--by words|bytes] --output FILE.h5\n"
           "       hiss prepare voc VOCdevkit/VOC2007 --output DIR\n"
           "       hiss prepare scenes STAMPS GROUNDS --rows N --output FILE.h5\n"
           "       hiss prepare generate NAME [--rows N] [--set generate.KEY=VALUE] ... --output FILE.h5\n");
    for (const char *const *format = hiss_prepare_formats(); *format; format++) {
        printf("       hiss prepare %s --images FILE [--labels FILE] --output FILE.h5\n", *format);
    }
    printf("\n"
           "Write a data set: /images uint8 [n,H,W,C], /labels int32 [n], shuffled, with a checksum.\n"
           "HDF5 files in other layouts are joined in the order given; their pixels keep their type, but for float64.\n"
           "A folder holds JPEG, PNG, PPM or PGM images, which are turned as their Exif orientation says; its "
           "folders, in name\n"
           "order, are classes 0, 1, ..., with all that lies below them; those of wav likewise. Patterns in quotes are "
           "expanded.\n\n");
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
typedef enum source_kind {
    FASHION_MNIST,
    FOLDER,
    HDF5,
    NPZ,
    WEBDATASET,
    WAV,
    TEXT,
    VOC,
    SCENES,
    GENERATE,
    ARRAYS,
    KINDS
} source_kind;
static const struct {
    const char *word, *files;
    int least, most;
    const char *used;
} kinds[KINDS] = {
    [FASHION_MNIST] = {"fashion-mnist", "", 0, 0, "output source shuffle seed chunk deflate"},
    [FOLDER] = {"folder", "a folder of pictures", 1, 1,
                "output shuffle seed chunk deflate height width channels tiles skip-broken"},
    [HDF5] = {"hdf5", "HDF5 files", 1, INT_MAX,
              "output images labels layout scale missing follow label-column ignore-label split shuffle seed "
              "chunk deflate"},
    [NPZ] = {"npz", "an npz file", 1, 1, "output images labels split layout shuffle seed chunk deflate"},
    [WEBDATASET] = {"webdataset", "tar files", 1, INT_MAX,
                    "output images labels shuffle seed chunk deflate height width channels tiles skip-broken"},
    [WAV] = {"wav", "a folder of WAV files, or such files", 1, INT_MAX, "output length overlap pad trim shuffle seed"},
    [TEXT] = {"text", "text files", 1, INT_MAX, "output length overlap pad by min-count vocabulary shuffle seed"},
    [VOC] = {"voc", "the folder of a year, as VOCdevkit/VOC2007", 1, 1,
             "output shuffle seed chunk deflate height width channels"},
    [SCENES] = {"scenes", "a folder of stamps and a folder of grounds", 2, 2,
                "output rows seed height width chunk deflate"},
    [GENERATE] = {"generate", "the name of a generator", 1, 1, "output rows set chunk deflate"},
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

/* The share of --split; 0: none. */
static hiss_status read_share(const char *text, double *out, hiss_error *err) {
    *out = 0;
    return !text || (hiss_real_parse(text, out) && *out > 0 && *out < 1)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "--split %.80s: must be the share of the samples that go into test.h5, between 0 and 1, "
                           "as 0.1",
                           text);
}

static hiss_status read_scale(const char *text, hiss_hdf5_source *out, hiss_error *err) {
    const char *colon = text ? strchr(text, ':') : NULL;
    char low[64] = "";
    if (!text) {
        return HISS_OK;
    }
    snprintf(low, sizeof low, "%.*s", colon ? (int)(colon - text) : 0, text);
    out->scaled =
        colon && hiss_real_parse(low, &out->low) && hiss_real_parse(colon + 1, &out->high) && out->high > out->low;
    return out->scaled ? HISS_OK
                       : hiss_fail(err, HISS_EUSER,
                                   "--scale %.80s: must be LO:HI, the values that become 0 and 255, the lower first, "
                                   "as 0:10000",
                                   text);
}

static hiss_status hdf5(const options *o, const char *const *files, int nfiles, const char *labels, hiss_error *err) {
    hiss_hdf5_source source = {.file = files,
                               .nfiles = nfiles,
                               .images = o->images,
                               .labels = labels,
                               .label_column = o->label_column,
                               .ignore_label = o->ignore_label,
                               .missing = o->missing,
                               .follow = o->follow};
    hiss_status s = read_share(o->prepare.split, &source.test_share, err);
    s = s == HISS_OK ? read_scale(o->scale, &source, err) : s;
    return s == HISS_OK ? hiss_prepare_hdf5(&o->prepare, &source, err) : s;
}

/* The options of a generator are those of a config. */
static hiss_status generate(const options *o, const hiss_arguments *rest, hiss_error *err) {
    const hiss_generator *g = hiss_generator_named(rest->positional[1]);
    if (!g) {
        return hiss_fail(err, HISS_EUSER, "prepare generate: there is no generator '%.100s'; expected one of %s",
                         rest->positional[1], hiss_generator_choices + strlen("none|"));
    }
    if (o->rows == 0) {
        return hiss_fail(err, HISS_EUSER, "--rows 0: must be 1 or more");
    }
    hiss_config *config = NULL;
    hiss_generate_options *generated = hiss_alloc(g->options_bytes);
    hiss_status s = o->rows > 0 ? cli_expect_once(rows, HISS_COUNT(rows), rest, "rows", "generate.rows", err) : HISS_OK;
    s = s == HISS_OK ? hiss_config_read(NULL, &config, err) : s;
    for (int k = 0; k < rest->nrepeated && s == HISS_OK; k++) {
        s = hiss_config_set(config, rest->repeated[k], err);
    }
    s = s == HISS_OK ? hiss_config_section(config, "generate", g->rows, g->nrows, generated, err) : s;
    s = s == HISS_OK ? hiss_config_finish(config, err) : s;
    generated->rows = o->rows > 0 ? o->rows : generated->rows;
    s = s == HISS_OK ? hiss_prepare_generate(&o->prepare, g, generated, err) : s;
    s = config ? hiss_config_blame(config, s, err) : s;
    hiss_config_destroy(config);
    hiss_free(generated);
    return s;
}

static hiss_status text(const options *o, const hiss_arguments *rest, hiss_error *err) {
    hiss_status s = HISS_OK;
    hiss_alloc_for("words", "prepare fewer files, or take the --vocabulary of some of them");
    if (o->tokens.by == HISS_BY_BYTES) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest, "output length overlap pad by shuffle seed",
                                "with --by bytes", err);
    } else if (o->tokens.vocabulary) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest, "output length overlap pad by vocabulary shuffle seed",
                                "with --vocabulary", err);
    }
    return s == HISS_OK
               ? hiss_prepare_text(&o->prepare, &o->cut, &o->tokens, rest->positional + 1, rest->npositional - 1, err)
               : s;
}

/* Each option has an effect on this kind, and beside the others. */
static hiss_status check_options(const options *o, const hiss_arguments *rest, source_kind kind, hiss_error *err) {
    char form[64];
    snprintf(form, sizeof form, "on hiss prepare %.40s", rest->positional[0]);
    hiss_status s = hiss_options_expect(rows, HISS_COUNT(rows), rest, kinds[kind].used, form, err);
    if (s == HISS_OK && !o->prepare.shuffle && !(o->prepare.split && kind == HDF5)) {
        s = hiss_options_expect(
            rows, HISS_COUNT(rows), rest,
            "output source images labels split layout scale missing follow label-column "
            "ignore-label shuffle chunk deflate height width channels tiles skip-broken rows set length "
            "overlap pad trim by min-count vocabulary",
            "with --no-shuffle", err);
    }
    if (s == HISS_OK && kind == HDF5 && o->labels && strcmp(o->labels, "none") == 0) {
        s = hiss_options_expect(rows, HISS_COUNT(rows), rest,
                                "output images labels layout scale missing follow split shuffle seed chunk deflate",
                                "with --labels none", err);
    }
    return s;
}

static hiss_status check_needed(const options *o, const hiss_arguments *rest, source_kind kind, hiss_error *err) {
    const bool cut = kind == WAV || kind == TEXT;
    const char *missing = !o->prepare.output                                                   ? "--output"
                          : cut && !hiss_options_given(rows, HISS_COUNT(rows), rest, "length") ? "--length"
                          : kind == SCENES && o->rows < 1                                      ? "--rows, 1 or more"
                          : kind == ARRAYS && !o->images                                       ? "--images"
                                                                                               : NULL;
    return missing ? hiss_fail(err, HISS_EUSER, "prepare %s needs %s", rest->positional[0], missing) : HISS_OK;
}

/* The words behind the kind, as files. */
static hiss_status expand(source_kind kind, hiss_arguments *rest, hiss_arena *arena, hiss_error *err) {
    const char **files;
    if (kind == GENERATE) {
        return HISS_OK;
    }
    int count = 0;
    const hiss_status s = hiss_files_expand(arena, rest->positional, rest->npositional, &files, &count, err);
    if (s == HISS_OK) {
        rest->positional = files;
        rest->npositional = count;
    }
    return s;
}

static hiss_status prepare(options *o, hiss_arguments *rest, hiss_arena *arena, hiss_error *err) {
    source_kind kind = FASHION_MNIST;
    enum { COMPRESSED_CHUNK = 256 };
    hiss_alloc_for("pictures", "prepare smaller ones, or with a smaller --chunk");
    hiss_status s = find_kind(rest, &kind, err);
    s = s == HISS_OK ? expand(kind, rest, arena, err) : s;
    s = s == HISS_OK ? check_words(rest, kind, err) : s;
    s = s == HISS_OK ? check_options(o, rest, kind, err) : s;
    s = s == HISS_OK ? check_needed(o, rest, kind, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    o->prepare.channels = o->channels == 0 ? 1 : 3;
    if (o->prepare.deflate > 0 && o->prepare.chunk == 0) {
        o->prepare.chunk = COMPRESSED_CHUNK;
    }
    const char *const *files = rest->positional + 1,
                      *labels = o->labels && strcmp(o->labels, "none") == 0 ? "" : o->labels;
    switch (kind) {
    case FASHION_MNIST:
        return fashion_mnist(o, err);
    case FOLDER:
        return hiss_prepare_folder(&o->prepare, files[0], err);
    case HDF5:
        return hdf5(o, files, rest->npositional - 1, labels, err);
    case NPZ:
        return hiss_prepare_npz(&o->prepare, files[0], o->images, labels, err);
    case WAV:
        return hiss_prepare_wav(&o->prepare, &o->cut, files, rest->npositional - 1, err);
    case TEXT:
        return text(o, rest, err);
    case VOC:
        return hiss_prepare_voc(&o->prepare, files[0], err);
    case SCENES:
        return hiss_prepare_scenes(&o->prepare, &(hiss_scenes_source){files[0], files[1], o->rows}, err);
    case GENERATE:
        return generate(o, rest, err);
    case WEBDATASET:
        return hiss_prepare_webdataset(&o->prepare, files, rest->npositional - 1, o->images, labels, err);
    default:
        return hiss_prepare_arrays(&o->prepare, rest->positional[0], o->images, o->labels, err);
    }
}

int cmd_prepare(int argc, char **argv) {
    options o = {0};
    hiss_error err = {0};
    const char **words = hiss_new(const char *, argc + 1);
    const char **sets = hiss_new(const char *, argc + 1);
    hiss_arguments rest = {.positional = words, .max_positional = argc + 1, .repeated = sets, .max_repeated = argc + 1};
    hiss_status s = hiss_options_parse(rows, HISS_COUNT(rows), argc, argv, &o, &rest, &err);
    if (s == HISS_OK && o.help) {
        help();
    } else if (s == HISS_OK) {
        hiss_arena *arena = hiss_arena_create();
        s = prepare(&o, &rest, arena, &err);
        hiss_arena_destroy(arena);
    }
    hiss_free(words);
    hiss_free(sets);
    return s == HISS_OK ? 0 : cli_fail(NULL, &err);
}
