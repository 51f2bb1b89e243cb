/* The files that a config names: a path, a pattern, or a list of such.
 *
 * A path that exists is that file, whatever is in its name; else *, ? and [] match as in a shell. The files of a pattern
 * are sorted by their bytes, so that their order is that of no locale and no file system. Files are the same when their
 * device and number are. */
#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/yaml.h"

static char *text_copy(const char *text) {
    return strcpy(hiss_alloc(strlen(text) + 1), text);
}

static void add(data_paths *all, const char *path) {
    if ((all->count & (all->count - 1)) == 0) { /* no room for one more */
        char **more = hiss_new(char *, all->count ? 2 * all->count : 1);
        for (int64_t i = 0; i < all->count; i++) {
            more[i] = all->path[i];
        }
        hiss_free(all->path);
        all->path = more;
    }
    all->path[all->count++] = text_copy(path);
}

void data_paths_free(data_paths *all) {
    for (int64_t i = 0; i < all->count; i++) {
        hiss_free(all->path[i]);
    }
    hiss_free(all->path);
    hiss_free(all->name);
    *all = (data_paths){0};
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is not there does not match; what cannot be read might. */
static int is_failure(const char *path, int error) {
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static bool is_pattern(const char *path) {
    return strpbrk(path, "*?[") != NULL;
}

/* Add what one path or pattern stands for. */
static hiss_status add_matches(data_paths *all, const char *pattern, const char *what, const char *advice,
                               hiss_error *err) {
    if (hiss_file_exists(pattern) || !is_pattern(pattern)) {
        add(all, pattern);
        return hiss_file_expect(pattern, what, advice, err);
    }
    glob_t found = {0};
    const int failure = glob(pattern, GLOB_NOSORT, is_failure, &found);
    hiss_status status = HISS_OK;
    if (failure == GLOB_NOMATCH) {
        status = hiss_fail(err, HISS_EUSER, "no file matches %s; %s", pattern, advice);
    } else if (failure) {
        status = hiss_fail(err, HISS_EUSER, "%s: a folder cannot be read to its end; look after its rights", pattern);
    }
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
    for (size_t i = 0; i < found.gl_pathc && !status; i++) {
        add(all, found.gl_pathv[i]);
    }
    globfree(&found);
    return status;
}

typedef struct file_id {
    dev_t device;
    ino_t number;
    const char *path;
} file_id;

static int by_file(const void *a_, const void *b_) {
    const file_id *a = a_, *b = b_;
    const int device = (a->device > b->device) - (a->device < b->device);
    return device ? device : (a->number > b->number) - (a->number < b->number);
}

/* Put those that are there behind the `known` ones. How many are known then. */
static int64_t identify(const char *const *path, int64_t count, file_id *id, int64_t known) {
    for (int64_t i = 0; i < count; i++) {
        struct stat info;
        if (stat(path[i], &info) == 0) {
            id[known++] = (file_id){info.st_dev, info.st_ino, path[i]};
        }
    }
    return known;
}

hiss_status data_paths_once(const char *const *path, int64_t count, hiss_error *err) {
    file_id *id = hiss_new(file_id, count);
    const int64_t known = identify(path, count, id, 0);
    qsort(id, (size_t)known, sizeof *id, by_file);
    hiss_status status = HISS_OK;
    for (int64_t i = 1; i < known && !status; i++) {
        if (by_file(&id[i - 1], &id[i]) == 0) {
            status = strcmp(id[i - 1].path, id[i].path) == 0
                         ? hiss_fail(err, HISS_EUSER, "%s is named twice; name each file once", id[i].path)
                         : hiss_fail(err, HISS_EUSER, "%s and %s are the same file; name each file once",
                                     id[i - 1].path, id[i].path);
        }
    }
    hiss_free(id);
    return status;
}

static char *name_of(const char *pattern, const data_paths *all) {
    char *text = NULL;
    size_t size;
    FILE *stream = hiss_text_open(&text, &size);
    if (all->count == 1) {
        fputs(all->path[0], stream);
    } else if (pattern) {
        fprintf(stream, "%s (%lld files)", pattern, (long long)all->count);
    } else {
        fprintf(stream, "%s and %lld more", all->path[0], (long long)all->count - 1);
    }
    fclose(stream);
    char *name = strcpy(hiss_alloc(strlen(text) + 1), text);
    free(text);
    return name;
}

hiss_status data_paths_find(const char *text, const char *what, const char *advice, data_paths *out, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *list = NULL;
    *out = (data_paths){0};
    hiss_status status = *text == '[' ? hiss_yaml_parse(arena, "list of files", text, &list, err) : HISS_OK;
    if (!status && !list) {
        status = add_matches(out, text, what, advice, err);
    }
    for (const hiss_yaml *entry = list ? list->first : NULL; entry && !status; entry = entry->next) {
        status = add_matches(out, entry->text, what, advice, err);
    }
    status = status ? status : data_paths_once((const char *const *)out->path, out->count, err);
    if (status) {
        data_paths_free(out);
    } else {
        out->name = name_of(!list ? text : list->first->next ? NULL : list->first->text, out);
    }
    hiss_arena_destroy(arena);
    return status;
}

hiss_status hiss_files_expand(hiss_arena *arena, const char *const *words, int count, const char ***out, int *nout,
                              hiss_error *err) {
    data_paths all = {0};
    hiss_status status = HISS_OK;
    for (int k = 0; k < count && !status; k++) {
        if (hiss_file_exists(words[k]) || !is_pattern(words[k])) {
            add(&all, words[k]); /* whoever opens it says that it is not there */
        } else {
            status = add_matches(&all, words[k], "", "give the paths of files, or a pattern of them", err);
        }
    }
    *out = hiss_arena_alloc(arena, sizeof **out * (size_t)(all.count + 1));
    *nout = (int)all.count;
    for (int64_t i = 0; i < all.count && !status; i++) {
        (*out)[i] = hiss_arena_text(arena, all.path[i]);
    }
    data_paths_free(&all);
    return status;
}

void data_warn_of_empty(const char *path, int64_t more) {
    char text[64] = "";
    if (more > 0) {
        snprintf(text, sizeof text, " and %lld more files", (long long)more);
    }
    hiss_warn("%s%s: no rows; going on with those of the other files", path, text);
}

static const char data_what[] = "the data file",
                  data_advice[] = "give the path of an HDF5 file; `hiss prepare` writes one";

hiss_status hiss_data_expect(const char *file, hiss_error *err) {
    data_paths paths = {0};
    const hiss_status status = data_paths_find(file, data_what, data_advice, &paths, err);
    data_paths_free(&paths);
    return status;
}

bool hiss_data_common(const char *a, const char *b, char **by_a, char **by_b) {
    data_paths all[2] = {{0}, {0}};
    const char *const text[2] = {a, b};
    int64_t known = 0;
    bool found = true;
    for (int k = 0; k < 2 && found; k++) {
        found = data_paths_find(text[k], data_what, data_advice, &all[k], NULL) == HISS_OK;
    }
    file_id *id = hiss_new(file_id, all[0].count + all[1].count);
    for (int k = 0; k < 2 && found; k++) {
        known = identify((const char *const *)all[k].path, all[k].count, id, known);
    }
    qsort(id, (size_t)known, sizeof *id, by_file);
    found = false;
    for (int64_t i = 1; i < known && !found; i++) { /* neither has one twice */
        found = by_file(&id[i - 1], &id[i]) == 0;
        for (int64_t k = 0; k < all[0].count && found; k++) {
            const bool first = all[0].path[k] == id[i - 1].path;
            if (first || all[0].path[k] == id[i].path) {
                *by_a = text_copy(id[first ? i - 1 : i].path);
                *by_b = text_copy(id[first ? i : i - 1].path);
            }
        }
    }
    hiss_free(id);
    data_paths_free(&all[0]);
    data_paths_free(&all[1]);
    return found;
}

data_files_options data_files_how(const hiss_data_options *options) {
    const hiss_yaml *follow = options->follow;
    const bool list = follow && follow->kind == HISS_YAML_LIST;
    return (data_files_options){.what = data_what,
                                .advice = data_advice,
                                .follow = list || (follow && strcmp(follow->text, "true") == 0),
                                .folders = list ? follow : NULL};
}
