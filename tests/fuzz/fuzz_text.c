/* Text from a stranger: its words counted and numbered, and, where the options say so, rows of words and of bytes prepared.
 * The options are the last bytes of the input, behind the word "keys"; an input without them has the standard ones. */
#include "fuzz.h"

#include <string.h>

#include "data/text_impl.h"

enum { KEYS = 3, WORD = 4, PAD = 1, ROWS = 128 };
int fuzz_read;
static char folder[] = "/dev/shm/hiss-fuzz-XXXXXX", input[64], rows[64];

static void leave_nothing(void) {
    unlink(input);
    unlink(rows);
    rmdir(folder);
}

static void make_folder(void) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        abort();
    }
    snprintf(input, sizeof input, "%s/input", folder);
    snprintf(rows, sizeof rows, "%s/rows.h5", folder);
    atexit(leave_nothing);
}

static void prepare(const hiss_cut *cut, const hiss_tokens *tokens) {
    const hiss_prepare_options options = {.output = rows, .seed = 1, .shuffle = cut->length % 2 == 0};
    const char *const text = input;
    hiss_error err;
    fuzz_read += hiss_prepare_text(&options, cut, tokens, &text, 1, &err) == HISS_OK;
}

/* Without files of rows, which take a hundred times as long. */
static void count_words(int64_t min_count) {
    data_words *all = data_words_create();
    int64_t count = 0, numbered = 0;
    hiss_error err;
    for (int again = 0; again < 2; again++) {
        data_text *text = NULL;
        char word[TEXT_WORD];
        hiss_status status = data_text_open(input, &text, &err);
        for (int bytes; !status && !(status = data_text_word(text, word, &bytes, &err)) && bytes > 0;) {
            if (again) {
                numbered += data_words_number(all, word, bytes) > 0;
            } else {
                data_words_count(all, word, bytes);
                count++;
            }
        }
        data_text_close(text);
        if (!again) {
            data_words_choose(all, min_count, false);
        }
        fuzz_read += !status;
    }
    if (numbered + data_words_unknown(all) != count) {
        abort();
    }
    data_words_destroy(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t key[KEYS] = {0};
    if (!*input) {
        make_folder();
    }
    if (size >= WORD + KEYS && memcmp(data + size - WORD - KEYS, "keys", WORD) == 0) {
        memcpy(key, data + size - KEYS, KEYS);
        size -= WORD + KEYS;
    }
    const hiss_cut cut = {.length = 1 + key[0], .overlap = key[1] % (1 + key[0]), .pad = key[2] & PAD};
    const hiss_tokens tokens = {HISS_BY_WORDS, 1 + key[2] / 2 % 8, NULL};
    fuzz_write(input, data, size);
    count_words(tokens.min_count);
    if (key[2] & ROWS) {
        prepare(&cut, &tokens);
        prepare(&cut, &(hiss_tokens){HISS_BY_BYTES, 1, NULL});
    }
    return 0;
}
