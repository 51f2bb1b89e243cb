/* word2vec: the gradient by sums over pairs taken by hand; what is drawn for a row; rank statistics against counts of all
 * pairs. */
#include "../graph_support.h"

#include <stdlib.h>
#include <unistd.h>

#include "../serial_comm.h"
#include "../stage.h"
#include "objective/words/word2vec.h"

enum { T = 12, K = 7, S = T + K, V = 9, D = 5 };

static const char *const names[V] = {"<unknown>", "the", "of", "cat", "dog", "sat", "on", "mat", "<padding>"};
static const int64_t times[V] = {4, 400, 300, 60, 50, 40, 30, 20, 0};
static const hiss_vocabulary vocabulary = {.count = V, .word = names, .times = times, .padding = 8};
static const int32_t text[T] = {1, 3, 5, 6, 1, 7, 0, 2, 4, 3, 8, 8};

typedef struct drawn {
    int32_t center[T], output[S];
    float mix[T * T], weight[T * S], pairs;
} drawn;

static void draw(const word2vec_options *o, int64_t key, drawn *out) {
    words_tables tables;
    words_tables_create(&vocabulary, o, &tables);
    const words_row row = {out->center, out->output, o->model == WORDS_CBOW ? out->mix : NULL, out->weight,
                           &out->pairs};
    memset(out, 0x55, sizeof *out); /* all of it is written */
    words_draw(&tables, o, T, text, hiss_rng_keyed(3, HISS_FOR_TESTS, 0, key), &row);
    words_tables_destroy(&tables);
}

static word2vec_options options_of(int model) {
    return (word2vec_options){.model = model, .dim = D, .window = 3, .negatives = 4, .shared = K, .power = 0.75};
}

/* ---- rows ---- */

/* Without subsampling the known words stay, in order; a positive weight of 1 for each word of the window, and the window is at
 * most 3; negatives weigh 4 times as much together, without those that are the context. */
static void test_skipgram(void **unused) {
    (void)unused;
    static const int32_t kept[9] = {1, 3, 5, 6, 1, 7, 2, 4, 3};
    const word2vec_options o = options_of(WORDS_SKIPGRAM);
    int widest = 0, narrowest = T;
    for (int64_t key = 0; key < 200; key++) {
        drawn r;
        double all = 0;
        draw(&o, key, &r);
        assert_memory_equal(r.center, kept, sizeof kept);
        assert_memory_equal(r.output, r.center, sizeof r.center);
        for (int i = 0; i < T; i++) {
            int beside = 0;
            for (int j = 0; j < T; j++) {
                const float w = r.weight[i * S + j];
                assert_true(w == 0.0f || (w == 1.0f && i < 9 && j < 9 && j != i && abs(i - j) <= 3));
                beside += w != 0.0f;
            }
            all += beside;
            widest = i == 4 && beside > widest ? beside : widest;
            narrowest = i == 4 && beside < narrowest ? beside : narrowest;
            for (int q = T; q < S; q++) {
                int others = 0;
                for (int j = 0; j < T; j++) {
                    others += r.weight[i * S + j] != 0.0f && r.output[j] != r.output[q];
                }
                assert_true(fabsf(r.weight[i * S + q] + 4.0f / K * (float)others) < 1e-6f);
                assert_in_range(r.output[q], 1, 7);
            }
        }
        assert_true((double)r.pairs == all);
    }
    assert_int_equal(widest, 6);
    assert_int_equal(narrowest, 2);
}

static void test_cbow(void **unused) {
    (void)unused;
    const word2vec_options o = options_of(WORDS_CBOW);
    for (int64_t key = 0; key < 200; key++) {
        drawn r;
        draw(&o, key, &r);
        assert_true(r.pairs == 9.0f);
        for (int i = 0; i < T; i++) {
            double sum = 0;
            for (int j = 0; j < T; j++) {
                sum += (double)r.mix[i * T + j];
                assert_true(r.weight[i * S + j] == (i == j && i < 9 ? 1.0f : 0.0f));
            }
            assert_true(r.mix[i * T + i] == 0.0f && fabs(sum - (i < 9)) < 1e-6);
            for (int q = T; q < S; q++) {
                const bool skipped = i >= 9 || r.output[q] == r.center[i];
                assert_true(r.weight[i * S + q] == (skipped ? 0.0f : -4.0f / K));
            }
        }
    }
}

/* A window of kept words is one that lies within them and gets another word in its middle; what is drawn is a word. */
static void test_windows(void **unused) {
    (void)unused;
    const word2vec_options o = options_of(WORDS_RANKING);
    int replaced = 0, alike = 0;
    for (int64_t key = 0; key < 200; key++) {
        drawn r;
        float pairs = 0;
        draw(&o, key, &r);
        for (int i = 0; i < T - 6; i++) { /* 9 words are kept, a window has 7 */
            const bool whole = i + 6 < 9;
            assert_true(whole ? r.output[i] >= 1 && r.output[i] <= 7 : r.output[i] == 0);
            assert_true(r.weight[i] == (whole && r.output[i] != r.center[i + 3] ? 1.0f : 0.0f));
            pairs += r.weight[i];
            replaced += r.weight[i] == 1.0f;
            alike += whole && r.weight[i] == 0.0f;
        }
        assert_true(r.pairs == pairs);
    }
    assert_true(replaced > 300 && alike > 10);
}

/* What a window scores above itself with another word in the middle, is what that scores below it: both scores are of one
 * network, and of nothing but the window's words. Its loss and gradient are those of the sum by hand and of differences. */
static void test_ranking(void **unused) {
    (void)unused;
    enum { M = 2, SIDE = 2, N = T - 2 * SIDE, AT = 3 };
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2; k++) {
        stage s;
        hiss_comm comm = {0};
        hiss_error err = {0};
        rig r = rig_open();
        const stage_given given = {.seed = 9,
                                   .samples = 2 * M,
                                   .stored_H = 1,
                                   .stored_W = T,
                                   .C = 1,
                                   .lanes = 1,
                                   .m = M,
                                   .comm = &comm,
                                   .kernels = kernels[k],
                                   .vocabulary = &vocabulary};
        assert_int_equal(stage_open(&s, "word2vec",
                                    "word2vec: {model: ranking, dim: 5, window: 2, hidden: 6, subsample: 0}", given,
                                    NULL, &err),
                         HISS_OK);
        assert_int_equal(s.ops->build(s.method, 0, &r.b, &err), HISS_OK);
        const struct words_inputs in = ((const word2vec *)s.method)->graph;
        hiss_graph_keep(r.graph, in.logits);
        rig_ready(&r, kernels[k]);
        int32_t *center = (int32_t *)(void *)hiss_exec_data(r.exec, in.center);
        int32_t *output = (int32_t *)(void *)hiss_exec_data(r.exec, in.output);
        float *weight = hiss_exec_data(r.exec, in.weight), excess[2][M * N];
        for (int turn = 0; turn < 2; turn++) {
            double loss = 0;
            for (int i = 0; i < M * T; i++) {
                center[i] = 1 + i % 7;
                hiss_exec_data(r.exec, in.pairs)[i % M] = N;
            }
            for (int i = 0; i < M * N; i++) {
                output[i] = 1 + (i / N * T + i % N + SIDE + 1 + i % 5) % 7; /* another than the middle */
                weight[i] = 1.0f;
            }
            if (turn) { /* of one window of row 1; words beside another's middle are others then, too */
                const int32_t old = center[T + AT + SIDE];
                center[T + AT + SIDE] = output[N + AT];
                output[N + AT] = old;
            }
            hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
            hiss_exec_record(r.exec, &r.run);
            memcpy(excess[turn], hiss_exec_data(r.exec, in.logits), sizeof excess[turn]);
            for (int i = 0; i < M * N; i++) {
                loss += fmax(0, 1 + (double)excess[turn][i]);
            }
            assert_true(fabs(loss / (M * T) / (double)*rig_of(&r, r.lane, "loss") - 1) < 1e-5);
        }
        for (int i = 0; i < M * N; i++) {
            const bool within = i >= N + AT - SIDE && i <= N + AT + SIDE;
            assert_true(within || excess[0][i] == excess[1][i]);
            assert_true(!within || i == N + AT || excess[0][i] != excess[1][i]);
        }
        assert_true(excess[0][N + AT] == -excess[1][N + AT] && excess[0][N + AT] != 0.0f);
        rig_close(&r);
        stage_close(&s);
    }
}

/* Noise follows count^power, kept words sqrt(t / f) + t / f, and words that replace others their counts. */
static void test_frequencies(void **unused) {
    (void)unused;
    enum { ROWS = 20000 };
    word2vec_options o = options_of(WORDS_SKIPGRAM);
    o.subsample = 0.05;
    o.text = WORDS_DRAWN;
    double noise[V] = {0}, kept[V] = {0}, power = 0, words = 0;
    for (int k = 1; k < V - 1; k++) {
        power += pow((double)times[k], 0.75);
        words += (double)times[k];
    }
    for (int64_t key = 0; key < ROWS; key++) {
        drawn r;
        draw(&o, key, &r);
        for (int q = T; q < S; q++) {
            noise[r.output[q]] += 1.0 / (ROWS * K);
        }
        for (int i = 0; i < T; i++) {
            kept[r.center[i]] += 1.0 / (ROWS * 9); /* 9 words of the row are known */
        }
    }
    for (int k = 1; k < V - 1; k++) {
        const double f = (double)times[k] / words, keep = fmin(1, sqrt(0.05 / f) + 0.05 / f);
        assert_true(fabs(noise[k] - pow((double)times[k], 0.75) / power) < 0.005);
        assert_true(fabs(kept[k] - f * keep) < 0.005);
    }
    assert_true(noise[0] == 0 && noise[8] == 0 && kept[8] == 0);
}

/* ---- the loss and its gradient ---- */

static void row_of(rig *r, int64_t i, drawn *out) {
    const hiss_graph *g = r->graph;
    const struct {
        const char *name;
        void *to;
        int64_t count;
    } parts[] = {{"center", out->center, T},
                 {"output", out->output, S},
                 {"mix", out->mix, T * T},
                 {"weight", out->weight, T * S}};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        const hiss_value value = hiss_graph_input_named(g, parts[k].name);
        if (value >= 0) {
            memcpy(parts[k].to, hiss_exec_data(r->exec, value) + i * parts[k].count, 4 * (size_t)parts[k].count);
        }
    }
}

static void fill_lane(rig *r) {
    stage *s = r->user;
    const hiss_lane lane = stage_lane(s, 0, r->graph, r->exec);
    stage_sample(s, &lane);
}

/* A sum over all pairs of one row, added to loss, dv and du; h: what stands for each center. */
static void add_row(const drawn *r, bool cbow, const float *v, const float *u, double *loss, double *dv, double *du) {
    for (int i = 0; i < T; i++) {
        double h[D] = {0}, dh[D] = {0};
        for (int j = 0; j < T; j++) {
            const double share = cbow ? (double)r->mix[i * T + j] : i == j;
            for (int d = 0; d < D; d++) {
                h[d] += share * (double)v[r->center[j] * D + d];
            }
        }
        for (int q = 0; q < S; q++) {
            const double w = (double)r->weight[i * S + q];
            double x = 0;
            for (int d = 0; d < D; d++) {
                x += h[d] * (double)u[r->output[q] * D + d];
            }
            *loss += w > 0 ? w * log1p(exp(-x)) : -w * log1p(exp(x));
            const double g = w > 0 ? -w / (1 + exp(x)) : -w / (1 + exp(-x));
            for (int d = 0; d < D; d++) {
                dh[d] += g * (double)u[r->output[q] * D + d];
                du[r->output[q] * D + d] += g * h[d];
            }
        }
        for (int j = 0; j < T; j++) {
            const double share = cbow ? (double)r->mix[i * T + j] : i == j;
            for (int d = 0; d < D; d++) {
                dv[r->center[j] * D + d] += share * dh[d];
            }
        }
    }
}

static void expect_near(const char *what, const double *expected, const float *found, double scale) {
    double most = 0, off = 0;
    for (int k = 0; k < V * D; k++) {
        most = fmax(most, fabs(scale * expected[k]));
        off = fmax(off, fabs(scale * expected[k] - (double)found[k]));
    }
    if (!(most > 1e-4) || !(off <= 2e-5 * most)) {
        fail_msg("%s: off by %g of %g", what, off, most);
    }
}

static void check_gradient(const char *config, bool cbow, const hiss_kernels *kernels) {
    enum { M = 3, SAMPLES = 6 };
    hiss_comm comm = {0};
    hiss_error err = {0};
    stage s;
    int32_t rows[SAMPLES][T];
    const uint8_t *row[M];
    stage_given given = {.seed = 3, .samples = SAMPLES, .stored_H = 1, .stored_W = T, .C = 1, .lanes = 1, .m = M};
    given.comm = &comm;
    given.kernels = kernels;
    given.vocabulary = &vocabulary;
    assert_int_equal(stage_open(&s, "word2vec", config, given, NULL, &err), HISS_OK);
    stage_batches(&s, 0, 1);
    for (int i = 0; i < SAMPLES; i++) {
        for (int t = 0; t < T; t++) {
            rows[i][t] = text[(t + 2 * i) % T];
        }
    }
    for (int i = 0; i < M; i++) {
        row[i] = (const uint8_t *)rows[s.batches[0].sample[i]];
    }
    s.batches[0].row = row;
    rig r = rig_open();
    assert_int_equal(s.ops->build(s.method, 0, &r.b, &err), HISS_OK);
    r.loss = 0; /* not read */
    r.fill = fill_lane;
    r.user = &s;
    rig_ready(&r, kernels);
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    hiss_exec_record(r.exec, &r.run);
    hiss_exec_backward(r.exec, &r.run, NULL, NULL);
    rig_fill(&r); /* again: inputs last as long as they are needed */
    double loss = 0, dv[V * D] = {0}, du[V * D] = {0};
    for (int i = 0; i < M; i++) {
        drawn d;
        row_of(&r, i, &d);
        add_row(&d, cbow, rig_of(&r, r.vector, "words/vector"), rig_of(&r, r.vector, "contexts/vector"), &loss, dv, du);
    }
    expect_near("words", dv, rig_of(&r, r.lane, "words/vector"), 1.0 / (M * T));
    expect_near("contexts", du, rig_of(&r, r.lane, "contexts/vector"), 1.0 / (M * T));
    assert_true(fabs(loss / (M * T) / (double)*rig_of(&r, r.lane, "loss") - 1) < 1e-5);
    rig_close(&r);
    stage_close(&s);
}

static void test_gradient(void **unused) {
    (void)unused;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2; k++) {
        check_gradient("word2vec: {dim: 5, window: 3, shared: 7, subsample: 0.2}", false, kernels[k]);
        check_gradient("word2vec: {dim: 5, window: 3, shared: 7, subsample: 0, model: cbow}", true, kernels[k]);
    }
}

/* ---- what is said of vectors ---- */

static void test_ranks(void **unused) {
    (void)unused;
    double p[] = {3, 1, 2, 2}, n[] = {0, 2, 2, 5};
    double expected = 0;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            expected += p[i] > n[j] ? 1 : p[i] < n[j] ? 0 : 0.5;
        }
    }
    assert_true(fabs(words_auc(4, p, n) - expected / 16) < 1e-12);
    const double a[] = {1, 2, 3, 4, 5}, b[] = {2, 1, 4, 3, 5}, tied[] = {1, 1, 2, 2, 3};
    assert_true(fabs(words_spearman(5, a, b) - 0.8) < 1e-12);
    assert_true(fabs(words_spearman(5, a, tied) - 0.9486832980505138) < 1e-12); /* scipy.stats.spearmanr */
    assert_true(isnan(words_spearman(2, a, b)));
    const double still[] = {1, 1, 1};
    assert_true(isnan(words_spearman(3, a, still)));
}

static void test_nearest(void **unused) {
    (void)unused;
    static const float vector[4 * 2] = {9, 9, 3, 0, 1, 1, 0, -2};
    float *unit = words_unit(4, 2, vector), similarity[4];
    assert_true(fabs(words_cosine(2, unit + 2, unit + 4) - sqrt(0.5)) < 1e-7);
    int32_t found[2];
    const int32_t left = 1;
    words_nearest(4, 2, unit, unit + 2, 1, &left, 2, found, similarity); /* number 0 is no word */
    assert_int_equal(found[0], 2);
    assert_int_equal(found[1], 3);
    hiss_free(unit);
}

/* ---- lists ---- */

static char path[] = "/tmp/hiss-words-XXXXXX";

static hiss_status read_text(const char *list, int width, words_list *out, hiss_error *err) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(list, file) >= 0 && fclose(file) == 0);
    return words_list_read(&vocabulary, "word2vec.synonyms", path, width, out, err);
}

static void refuse(const char *list, const char *expected) {
    words_list found;
    hiss_error err = {0};
    assert_int_equal(read_text(list, 2, &found, &err), HISS_EUSER);
    if (!strstr(err.text, expected)) {
        fail_msg("'%s' instead of '%s'", err.text, expected);
    }
    words_list_free(&found);
}

static void test_lists(void **unused) {
    (void)unused;
    words_list found;
    hiss_error err = {0};
    assert_int_equal(read_text("# two\n: section\nCat dog\r\n\n  mat\tTHE  \nbird cat\n<padding> cat", 2, &found, &err),
                     HISS_OK);
    assert_int_equal(found.lines, 4);
    assert_int_equal(found.missing, 2);
    assert_int_equal(found.count, 2);
    assert_memory_equal(found.word, ((const int32_t[]){3, 4, 7, 1}), 4 * sizeof(int32_t));
    words_list_free(&found);
    refuse("cat dog\n\ncat dog mat\n", ":3: 3 words; expected 2");
    refuse("cat\n", ":1: 1 word; expected 2");
    refuse("bird fish\n", "of 1 lines none has only words of the vocabulary");
    refuse("", "of 0 lines none has only words");
    assert_int_equal(words_list_parse(&vocabulary, "word2vec.neighbors", "Cat, mat", &found, &err), HISS_OK);
    assert_int_equal(found.count, 2);
    words_list_free(&found);
    assert_int_equal(words_list_parse(&vocabulary, "word2vec.neighbors", "cat, bird", &found, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "'bird' is not in the vocabulary"));
    words_list_free(&found);
}

static int open_file(void **unused) {
    (void)unused;
    const int file = mkstemp(path);
    return file >= 0 ? close(file) : -1;
}

static int check_leaks(void **unused) {
    (void)unused;
    unlink(path);
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skipgram), cmocka_unit_test(test_cbow),        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_ranking),  cmocka_unit_test(test_frequencies), cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_ranks),    cmocka_unit_test(test_nearest),     cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, open_file, check_leaks);
}
