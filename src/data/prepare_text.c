/* hiss prepare text: tokens of text files as rows of one length.
 *
 * Tokens are words (text.c), as their numbers in a vocabulary (words.c), or bytes. Rows are cut as those of sound are: each
 * file by itself, a row every length - overlap tokens, and the rest behind the last whole one left out, or filled up. What
 * fills up is recorded as the attribute padding of /tokens: of words the last number of the vocabulary, of bytes 0, which
 * no text has.
 *
 * The file holds /tokens [n,length], int32 or uint8, with the attributes overlap and by; /file int32 [n], the number of the
 * file that a row is from; of words /vocabulary, strings [V], and /count int64 [V], how often each occurs in the files, also
 * outside of whole rows. A vocabulary of another file is taken as it is, so that numbers mean the same in both.
 *
 * Files are read twice: first to count, which gives the vocabulary and the number of rows, then to write each row to where
 * the shuffle puts it. Memory: one row and the vocabulary; while words are counted, all different ones. */
#include <string.h>

#include "dataset_impl.h"
#include "files.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "prepare_impl.h"
#include "text_impl.h"

typedef struct piece {
    const char *path;
    int64_t count, rows; /* tokens; rows cut from them */
} piece;

typedef struct cutter {
    const hiss_prepare_options *options;
    const hiss_cut *cut;
    const hiss_tokens *tokens;
    piece *all;
    int64_t files, count, rows, left_out; /* count, left_out: tokens */
    data_words *words;                    /* NULL: bytes */
    hiss_h5 *file;
    size_t width; /* bytes of a token */
    uint8_t *row; /* [length] tokens */
    double told;
} cutter;

static bool is_time(cutter *c) {
    const bool is = hiss_seconds() - c->told > PREPARE_SECONDS;
    c->told = is ? hiss_seconds() : c->told;
    return is;
}

/* The next token: the bytes of a word, or a byte; -1 at the end. */
static hiss_status next(const cutter *c, data_text *text, char word[TEXT_WORD], int *token, hiss_error *err) {
    if (!c->words) {
        return data_text_byte(text, token, err);
    }
    const hiss_status status = data_text_word(text, word, token, err);
    *token = *token > 0 ? *token : -1;
    return status;
}

/* ---- the first time ---- */

static hiss_status count_file(cutter *c, piece *p, hiss_error *err) {
    data_text *text = NULL;
    char word[TEXT_WORD];
    hiss_status status = data_text_open(p->path, &text, err);
    for (int some; !status && !(status = next(c, text, word, &some, err)) && some >= 0;) {
        if (c->words && data_words_different(c->words) == TEXT_WORDS) {
            status = hiss_fail(err, HISS_EUSER, "%s: there are more than %d different words; prepare fewer files",
                               p->path, TEXT_WORDS);
        } else if (c->words) {
            data_words_count(c->words, word, some);
        }
        p->count++;
        if (p->count % (1 << 20) == 0 && is_time(c)) {
            hiss_info("prepare: %lld tokens counted", (long long)(c->count + p->count));
        }
    }
    data_text_close(text);
    return status;
}

static hiss_status count_all(cutter *c, hiss_error *err) {
    for (int64_t k = 0; k < c->files; k++) {
        piece *p = &c->all[k];
        int64_t left;
        const hiss_status status = count_file(c, p, err);
        if (status) {
            return status;
        }
        if (p->count == 0) {
            return hiss_fail(err, HISS_EUSER, "%s: holds no words; leave the file out, or take it --by bytes", p->path);
        }
        p->rows = data_cut_rows(c->cut, p->count, &left);
        c->left_out += left;
        c->rows += p->rows;
        c->count += p->count;
    }
    return c->rows > 0
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "none of %lld files has %lld %s, the length of a row; choose a smaller --length, or --pad",
                           (long long)c->files, (long long)c->cut->length, c->words ? "words" : "bytes");
}

static hiss_status begin_words(cutter *c, hiss_error *err) {
    const char *from = c->tokens->vocabulary;
    if (c->tokens->by == HISS_BY_BYTES) {
        return HISS_OK;
    }
    if (!from) {
        c->words = data_words_create();
        return HISS_OK;
    }
    const hiss_status status = hiss_error_prefix(err, data_words_read(from, &c->words, err), "--vocabulary");
    return status || !c->cut->pad || data_words_padding(c->words)
               ? status
               : hiss_fail(err, HISS_EUSER,
                           "--pad: the vocabulary of %s has no <padding>; leave --pad out, or prepare %s with it too",
                           from, from);
}

static hiss_status choose_words(cutter *c, hiss_error *err) {
    if (!c->words) {
        return HISS_OK;
    }
    data_words_choose(c->words, c->tokens->min_count, c->cut->pad);
    if (data_words_unknown(c->words) < c->count) {
        return HISS_OK;
    }
    return c->tokens->vocabulary
               ? hiss_fail(err, HISS_EUSER,
                           "no word of the files is in the vocabulary of %s; expected texts of one "
                           "language, name the file that belongs to these",
                           c->tokens->vocabulary)
               : hiss_fail(err, HISS_EUSER,
                           "none of %lld different words occurs %lld times; choose a smaller "
                           "--min-count",
                           (long long)data_words_different(c->words), (long long)c->tokens->min_count);
}

/* ---- the second time ---- */

/* The next tokens into row from `from` on; *got: how many there were. */
static hiss_status read_tokens(cutter *c, data_text *text, int64_t from, int64_t *got, hiss_error *err) {
    char word[TEXT_WORD];
    int64_t at = from;
    hiss_status status = HISS_OK;
    for (int some; at < c->cut->length && !(status = next(c, text, word, &some, err)) && some >= 0; at++) {
        if (c->words) {
            ((int32_t *)(void *)c->row)[at] = data_words_number(c->words, word, some);
        } else {
            c->row[at] = (uint8_t)some;
        }
    }
    *got = at - from;
    return status;
}

static void fill_up(cutter *c, int64_t from) {
    for (int64_t k = from; k < c->cut->length; k++) {
        if (c->words) {
            ((int32_t *)(void *)c->row)[k] = data_words_padding(c->words);
        } else {
            c->row[k] = 0;
        }
    }
}

/* Rows first, first + 1, ... of all are those of this file. */
static hiss_status cut_file(cutter *c, int64_t file, int64_t first, const hiss_permutation *order, hiss_error *err) {
    const piece *p = &c->all[file];
    const int64_t L = c->cut->length;
    const int32_t number = (int32_t)file;
    data_text *text = NULL;
    hiss_status status = data_text_open(p->path, &text, err);
    int64_t left = p->count;
    for (int64_t k = 0; k < p->rows && !status; k++) {
        const int64_t kept = k > 0 ? c->cut->overlap : 0, wanted = left < L - kept ? left : L - kept;
        int64_t got;
        memmove(c->row, c->row + (size_t)(L - kept) * c->width, (size_t)kept * c->width);
        status = read_tokens(c, text, kept, &got, err);
        if (!status && got != wanted) {
            status = hiss_fail(err, HISS_EUSER, "%s: was changed while it was read", p->path);
        }
        left -= got;
        fill_up(c, kept + got);
        const int64_t at = c->options->shuffle ? hiss_permutation_find(order, first + k) : first + k;
        status = status ? status : hiss_h5_write(c->file, "/tokens", c->words ? HISS_I32 : HISS_U8, at, 1, c->row, err);
        status = status ? status : hiss_h5_write(c->file, "/file", HISS_I32, at, 1, &number, err);
        if (is_time(c)) {
            hiss_info("prepare: %lld of %lld rows written", (long long)(first + k + 1), (long long)c->rows);
        }
    }
    data_text_close(text);
    return status;
}

static hiss_status define(const cutter *c, hiss_error *err) {
    const hiss_h5_info rows = {c->words ? HISS_I32 : HISS_U8, 2, {c->rows, c->cut->length}};
    const hiss_h5_info numbers = {HISS_I32, 1, {c->rows}};
    const hiss_status status = hiss_h5_define(c->file, "/tokens", &rows, 0, 0, err);
    return status ? status : hiss_h5_define(c->file, "/file", &numbers, 0, 0, err);
}

static hiss_status sign(const cutter *c, hiss_error *err) {
    hiss_status status = data_cut_sign(c->file, c->options, c->all[0].path, err);
    status = status ? status : hiss_h5_set_i64(c->file, "/tokens", "overlap", c->cut->overlap, err);
    status = status ? status : hiss_h5_set_text(c->file, "/tokens", "by", c->words ? "words" : "bytes", err);
    if (!status && c->cut->pad) {
        const int64_t padding = c->words ? data_words_padding(c->words) : 0;
        status = hiss_h5_set_i64(c->file, "/tokens", "padding", padding, err);
    }
    return status || !c->words ? status : data_words_write(c->words, c->file, err);
}

static hiss_status write_file(cutter *c, hiss_error *err) {
    char temporary[PREPARE_PATH];
    const hiss_permutation order = hiss_permutation_keyed((uint64_t)c->options->seed, HISS_FOR_PREPARE, 0, 0, c->rows);
    hiss_status status = data_output_create(c->options->output, temporary, &c->file, err);
    if (status) {
        return status;
    }
    c->width = c->words ? sizeof(int32_t) : 1;
    c->row = hiss_alloc((size_t)c->cut->length * c->width);
    status = define(c, err);
    for (int64_t k = 0, first = 0; k < c->files && !status; first += c->all[k++].rows) {
        status = cut_file(c, k, first, &order, err);
    }
    status = status ? status : sign(c, err);
    hiss_free(c->row);
    status = data_output_close(c->file, temporary, status, err);
    return status ? status : hiss_file_publish(temporary, c->options->output, err);
}

static void tell(const cutter *c) {
    const char *what = c->words ? "words" : "bytes";
    char words[128] = "", left[DATA_CUT_TEXT];
    if (c->words) {
        snprintf(words, sizeof words, "; a vocabulary of %lld, %lld of %lld words unknown",
                 (long long)data_words_numbered(c->words), (long long)data_words_unknown(c->words),
                 (long long)c->count);
    }
    hiss_info("prepare: wrote %s: %lld rows of %lld %s, overlap %lld, of %lld files%s%s", c->options->output,
              (long long)c->rows, (long long)c->cut->length, what, (long long)c->cut->overlap, (long long)c->files,
              words, data_cut_left(c->left_out, what, left));
}

hiss_status hiss_prepare_text(const hiss_prepare_options *options, const hiss_cut *cut, const hiss_tokens *tokens,
                              const char *const *files, int64_t nfiles, hiss_error *err) {
    cutter c = {.options = options, .cut = cut, .tokens = tokens, .files = nfiles, .told = hiss_seconds()};
    hiss_status status = data_cut_check(cut, err);
    status = status ? status : data_prepare_check_output(options, err);
    status = status ? status : data_prepare_expect_other(options, tokens->vocabulary, err);
    c.all = hiss_new(piece, nfiles);
    for (int64_t k = 0; k < nfiles && !status; k++) {
        c.all[k].path = files[k];
        status = data_prepare_expect_other(options, files[k], err);
    }
    status = status ? status : data_paths_once(files, nfiles, err);
    status = status ? status : begin_words(&c, err);
    status = status ? status : count_all(&c, err);
    status = status ? status : choose_words(&c, err);
    status = status ? status : write_file(&c, err);
    if (!status) {
        tell(&c);
    }
    data_words_destroy(c.words);
    hiss_free(c.all);
    return status;
}
