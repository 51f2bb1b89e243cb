/* hiss prepare wav: sound as rows of one length.
 *
 * Each file is cut by itself, so that no row has two of them: rows begin every length - overlap values, and the rest behind
 * the last whole one is left out, or filled up with silence. Overlap is for methods that need some values before the
 * first one they predict. What all rows share stands at the data set /sound as attributes: rate and overlap.
 *
 * The file holds /sound int16 [n,length], /file int32 [n], the number of the file that a row is from, and, where files
 * lie in folders of a folder, /labels int32 [n]. On / are hiss_format, source, shuffled, seed and classes.
 *
 * Of sound that is trimmed, the rows begin at the first value of the file that is loud enough, and end with the last.
 *
 * Headers are read first, which gives the number of rows, or the values where these are trimmed; then each file is read once, and its rows written to where the
 * shuffle puts them. Cost: one pass over the sound, two where it is trimmed, and a
 * write for each row. */
#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "dataset_impl.h"
#include "files.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "listing.h"
#include "prepare_impl.h"
#include "wav_impl.h"

typedef struct sound {
    const char *path;
    int32_t label;
    int64_t all;          /* values of the file */
    int64_t begin, count; /* of them, those that are cut into rows */
    int64_t rows;
} sound;

typedef struct cutter {
    const hiss_prepare_options *options;
    const hiss_cut *cut;
    data_listing list;
    sound *all;                                   /* [files] */
    int64_t files, rows, rate, left_out, trimmed; /* left_out, trimmed: values */
    hiss_h5 *file;
    int16_t *row; /* [length] */
    double told;
} cutter;

/* ---- which files ---- */

static bool is_wav(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".wav") == 0;
}

/* The files themselves, or those of a folder. */
static hiss_status list(cutter *c, const char *const *files, int64_t nfiles, hiss_error *err) {
    const data_wanted sounds = {is_wav, "WAV files", ".wav", false};
    struct stat info;
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < nfiles && !status; k++) {
        const bool folder = stat(files[k], &info) == 0 && S_ISDIR(info.st_mode);
        if (folder && nfiles > 1) {
            status = hiss_fail(err, HISS_EUSER, "%s: is a folder; expected one folder, or WAV files", files[k]);
        } else if (folder) {
            status = data_listing_scan(&c->list, &sounds, files[k], err);
        } else {
            data_listing_add(&c->list, files[k], -1);
        }
    }
    if (!status && c->list.skipped) {
        hiss_info("prepare: %s: %lld WAV files, %lld other files skipped", files[0], (long long)c->list.count,
                  (long long)c->list.skipped);
    }
    c->files = c->list.count;
    c->all = status ? NULL : hiss_new(sound, c->files);
    for (int64_t k = 0; k < c->files && !status; k++) {
        c->all[k] = (sound){.path = c->list.all[k].path, .label = c->list.all[k].label};
        status = data_prepare_expect_other(c->options, c->all[k].path, err);
    }
    return status;
}

/* ---- how many rows ---- */

enum { PIECE = 4096 };

/* What of the file lies between its first and its last value that are loud enough. */
static hiss_status find_ends(const cutter *c, data_wav *wav, sound *s, hiss_error *err) {
    int16_t piece[PIECE];
    const double least = c->cut->trim * 32768.0;
    int64_t first = s->all, last = s->all - 1;
    hiss_status status = HISS_OK;
    for (int64_t t = 0; t < s->all && !status; t += PIECE) {
        const int64_t some = s->all - t < PIECE ? s->all - t : PIECE;
        status = data_wav_read(wav, some, piece, err);
        for (int64_t k = 0; k < some && !status; k++) {
            if (fabs((double)piece[k]) >= least) {
                first = first < t + k ? first : t + k;
                last = t + k;
            }
        }
    }
    s->begin = first;
    s->count = last + 1 - first;
    return status;
}

static hiss_status look_at(cutter *c, sound *s, int64_t *rate, hiss_error *err) {
    data_wav *wav = NULL;
    hiss_status status = data_wav_open(s->path, &wav, err);
    if (!status) {
        s->count = s->all = data_wav_count(wav);
        *rate = data_wav_rate(wav);
        status = c->cut->trim > 0 ? find_ends(c, wav, s, err) : HISS_OK;
        data_wav_close(wav);
    }
    return status;
}

static hiss_status count_rows(cutter *c, hiss_error *err) {
    int64_t heard = 0;
    for (int64_t k = 0; k < c->files; k++) {
        sound *s = &c->all[k];
        int64_t rate = 0;
        const hiss_status status = look_at(c, s, &rate, err);
        if (status) {
            return status;
        }
        c->rate = c->rate ? c->rate : rate;
        if (rate != c->rate) {
            return hiss_fail(
                err, HISS_EUSER,
                "%s has %lld values a second, %s %lld; expected one rate, as nothing is resampled: convert "
                "one of them, or prepare them apart",
                s->path, (long long)rate, c->all[0].path, (long long)c->rate);
        }
        int64_t left;
        s->rows = data_cut_rows(c->cut, s->count, &left);
        c->left_out += left;
        c->trimmed += s->all - s->count;
        heard += s->all;
        c->rows += s->rows;
    }
    if (heard == 0) {
        return hiss_fail(err, HISS_EUSER, "%s: holds no sound, and no other file does (%lld files)", c->all[0].path,
                         (long long)c->files);
    }
    if (c->rows == 0 && c->trimmed == heard) {
        return hiss_fail(
            err, HISS_EUSER,
            "none of %lld files has a value that reaches --trim %g of full scale; lower --trim, or leave it "
            "out",
            (long long)c->files, c->cut->trim);
    }
    return c->rows > 0
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "none of %lld files has %lld values%s, the length of a row; choose a smaller --length, "
                           "or --pad%s",
                           (long long)c->files, (long long)c->cut->length,
                           c->trimmed ? " between those that --trim cuts off" : "",
                           c->trimmed ? ", or a lower --trim" : "");
}

/* ---- the file ---- */

static hiss_status define(const cutter *c, hiss_error *err) {
    const hiss_h5_info rows = {HISS_I16, 2, {c->rows, c->cut->length}}, numbers = {HISS_I32, 1, {c->rows}};
    hiss_status status = hiss_h5_define(c->file, "/sound", &rows, 0, 0, err);
    status = status ? status : hiss_h5_define(c->file, "/file", &numbers, 0, 0, err);
    return status || !c->list.folders ? status : hiss_h5_define(c->file, "/labels", &numbers, 0, 0, err);
}

static hiss_status sign(const cutter *c, const char *source, hiss_error *err) {
    hiss_status status = data_cut_sign(c->file, c->options, source, err);
    status = status ? status : hiss_h5_set_i64(c->file, "/sound", "rate", c->rate, err);
    status = status ? status : hiss_h5_set_i64(c->file, "/sound", "overlap", c->cut->overlap, err);
    return status || !c->list.folders ? status
                                      : hiss_h5_set_text(c->file, "/", "classes", data_listing_classes(&c->list), err);
}

static hiss_status write_row(const cutter *c, int64_t at, int64_t file, hiss_error *err) {
    const int32_t number = (int32_t)file, label = c->all[file].label;
    hiss_status status = hiss_h5_write(c->file, "/sound", HISS_I16, at, 1, c->row, err);
    status = status ? status : hiss_h5_write(c->file, "/file", HISS_I32, at, 1, &number, err);
    return status || !c->list.folders ? status : hiss_h5_write(c->file, "/labels", HISS_I32, at, 1, &label, err);
}

/* By way of the row, which is not used yet. */
static hiss_status skip(const cutter *c, data_wav *wav, int64_t count, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t left = count; left > 0 && !status; left -= c->cut->length) {
        status = data_wav_read(wav, left < c->cut->length ? left : c->cut->length, c->row, err);
    }
    return status;
}

/* Rows first, first + 1, ... of all are those of this file. */
static hiss_status cut_file(cutter *c, int64_t file, int64_t first, const hiss_permutation *order, hiss_error *err) {
    const sound *s = &c->all[file];
    const int64_t L = c->cut->length, M = c->cut->overlap;
    data_wav *wav = NULL;
    hiss_status status = data_wav_open(s->path, &wav, err);
    if (!status && data_wav_count(wav) != s->all) {
        status = hiss_fail(err, HISS_EUSER, "%s: was changed while it was read", s->path);
    }
    status = status || s->rows == 0 ? status : skip(c, wav, s->begin, err);
    for (int64_t k = 0, left = s->count; k < s->rows && !status; k++) {
        const int64_t kept = k > 0 ? M : 0, wanted = L - kept, some = left < wanted ? left : wanted;
        memmove(c->row, c->row + L - kept, sizeof *c->row * (size_t)kept);
        memset(c->row + kept, 0, sizeof *c->row * (size_t)wanted);
        status = data_wav_read(wav, some, c->row + kept, err);
        left -= some;
        const int64_t at = c->options->shuffle ? hiss_permutation_find(order, first + k) : first + k;
        status = status ? status : write_row(c, at, file, err);
    }
    data_wav_close(wav);
    if (hiss_seconds() - c->told > PREPARE_SECONDS) {
        c->told = hiss_seconds();
        hiss_info("prepare: %lld of %lld rows written", (long long)(first + s->rows), (long long)c->rows);
    }
    return status;
}

static hiss_status write_file(cutter *c, const char *source, hiss_error *err) {
    char temporary[PREPARE_PATH];
    const hiss_permutation order = hiss_permutation_keyed((uint64_t)c->options->seed, HISS_FOR_PREPARE, 0, 0, c->rows);
    hiss_status status = data_output_create(c->options->output, temporary, &c->file, err);
    if (status) {
        return status;
    }
    c->row = hiss_new(int16_t, c->cut->length);
    status = define(c, err);
    for (int64_t k = 0, first = 0; k < c->files && !status; first += c->all[k++].rows) {
        status = cut_file(c, k, first, &order, err);
    }
    status = status ? status : sign(c, source, err);
    hiss_free(c->row);
    status = data_output_close(c->file, temporary, status, err);
    return status ? status : hiss_file_publish(temporary, c->options->output, err);
}

hiss_status hiss_prepare_wav(const hiss_prepare_options *options, const hiss_cut *cut, const char *const *files,
                             int64_t nfiles, hiss_error *err) {
    cutter c = {.options = options, .cut = cut, .list = {.arena = hiss_arena_create()}, .told = hiss_seconds()};
    hiss_status status = data_cut_check(cut, err);
    status = status ? status : data_prepare_check_output(options, err);
    status = status ? status : data_paths_once(files, nfiles, err);
    status = status ? status : list(&c, files, nfiles, err);
    status = status ? status : count_rows(&c, err);
    status = status ? status : write_file(&c, files[0], err);
    if (!status) {
        char what[64], left[DATA_CUT_TEXT];
        if (cut->trim > 0) {
            hiss_info("prepare: %.3g s at the ends of files, which stay below --trim %g, left out",
                      (double)c.trimmed / (double)c.rate, cut->trim);
        }
        snprintf(what, sizeof what, "values (%.3g s)", (double)c.left_out / (double)c.rate);
        hiss_info("prepare: wrote %s: %lld rows of %lld values, overlap %lld, at %lld Hz, of %lld files in %lld class "
                  "folders%s",
                  options->output, (long long)c.rows, (long long)cut->length, (long long)cut->overlap,
                  (long long)c.rate, (long long)c.files, (long long)c.list.folders,
                  data_cut_left(c.left_out, what, left));
    }
    hiss_free(c.all);
    data_listing_free(&c.list);
    return status;
}
