/* XML as trees of elements: what annotations of pictures consist of, read strictly.
 *
 * Elements, text, comments, processing instructions and attributes, whose values nobody asks for, in UTF-8 or any code
 * that has ASCII in it. The five entities of XML and numbers of characters are decoded. A document type could define other
 * entities, and CDATA is not found in such files: both are refused, so nothing is taken for what it is not.
 *
 * One pass, O(bytes); depth is bounded, so that the stack of open elements is an array. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/file.h"
#include "xml_impl.h"

typedef struct open {
    data_element *element;
    data_element **next; /* where its next child goes */
    size_t begin;        /* of its text in reader.text */
} open;

typedef struct reader {
    const char *name, *at, *end;
    int64_t line;
    hiss_arena *arena;
    char *text; /* of all open elements, one behind the other */
    size_t used;
    open stack[DATA_XML_DEPTH];
    int depth;
    data_element *root;
} reader;

static hiss_status fail(const reader *r, hiss_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static hiss_status fail(const reader *r, hiss_error *err, const char *format, ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return hiss_fail(err, HISS_EUSER, "%.300s:%lld: is no XML that is read here: %s", r->name, (long long)r->line,
                     what);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80 ||
           (!first && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'));
}

static void step(reader *r, size_t count) {
    for (; count > 0; count--) {
        r->line += *r->at++ == '\n';
    }
}

static bool begins(const reader *r, const char *with) {
    const size_t length = strlen(with);
    return (size_t)(r->end - r->at) >= length && memcmp(r->at, with, length) == 0;
}

static void skip_space(reader *r) {
    while (r->at < r->end && is_space(*r->at)) {
        step(r, 1);
    }
}

/* Past what begins here and ends with `with`. */
static hiss_status skip_to(reader *r, const char *what, const char *with, hiss_error *err) {
    const reader begin = *r;
    while (r->at < r->end && !begins(r, with)) {
        step(r, 1);
    }
    if (r->at == r->end) {
        return fail(&begin, err, "%s does not end; expected %s", what, with);
    }
    step(r, strlen(with));
    return HISS_OK;
}

static hiss_status read_name(reader *r, const char *what, char out[DATA_XML_NAME], hiss_error *err) {
    size_t length = 0;
    while (r->at < r->end && is_name(*r->at, length == 0)) {
        if (length + 1 == DATA_XML_NAME) {
            return fail(r, err, "the name of %s is longer than %d characters", what, DATA_XML_NAME - 1);
        }
        out[length++] = *r->at;
        step(r, 1);
    }
    out[length] = '\0';
    return length ? HISS_OK : fail(r, err, "%s has no name", what);
}

/* ---- text ---- */

static void put(reader *r, uint32_t code) {
    char *to = r->text + r->used;
    if (code < 0x80) {
        to[0] = (char)code;
        r->used += 1;
    } else if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        r->used += 2;
    } else if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        r->used += 3;
    } else {
        to[0] = (char)(0xF0 | code >> 18);
        to[1] = (char)(0x80 | (code >> 12 & 0x3F));
        to[2] = (char)(0x80 | (code >> 6 & 0x3F));
        to[3] = (char)(0x80 | (code & 0x3F));
        r->used += 4;
    }
}

/* An entity is longer than what it stands for: text never grows. */
static hiss_status read_entity(reader *r, hiss_error *err) {
    static const struct {
        const char *name;
        char is;
    } known[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (begins(r, known[k].name)) {
            r->text[r->used++] = known[k].is;
            step(r, strlen(known[k].name));
            return HISS_OK;
        }
    }
    char number[12] = "", *stop = number;
    size_t length = 0;
    while (length + 1 < sizeof number && r->at + 2 + length < r->end && r->at[2 + length] != ';') {
        number[length] = r->at[2 + length];
        length++;
    }
    const bool hexadecimal = number[0] == 'x', digits = number[hexadecimal] >= '0' && number[hexadecimal] <= 'f';
    const unsigned long code = digits ? strtoul(number + hexadecimal, &stop, hexadecimal ? 16 : 10) : 0;
    if (r->end - r->at < 2 || r->at[1] != '#' || *stop || !code || code > 0x10FFFF || (code & ~0x7FFul) == 0xD800 ||
        r->at + 2 + length == r->end || r->at[2 + length] != ';') {
        return fail(r, err, "'%.*s' is no entity; write &amp; for an ampersand",
                    (int)(r->end - r->at < 10 ? r->end - r->at : 10), r->at);
    }
    put(r, (uint32_t)code);
    step(r, length + 3);
    return HISS_OK;
}

/* Without space around it. */
static const char *text_of(reader *r, size_t begin) {
    size_t end = r->used;
    while (begin < end && is_space(r->text[begin])) {
        begin++;
    }
    while (end > begin && is_space(r->text[end - 1])) {
        end--;
    }
    return hiss_arena_format(r->arena, "%.*s", (int)(end - begin), r->text + begin);
}

static hiss_status read_text(reader *r, hiss_error *err) {
    if (!r->depth && !is_space(*r->at)) {
        return fail(r, err, "text %s the first element", r->root ? "behind" : "before");
    }
    if (!*r->at) {
        return fail(r, err, "a byte of 0");
    }
    if (*r->at == '&') {
        return read_entity(r, err);
    }
    r->text[r->used++] = *r->at;
    r->used -= !r->depth;
    step(r, 1);
    return HISS_OK;
}

/* ---- elements ---- */

static void close_element(reader *r) {
    open *top = &r->stack[--r->depth];
    top->element->text = text_of(r, top->begin);
    r->used = top->begin;
}

static hiss_status skip_attributes(reader *r, hiss_error *err) {
    char name[DATA_XML_NAME];
    for (;;) {
        const char *before = r->at;
        skip_space(r);
        if (r->at == r->end || *r->at == '>' || *r->at == '/') {
            return HISS_OK;
        }
        if (r->at == before) {
            return fail(r, err, "no space before an attribute");
        }
        const hiss_status status = read_name(r, "an attribute", name, err);
        if (status) {
            return status;
        }
        skip_space(r);
        const bool equals = r->at < r->end && *r->at == '=';
        step(r, equals);
        skip_space(r);
        if (!equals || r->at == r->end || (*r->at != '"' && *r->at != '\'')) {
            return fail(r, err, "attribute %s has no value in quotes", name);
        }
        const char quote[2] = {*r->at, '\0'};
        step(r, 1);
        if (skip_to(r, "an attribute", quote, err)) {
            return HISS_EUSER;
        }
    }
}

static hiss_status begin_element(reader *r, hiss_error *err) {
    char name[DATA_XML_NAME];
    if (!r->depth && r->root) {
        return fail(r, err, "a second element behind the first");
    }
    if (r->depth == DATA_XML_DEPTH) {
        return fail(r, err, "elements in one another, more than %d", DATA_XML_DEPTH);
    }
    data_element *e = hiss_arena_alloc(r->arena, sizeof *e);
    *e = (data_element){.line = r->line, .text = ""};
    step(r, 1);
    hiss_status status = read_name(r, "an element", name, err);
    status = status ? status : skip_attributes(r, err);
    if (status) {
        return status;
    }
    const bool empty = begins(r, "/>");
    if (!empty && !begins(r, ">")) {
        return fail(r, err, "<%s does not end with >", name);
    }
    step(r, empty ? 2 : 1);
    e->name = hiss_arena_text(r->arena, name);
    if (r->depth) {
        open *above = &r->stack[r->depth - 1];
        *above->next = e;
        above->next = &e->next;
    } else {
        r->root = e;
    }
    r->stack[r->depth++] = (open){e, &e->child, r->used};
    if (empty) {
        close_element(r);
    }
    return HISS_OK;
}

static hiss_status end_element(reader *r, hiss_error *err) {
    char name[DATA_XML_NAME];
    const reader begin = *r;
    step(r, 2);
    const hiss_status status = read_name(r, "an end", name, err);
    if (status) {
        return status;
    }
    skip_space(r);
    if (!begins(r, ">")) {
        return fail(&begin, err, "</%s does not end with >", name);
    }
    step(r, 1);
    if (!r->depth) {
        return fail(&begin, err, "</%s> without a <%s>", name, name);
    }
    const data_element *e = r->stack[r->depth - 1].element;
    if (strcmp(e->name, name) != 0) {
        return fail(&begin, err, "</%s> where <%s> of line %lld is open", name, e->name, (long long)e->line);
    }
    close_element(r);
    return HISS_OK;
}

static hiss_status read_piece(reader *r, hiss_error *err) {
    return begins(r, "<!--") ? skip_to(r, "a comment", "-->", err)
           : begins(r, "<?") ? skip_to(r, "<?", "?>", err)
           : begins(r, "<!") ? fail(r, err, "<! begins no comment; document types and CDATA are not read")
           : begins(r, "</") ? end_element(r, err)
           : *r->at == '<'   ? begin_element(r, err)
                             : read_text(r, err);
}

hiss_status data_xml_parse(const char *name, const char *bytes, size_t size, hiss_arena *arena, data_element **root,
                           hiss_error *err) {
    reader *r = hiss_new(reader, 1);
    *r = (reader){.name = name, .at = bytes, .end = bytes + size, .line = 1, .arena = arena};
    r->text = hiss_alloc(size + 1);
    if (begins(r, "\xEF\xBB\xBF")) {
        step(r, 3);
    }
    hiss_status status = HISS_OK;
    while (r->at < r->end && !status) {
        status = read_piece(r, err);
    }
    if (!status && r->depth) {
        const data_element *e = r->stack[r->depth - 1].element;
        status = fail(r, err, "it ends, and <%s> of line %lld is open; is it all there?", e->name, (long long)e->line);
    } else if (!status && !r->root) {
        status = fail(r, err, "there is no element");
    }
    *root = status ? NULL : r->root;
    hiss_free(r->text);
    hiss_free(r);
    return status;
}

hiss_status data_xml_read(const char *path, hiss_arena *arena, data_element **root, hiss_error *err) {
    FILE *in = hiss_file_open(path);
    long size = -1;
    char *bytes = NULL;
    if (in && fseek(in, 0, SEEK_END) == 0 && (size = ftell(in)) >= 0 && size <= DATA_XML_BYTES &&
        fseek(in, 0, SEEK_SET) == 0) {
        bytes = hiss_alloc((size_t)size + 1);
    }
    hiss_status status = HISS_OK;
    if (size > DATA_XML_BYTES) {
        status = hiss_fail(err, HISS_EUSER, "%s: has more than %d bytes; expected an annotation", path, DATA_XML_BYTES);
    } else if (!bytes || fread(bytes, 1, (size_t)size, in) != (size_t)size) {
        status = hiss_fail(err, HISS_EUSER, "%s: cannot be read: %s", path, strerror(errno));
    }
    status = status ? status : data_xml_parse(path, bytes, (size_t)size, arena, root, err);
    hiss_free(bytes);
    if (in) {
        fclose(in);
    }
    return status;
}

const data_element *data_xml_child(const data_element *parent, const char *name, const data_element *after) {
    const data_element *e = after ? after->next : parent->child;
    while (e && strcmp(e->name, name) != 0) {
        e = e->next;
    }
    return e;
}
