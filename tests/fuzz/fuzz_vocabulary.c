/* A prepared file from a stranger whose vocabulary numbers the words of a known text. */
#include "fuzz.h"

#include "data/text_impl.h"

int fuzz_read;
static char folder[] = "/dev/shm/hiss-fuzz-XXXXXX", input[64], text[64], rows[64];

static void leave_nothing(void) {
    unlink(input);
    unlink(text);
    unlink(rows);
    rmdir(folder);
}

static void make_folder(void) {
    static const char known[] = "the cat sat on the mat";
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        abort();
    }
    snprintf(input, sizeof input, "%s/input.h5", folder);
    snprintf(text, sizeof text, "%s/text", folder);
    snprintf(rows, sizeof rows, "%s/rows.h5", folder);
    atexit(leave_nothing);
    fuzz_write(text, (const uint8_t *)known, sizeof known - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!*input) {
        make_folder();
    }
    fuzz_write(input, data, size);
    const char *const files = text;
    const hiss_prepare_options options = {.output = rows, .seed = 1};
    const hiss_cut cut = {.length = 3, .pad = size % 2 == 1};
    const hiss_tokens tokens = {HISS_BY_WORDS, 1, input};
    hiss_error err;
    fuzz_read += hiss_prepare_text(&options, &cut, &tokens, &files, 1, &err) == HISS_OK;
    return 0;
}
