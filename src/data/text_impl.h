/* Inside src/data: the words and bytes of text files, and vocabularies. */
#ifndef HISS_TEXT_IMPL_H
#define HISS_TEXT_IMPL_H

#include "hiss/data.h"

enum {
    TEXT_WORD = 64,      /* bytes of the longest word that a vocabulary holds */
    TEXT_WORDS = 1 << 30 /* different words that can be counted */
};

/* ---- a file, from its beginning to its end ---- */

typedef struct data_text data_text;
/* Errors: no file, an empty one. */
hiss_status data_text_open(const char *path, data_text **out, hiss_error *err);
void data_text_close(data_text *text); /* NULL is allowed */
/* The next byte, or -1 at the end. Errors: a NUL byte. */
hiss_status data_text_byte(data_text *text, int *byte, hiss_error *err);
/* The next word, in lower case: *bytes of it, 0 at the end. Of one longer than TEXT_WORD *bytes is TEXT_WORD + 1, and word
 * is its beginning. Errors: a NUL byte, a word that is not UTF-8. */
hiss_status data_text_word(data_text *text, char word[TEXT_WORD], int *bytes, hiss_error *err);

/* ---- a vocabulary ---- */

typedef struct data_words data_words;
data_words *data_words_create(void);
void data_words_destroy(data_words *words); /* NULL is allowed */
/* That of a prepared file, with counts of 0; takes no more words. */
hiss_status data_words_read(const char *path, data_words **out, hiss_error *err);
/* One more of this word; bytes as data_text_word has them. At most TEXT_WORDS different ones. */
void data_words_count(data_words *words, const char *word, int bytes);
/* Number the words that occur min_count times or more by falling count, then by bytes, from 1; behind them, perhaps, the
 * padding. Nothing happens to a vocabulary that was read. */
void data_words_choose(data_words *words, int64_t min_count, bool padding);
/* Number of a word, 0 when it has none. */
int32_t data_words_number(const data_words *words, const char *word, int bytes);
int64_t data_words_different(const data_words *words); /* words, with and without a number */
int64_t data_words_numbered(const data_words *words);  /* length of the vocabulary: 1 for <unknown> alone */
int64_t data_words_unknown(const data_words *words);   /* counted ones without a number */
int32_t data_words_padding(const data_words *words);   /* its number, 0: none */
/* Write /vocabulary and /count. */
hiss_status data_words_write(const data_words *words, hiss_h5 *file, hiss_error *err);

#endif
