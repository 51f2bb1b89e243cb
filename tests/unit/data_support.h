/* What the tests of data share: calls that must succeed, errors that must say something, data sets opened and refused. */
#ifndef HISS_TESTS_DATA_SUPPORT_H
#define HISS_TESTS_DATA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/data.h"
#include "hiss/log.h"

static inline void must(hiss_status status, const hiss_error *err) {
    if (status) {
        fail_msg("%s", err->text);
    }
}

/* One line that has this part. */
static inline void expect_text(const hiss_error *err, const char *part) {
    if (!strstr(err->text, part)) {
        fail_msg("expected \"%s\" in \"%s\"", part, err->text);
    }
    assert_null(strchr(err->text, '\n'));
}

static inline hiss_data_options options_of(const char *path, const char *labels) {
    return (hiss_data_options){
        .file = path, .images = "/images", .labels = labels, .label_column = -1, .memory = 1 << 20, .verify = true};
}

static inline hiss_dataset *open_set(hiss_data_options options) {
    hiss_error err = {0};
    hiss_dataset *set = NULL;
    must(hiss_dataset_open(&options, 1, &set, &err), &err);
    return set;
}

static inline void refused(hiss_data_options options, const char *part) {
    hiss_error err = {0};
    hiss_dataset *set = NULL;
    assert_int_equal(hiss_dataset_open(&options, 1, &set, &err), HISS_EUSER);
    expect_text(&err, part);
}

/* A new folder in place of XXXXXX, and a path in it. Returns 0, or -1. */
static inline int begin_folder(char *folder, char *path, size_t size) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, size, "%s/a.h5", folder);
    return 0;
}

/* Remove both; nothing else may be in it, and no memory be left. Returns 0, or other than 0. */
static inline int end_folder(const char *folder, const char *path) {
    unlink(path);
    return rmdir(folder) || hiss_alloc_live() != 0;
}

#endif
