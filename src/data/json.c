/* One member of a JSON object (RFC 8259), of text from strangers: strings and brackets are stepped over without looking
 * whether what is between them is sound, and without recursion. */
#include <string.h>

#include "json_impl.h"

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* From an opening quote to behind the closing one; NULL when there is none. */
static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at < end ? at + 1 : NULL;
}

static const char *skip_value(const char *at, const char *end) {
    int64_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at, end);
            if (!at) {
                return NULL;
            }
        } else {
            depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
            at++;
        }
        if (depth == 0 && at < end && strchr(",}] \t\r\n", *at)) {
            return at;
        }
    } while (at < end);
    return NULL;
}

data_json_finding data_json_find(const char *text, int64_t size, const char *key, const char **value, int64_t *length) {
    const char *end = text + size, *at = skip_space(text, end);
    const size_t key_length = strlen(key);
    if (at == end || *at != '{') {
        return DATA_JSON_BROKEN;
    }
    at = skip_space(at + 1, end);
    while (at < end && *at == '"') {
        const char *name = at + 1;
        if (!(at = skip_string(at, end))) {
            return DATA_JSON_BROKEN;
        }
        const bool found = (size_t)(at - 1 - name) == key_length && memcmp(name, key, key_length) == 0;
        at = skip_space(at, end);
        if (at == end || *at != ':') {
            return DATA_JSON_BROKEN;
        }
        const char *begin = skip_space(at + 1, end);
        if (begin == end || !(at = skip_value(begin, end))) {
            return DATA_JSON_BROKEN;
        }
        if (found) {
            const bool quoted = *begin == '"';
            *value = begin + quoted;
            *length = at - begin - 2 * quoted;
            return DATA_JSON_FOUND;
        }
        at = skip_space(at, end);
        if (at < end && *at == ',') {
            at = skip_space(at + 1, end);
        }
    }
    return at < end && *at == '}' ? DATA_JSON_MISSING : DATA_JSON_BROKEN;
}
