/* An evaluation read from eval.json: its tables keep their columns and its page shows every number, whatever they are;
 * files that are none say where. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/judge.h"

enum { ROOM = 1 << 18 };

static char path[64], text[ROOM];

static void write_file(const char *content) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static const char *const figures[] = {"0.0000", "99.9940", "100.0000",     "1e-300", "12345.6780",
                                      "1e300",  "null",    "-123456.7890", "true",   "-0.0000"};

enum { NUMBERS = 15, EACH = 4 /* numbers of an object */ };

static void write_number(FILE *file, int k) {
    static const char *const forms[] = {"fixed", "general", "power", "count", "truth"};
    const char *group = k < 3    ? "\"a <group>\""
                        : k < 10 ? "\"another group, of a longer name than its column\""
                                 : "null";
    fprintf(file, "%s{\"name\": \"o%d.n%d\", \"group\": %s, \"heading\": \"h%.*s\", \"unit\": \"%s\"", k ? ", " : "",
            k / EACH, k, group, 3 * k, "&heading&heading&heading&heading&heading&heading", k % 3 ? "%" : "");
    fprintf(file, ", \"form\": \"%s\", \"main\": %s, \"samples\": %d, \"baseline\": %s}", forms[k % 5],
            k % 4 ? "false" : "true", 1000 * k, k % 2 ? "10.0000" : "null");
}

/* Number k of subject s, the one figure and the next as its spread. */
static const char *figure(int s, int k) {
    return figures[(s + k) % HISS_COUNT(figures)];
}

static void write_subject(FILE *file, int s) {
    fprintf(file, "%s{\"name\": \"trained/%.*s\"", s ? ", " : "", 1 + 3 * s, "a_layer_with_a_name_longer_than_most");
    fprintf(file, ", \"D\": %d, \"train\": 60000, \"test\": 10000, \"classes\": 10, \"seconds\": 1.5, \"j\": {",
            s % 2 ? 1 << 30 : 1);
    for (int k = 0; k < NUMBERS; k++) {
        if (k % EACH == 0) {
            fprintf(file, "%s\"o%d\": {", k ? ", " : "", k / EACH);
        }
        fprintf(file, "%s\"n%d\": %s, \"n%d_spread\": %s", k % EACH ? ", " : "", k, figure(s, k), k, figure(s, k + 1));
        fputs(k % EACH == EACH - 1 || k == NUMBERS - 1 ? "}" : "", file);
    }
    fputs("}}", file);
}

/* A judgement with numbers of all forms, with and without groups, for subjects of names of many lengths. */
static hiss_evaluation *make_evaluation(void) {
    FILE *file = fopen(path, "w");
    hiss_evaluation *e = NULL;
    hiss_error err = {0};
    assert_non_null(file);
    fputs(
        "{\"samples\": \"drawn <so> & so\\u000a\", \"judgements\": [{\"name\": \"j\", \"title\": \"T\", \"baseline\": "
        "\"who guesses\", \"left_out\": null, \"remarks\": [\"a <remark>\"], \"numbers\": [",
        file);
    for (int k = 0; k < NUMBERS; k++) {
        write_number(file, k);
    }
    fputs("]}, {\"name\": \"none\", \"title\": \"N\", \"baseline\": null, \"left_out\": \"no <labels>\", \"remarks\": "
          "[], "
          "\"numbers\": []}], \"results\": [",
          file);
    for (int s = 0; s < HISS_COUNT(figures); s++) {
        write_subject(file, s);
    }
    fputs("], \"pictures\": [{\"file\": \"a.png\", \"title\": \"A\", \"caption\": \"C\"}]}\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(hiss_evaluation_read(path, &e, &err), HISS_OK);
    return e;
}

static void show(void (*part)(FILE *, const hiss_evaluation *), const hiss_evaluation *e) {
    memset(text, 0, sizeof text);
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    part(stream, e);
    fclose(stream);
    assert_true(strlen(text) < sizeof text - 1);
}

/* The text's table: a line of groups, a line of heads, a line per subject; all of one width. */
static void tables_keep_their_columns(void **state) {
    (void)state;
    hiss_evaluation *e = make_evaluation();
    show(hiss_evaluation_print, e);
    int64_t width = 0;
    char *line = text;
    for (int k = 0; k < 2 + HISS_COUNT(figures); k++) {
        char *end = strchr(line, '\n');
        int64_t columns = 0;
        assert_non_null(end);
        for (const char *c = line; c < end; c++) {
            columns += ((unsigned char)*c & 0xC0) != 0x80;
        }
        width = k == 0 ? columns : width;
        assert_int_equal(columns, width);
        line = end + 1;
    }
    assert_non_null(strstr(text, "who guesses: "));
    assert_non_null(strstr(text, "left out: none: no <labels>\n"));
    hiss_evaluation_destroy(e);
}

/* Every tag is closed, in order, but for those that have no end. */
static void assert_well_formed(void) {
    char stack[64][16];
    int depth = 0;
    for (const char *s = strchr(text, '<'); s; s = strchr(s + 1, '<')) {
        char name[16] = "";
        assert_int_equal(sscanf(s + (s[1] == '/' ? 2 : 1), "%15[a-z0-9]", name), 1);
        if (s[1] == '/') {
            assert_true(depth > 0);
            assert_string_equal(name, stack[--depth]);
        } else if (strcmp(name, "wbr") != 0) {
            assert_true(depth < 64);
            memcpy(stack[depth++], name, sizeof name);
        }
    }
    assert_int_equal(depth, 0);
}

/* The tag of a figure in the form of number k; empty when it is null. */
static void tag(int k, const char *value, char out[512]) {
    const double number = strcmp(value, "true") == 0 ? 1.0 : strtod(value, NULL);
    char digits[400];
    *out = '\0';
    if (strcmp(value, "null") != 0) {
        snprintf(digits, sizeof digits, k % 5 == 0 ? "%.4f" : k % 5 == 3 ? "%.0f" : "%.9g", number);
        snprintf(out, 512, "<data value=\"%s\">", k % 5 < 4 ? digits : number != 0.0 ? "true" : "false");
    }
}

/* In bars and tables those that have a group, in the details the others; their spreads, too. */
static void the_page_shows_every_number(void **state) {
    (void)state;
    hiss_evaluation *e = make_evaluation();
    char expected[512];
    for (int details = 0; details < 2; details++) {
        show(details ? hiss_evaluation_details_html : hiss_evaluation_html, e);
        assert_well_formed();
        assert_null(strstr(text, "<remark>"));
        assert_null(strstr(text, "nan"));
        for (int s = 0; s < HISS_COUNT(figures); s++) {
            for (int k = details ? 10 : 0; k < (details ? NUMBERS : 10); k++) {
                tag(k, figure(s, k), expected);
                assert_non_null(strstr(text, expected));
                tag(k, strcmp(figure(s, k), "null") != 0 ? figure(s, k + 1) : "null", expected);
                assert_non_null(strstr(text, expected));
            }
        }
    }
    hiss_evaluation_destroy(e);
}

/* Each is one line that names the file and the place. */
static void what_is_no_evaluation_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "3",
        "{}",
        "{\"samples\": 3}",
        "{\"samples\": \"s\"}",
        "{\"samples\": \"s\", \"judgements\": {}}",
        "{\"samples\": \"s\", \"judgements\": [3], \"results\": [], \"pictures\": []}",
        "{\"samples\": \"s\", \"judgements\": [], \"results\": [3], \"pictures\": []}",
        "{\"samples\": \"s\", \"judgements\": [], \"results\": [{\"name\": null}], \"pictures\": []}",
        "{\"samples\": \"s\", \"judgements\": [], \"results\": [], \"pictures\": [{}]}",
        "{\"samples\": \"s\", \"results\": [{\"name\": \"raw/pixels\", \"knn\": {}}]}"};
    for (int k = 0; k < HISS_COUNT(wrong); k++) {
        hiss_evaluation *e = NULL;
        hiss_error err = {0};
        write_file(wrong[k]);
        assert_int_equal(hiss_evaluation_read(path, &e, &err), HISS_EUSER);
        assert_null(e);
        assert_memory_equal(err.text, path, strlen(path));
        assert_non_null(strstr(err.text, "run hiss eval again"));
    }
    FILE *file = fopen(path, "w"); /* more than there is room for */
    fputs("{\"samples\": \"s\", \"judgements\": [", file);
    for (int k = 0; k < 100; k++) {
        fprintf(file,
                "%s{\"name\": \"j%d\", \"title\": \"\", \"baseline\": null, \"left_out\": null, \"remarks\": [], "
                "\"numbers\": []}",
                k ? ", " : "", k);
    }
    fputs("], \"results\": [], \"pictures\": []}", file);
    fclose(file);
    hiss_evaluation *e = NULL;
    hiss_error err = {0};
    assert_int_equal(hiss_evaluation_read(path, &e, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "fewer judgements"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_keep_their_columns),
                                       cmocka_unit_test(the_page_shows_every_number),
                                       cmocka_unit_test(what_is_no_evaluation_is_refused)};
    snprintf(path, sizeof path, "/tmp/hiss-evaluation-%ld", (long)getpid());
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    return failed;
}
