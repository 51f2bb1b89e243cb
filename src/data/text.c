/* Text files: bytes and words.
 *
 * A word is a longest run of ASCII letters, digits and bytes of 0x80 and more, which in UTF-8 are the parts of all other
 * characters; an apostrophe between two of them belongs to it. ASCII letters become lower case. Everything else separates.
 * A byte order mark at the beginning is no part of a word.
 *
 * Words are checked to be UTF-8, as a vocabulary is stored as such. A file with a NUL byte is taken for a binary one, or for
 * UTF-16. Cost: about 2 ns a byte, and a buffer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"
#include "text_impl.h"

enum { BUFFER = 1 << 16 };

struct data_text {
    FILE *file;
    const char *path;
    int64_t offset; /* in the file, of buffer */
    size_t at, count;
    uint8_t buffer[BUFFER];
};

static hiss_status refill(data_text *text, hiss_error *err) {
    text->offset += (int64_t)text->count;
    text->at = 0;
    text->count = fread(text->buffer, 1, BUFFER, text->file);
    if (ferror(text->file)) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read: %s", text->path, strerror(errno));
    }
    const uint8_t *zero = memchr(text->buffer, 0, text->count);
    return zero ? hiss_fail(err, HISS_EUSER,
                            "%s: byte %lld is 0, so this is a binary file or UTF-16; expected text in UTF-8",
                            text->path, (long long)(text->offset + (zero - text->buffer)))
                : HISS_OK;
}

hiss_status data_text_open(const char *path, data_text **out, hiss_error *err) {
    struct stat info;
    FILE *file = stat(path, &info) == 0 ? fopen(path, "rb") : NULL;
    if (!file) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        fclose(file);
        return hiss_fail(err, HISS_EUSER, "%s: is %s; expected a text file on a disk, as it is read twice", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "no plain file");
    }
    data_text *text = hiss_new(data_text, 1);
    text->path = path;
    text->file = file;
    hiss_status status = refill(text, err);
    if (!status && text->count == 0) {
        status = hiss_fail(err, HISS_EUSER, "%s: is empty; expected text, leave the file out", path);
    }
    if (status) {
        data_text_close(text);
        return status;
    }
    *out = text;
    return HISS_OK;
}

void data_text_close(data_text *text) {
    if (text) {
        fclose(text->file);
        hiss_free(text);
    }
}

hiss_status data_text_byte(data_text *text, int *byte, hiss_error *err) {
    if (text->at == text->count) {
        const hiss_status status = refill(text, err);
        if (status) {
            return status;
        }
    }
    *byte = text->at < text->count ? text->buffer[text->at++] : -1;
    return HISS_OK;
}

/* The letter that a byte is in a word; 0: none. */
static char letter(int byte) {
    if (byte >= 'A' && byte <= 'Z') {
        return (char)(byte - 'A' + 'a');
    }
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80 ? (char)byte : '\0';
}

/* Bytes of the character that begins here, 0 when it is none: overlong, a surrogate, beyond U+10FFFF, cut. */
static int character(const uint8_t *c, int left) {
    const int bytes = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    if (bytes == 0 || bytes > left) {
        return 0;
    }
    for (int i = 1; i < bytes; i++) {
        if (c[i] >> 6 != 2) {
            return 0;
        }
    }
    const bool wrong = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] >= 0xA0) ||
                       (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] >= 0x90);
    return wrong ? 0 : bytes;
}

static bool is_utf8(const char *word, int bytes) {
    int k = 0, some = 1;
    while (k < bytes && some > 0) {
        some = character((const uint8_t *)word + k, bytes - k);
        k += some;
    }
    return some > 0;
}

static void append(char word[TEXT_WORD], int *count, char c) {
    if (*count < TEXT_WORD) {
        word[*count] = c;
    }
    *count += *count <= TEXT_WORD;
}

hiss_status data_text_word(data_text *text, char word[TEXT_WORD], int *bytes, hiss_error *err) {
    static const char mark[] = "\xEF\xBB\xBF";
    hiss_status status = HISS_OK;
    int byte = 0, count = 0, apostrophe = false;
    if (text->offset == 0 && text->at == 0 && text->count >= 3 && memcmp(text->buffer, mark, 3) == 0) {
        text->at = 3;
    }
    while (!(status = data_text_byte(text, &byte, err)) && byte >= 0) {
        const char c = letter(byte);
        if (!c && count > 0 && byte == '\'' && !apostrophe) {
            apostrophe = true; /* part of the word if a letter comes next */
            continue;
        }
        if (!c && count > 0) {
            break;
        }
        if (c && apostrophe) {
            append(word, &count, '\'');
        }
        if (c) {
            append(word, &count, c);
        }
        apostrophe = false;
    }
    if (!status && count > 0 && count <= TEXT_WORD && !is_utf8(word, count)) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: the word that ends before byte %lld is not UTF-8; convert the file (iconv -t UTF-8), or "
                      "take it --by bytes",
                      text->path, (long long)(text->offset + (int64_t)text->at - (byte >= 0)));
    }
    *bytes = count;
    return status;
}
