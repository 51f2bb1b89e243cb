/* The vectors of words of a run in the text format of word2vec: a line of how many and how long, then a line for each word,
 * the word and its numbers with blanks between them. Words are those of the run's data, which must be there; <unknown> and
 * <padding>, which no text has, are left out. Numbers have 9 digits, which tell floats apart. */
#include <stdlib.h>
#include <string.h>

#include "cli/export.h"
#include "hiss/file.h"

static const char table[] = "words/vector";

static void write_lines(FILE *stream, const hiss_vocabulary *v, int64_t D, const float *vector) {
    const int64_t end = v->padding ? v->padding : v->count;
    fprintf(stream, "%lld %lld\n", (long long)(end - 1), (long long)D);
    for (int64_t k = 1; k < end; k++) {
        fputs(v->word[k], stream);
        for (int64_t d = 0; d < D; d++) {
            fprintf(stream, " %.9g", (double)vector[k * D + d]);
        }
        fputc('\n', stream);
    }
}

static hiss_status write_words(const export_options *o, const hiss_dataset *set, const char *checkpoint,
                               const hiss_weights *w, hiss_error *err) {
    const hiss_vocabulary *v = hiss_dataset_vocabulary(set);
    const int at = hiss_weights_find(w, table);
    if (at < 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s has no array %s: --format word2vec writes the vectors of words, which objective word2vec "
                         "learns; choose another format",
                         checkpoint, table);
    }
    const hiss_shape *shape = &w->weight[at].shape;
    if (!v || shape->ndim != 2 || shape->dim[0] != v->count) {
        return hiss_fail_key(err, HISS_EUSER, "data.file",
                             "%s has %lld words in /vocabulary, and %s vectors of %lld; name the file that the run "
                             "was trained on",
                             hiss_dataset_file(set), (long long)(v ? v->count : 0), checkpoint,
                             (long long)shape->dim[0]);
    }
    char *text = NULL;
    size_t count = 0;
    FILE *stream = hiss_text_open(&text, &count);
    write_lines(stream, v, shape->dim[1], w->weight[at].values);
    fclose(stream);
    const hiss_status s = hiss_file_write_verified(o->output, text, count, err);
    free(text);
    if (s == HISS_OK) {
        printf("%s: vectors of %lld numbers of %lld words, of %s\n", o->output, (long long)shape->dim[1],
               (long long)(v->padding ? v->count - 2 : v->count - 1), checkpoint);
    }
    return s;
}

hiss_status export_write_words(hiss_comm *comm, const export_options *o, const char *run, const char *checkpoint,
                               const hiss_arguments *rest, const hiss_weights *w, hiss_error *err) {
    char path[CLI_PATH];
    hiss_experiment e = {0};
    hiss_eval_options eval = {0};
    hiss_dataset *set = NULL;
    hiss_status s = cli_open_run(comm, run, rest->repeated, rest->nrepeated, checkpoint, &e, &eval, path, err);
    if (s == HISS_OK && hiss_comm_rank(comm) == 0) {
        hiss_data_options data = e.data;
        data.label_use = HISS_LABELS_OPTIONAL;
        s = hiss_dataset_open(&data, (uint64_t)e.seed, &set, err);
        s = s == HISS_OK ? write_words(o, set, checkpoint, w, err) : s;
        hiss_dataset_close(set);
        hiss_config_blame(e.config, s, err);
    }
    s = hiss_comm_agree(comm, s, err);
    hiss_experiment_destroy(&e);
    return s;
}
