/* A network of one hidden layer on standardised features, beside the linear probe: what of a class is in the features,
 * though no plane cuts it out.
 *
 *   h = relu(W1 x + b1),    y = W2 h + b2
 *
 * He's initialisation (He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2): weights of variance 2 / inputs,
 * biases zero, drawn by key.
 *
 * Adam on batches of BATCH tiles of samples, in an order drawn once; the rate falls from `rate` to 0 along a cosine, over
 * EPOCHS passes or as many as LEAST_STEPS steps take. So the end is stated: with a rate of 0 nothing moves. L-BFGS on
 * all samples, as linear probes have it, would measure how near the gradient is to zero, but it has to pass over the
 * samples ten times as often for the same accuracy, because its steps are as many and each is a pass.
 *
 * A batch is a row of tiles as far apart as there are batches, so that the ranks, each of which owns a range of tiles,
 * have equal parts of each. A tile has one shape; its gradient is a vector of the canonical tree; each rank then makes the
 * same update. So the bits depend on neither ranks nor threads. More than BATCH ranks gain nothing.
 *
 * Cost per sample and pass: 4 D H + 6 H K flops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/optim.h"
#include "hiss/rng.h"

enum { BATCH = 4, EPOCHS = 20, LEAST_STEPS = 500 };
enum { FIRST_LAYER, SECOND_LAYER, ORDER }; /* streams of DRAW_FOR_MLP */

static const double rate = 3e-3;

/* Where the parameters lie. */
enum { W1, B1, W2, B2, SLOTS };
typedef struct slots {
    int64_t at[SLOTS + 1];
} slots;

static slots slots_of(int64_t D, int64_t H, int64_t K) {
    return (slots){{0, H * D, H * D + H, H * D + H + K * H, H * D + H + K * H + K}};
}

int64_t eval_mlp_parameters(int64_t D, int64_t H, int64_t K) {
    return slots_of(D, H, K).at[SLOTS];
}

/* ---- samples ---- */

static int ascending(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Those marked, in an order drawn by key but for that within tiles. */
static int64_t *draw_order(const hiss_eval_env *env, int64_t n, const bool *use, int64_t count) {
    const hiss_permutation order = hiss_permutation_keyed(env->seed, HISS_FOR_EVALUATION, DRAW_FOR_MLP, ORDER, count);
    int64_t *index = hiss_new(int64_t, count), place = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!use || use[i]) {
            index[hiss_permutation_at(&order, place++)] = i;
        }
    }
    for (int64_t first = 0; first < count; first += HISS_TILE) {
        const int64_t some = count - first < HISS_TILE ? count - first : HISS_TILE;
        qsort(index + first, (size_t)some, sizeof *index, ascending);
    }
    return index;
}

mlp_samples eval_mlp_samples_create(const hiss_eval_env *env, const hiss_features *f, const hiss_probe *statistics,
                                    const bool *use, const uint8_t *target) {
    const int64_t count = eval_count_marked(f, use), K = f->targets;
    int64_t *index = draw_order(env, f->n, use, count);
    mlp_samples s = {.f = hiss_features_subset(env, f, index, count), .statistics = statistics};
    float *x = hiss_new(float, HISS_TILE * f->D);
    for (int64_t t = s.f->first; t < s.f->end; t++) {
        float *rows = s.f->rows + (t - s.f->first) * HISS_TILE * f->D;
        eval_standardise(statistics, rows, tile_count(s.f, t), f->D, x);
        memcpy(rows, x, sizeof(float) * (size_t)(HISS_TILE * f->D));
    }
    if (target) {
        const int64_t first = s.f->first * HISS_TILE;
        eval_features_hold_targets(s.f, K);
        s.target = s.f->target;
        for (int64_t i = first; i < s.f->end * HISS_TILE && i < count; i++) {
            memcpy(s.target + (i - first) * K, target + index[i] * K, (size_t)K);
        }
    }
    hiss_free(x);
    hiss_free(index);
    return s;
}

void eval_mlp_samples_destroy(mlp_samples *s) {
    hiss_features_destroy(s->f);
}

/* ---- a tile ---- */

mlp_work eval_mlp_work_create(const mlp *net) {
    return (mlp_work){hiss_new(float, HISS_TILE * net->D), hiss_new(float, HISS_TILE * net->H),
                      hiss_new(float, HISS_TILE * net->H), hiss_new(float, HISS_TILE * net->K)};
}

void eval_mlp_work_destroy(mlp_work *work) {
    hiss_free(work->x);
    hiss_free(work->hidden);
    hiss_free(work->slope);
    hiss_free(work->output);
}

/* work->hidden and work->output of a tile. */
static void forward(const hiss_eval_env *env, const mlp *net, const float *x, const mlp_work *work) {
    const int64_t D = net->D, H = net->H, K = net->K;
    const slots at = slots_of(D, H, K);
    const float *b1 = net->w + at.at[B1], *b2 = net->w + at.at[B2];
    env->kernels->gemm(false, true, HISS_TILE, H, D, 1.0f, x, D, net->w, D, 0.0f, work->hidden, H);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        for (int64_t j = 0; j < H; j++) {
            const float h = work->hidden[i * H + j] + b1[j];
            work->hidden[i * H + j] = h > 0.0f ? h : 0.0f;
        }
    }
    env->kernels->gemm(false, true, HISS_TILE, K, H, 1.0f, work->hidden, H, net->w + at.at[W2], H, 0.0f, work->output,
                       K);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        for (int64_t k = 0; k < K; k++) {
            work->output[i * K + k] += b2[k];
        }
    }
}

/* Outputs y [K] to the slope of the loss by them; returns the loss. label -1: not fitted. */
static double softmax_loss(int64_t K, int32_t label, float *y) {
    float most = -INFINITY;
    double sum = 0.0;
    if (label < 0) {
        memset(y, 0, sizeof(float) * (size_t)K);
        return 0.0;
    }
    for (int64_t k = 0; k < K; k++) {
        most = fmaxf(most, y[k]);
    }
    const float own = y[label] - most;
    for (int64_t k = 0; k < K; k++) {
        y[k] = expf(y[k] - most);
        sum += (double)y[k];
    }
    for (int64_t k = 0; k < K; k++) {
        y[k] = (float)((double)y[k] / sum) - (float)(k == label);
    }
    return log(sum) - (double)own;
}

/* The same of targets [K], each on its own. */
static double logistic_loss(int64_t K, const uint8_t *target, float *y) {
    double loss = 0.0;
    for (int64_t k = 0; k < K; k++) {
        const float small = expf(-fabsf(y[k])), p = (y[k] >= 0.0f ? 1.0f : small) / (1.0f + small);
        if (target[k] > 1) {
            y[k] = 0.0f;
            continue;
        }
        loss += (double)(fmaxf(y[k], 0.0f) - y[k] * (float)target[k] + log1pf(small));
        y[k] = p - (float)target[k];
    }
    return loss;
}

static void sum_columns(int64_t N, const float *x, float *out) {
    memset(out, 0, sizeof(float) * (size_t)N);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        for (int64_t j = 0; j < N; j++) {
            out[j] += x[i * N + j];
        }
    }
}

double eval_mlp_gradient(const hiss_eval_env *env, const mlp *net, const float *x, const int32_t *label,
                         const uint8_t *target, const mlp_work *work, float *gradient) {
    const int64_t D = net->D, H = net->H, K = net->K;
    const slots at = slots_of(D, H, K);
    hiss_kernel_gemm *gemm = env->kernels->gemm;
    double loss = 0.0;
    forward(env, net, x, work);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        loss += target ? logistic_loss(K, target + i * K, work->output + i * K)
                       : softmax_loss(K, label[i], work->output + i * K);
    }
    gemm(true, false, K, H, HISS_TILE, 1.0f, work->output, K, work->hidden, H, 0.0f, gradient + at.at[W2], H);
    sum_columns(K, work->output, gradient + at.at[B2]);
    gemm(false, false, HISS_TILE, H, K, 1.0f, work->output, K, net->w + at.at[W2], H, 0.0f, work->slope, H);
    for (int64_t i = 0; i < HISS_TILE * H; i++) {
        work->slope[i] = work->hidden[i] > 0.0f ? work->slope[i] : 0.0f;
    }
    gemm(true, false, H, D, HISS_TILE, 1.0f, work->slope, H, x, D, 0.0f, gradient, D);
    sum_columns(H, work->slope, gradient + at.at[B1]);
    return loss;
}

/* ---- the fit ---- */

typedef struct fit {
    const hiss_eval_env *env;
    const mlp_samples *s;
    mlp *net;
    mlp_work work;
    int64_t batches, count;
    hiss_tree_adder *adder;  /* of tiles that lie on the ranks as in offsets */
    int64_t *offsets, *next; /* [P+1] */
    float *gradient, *state[HISS_OPTIM_MAX_STATES];
    double *total; /* [count + 2]: gradient, loss, samples */
} fit;

static void draw_weights(const hiss_eval_env *env, int64_t layer, int64_t inputs, int64_t count, float *w) {
    hiss_rng rng = hiss_rng_keyed(env->seed, HISS_FOR_EVALUATION, DRAW_FOR_MLP, layer);
    const float scale = (float)sqrt(2.0 / (double)inputs);
    hiss_rng_normals(&rng, count, w);
    for (int64_t i = 0; i < count; i++) {
        w[i] *= scale;
    }
}

static int64_t batches_of(const mlp_samples *s) {
    return (s->f->tiles + BATCH - 1) / BATCH;
}

static mlp *create(const hiss_eval_env *env, const mlp_samples *s, int64_t hidden) {
    mlp *net = hiss_new(mlp, 1);
    *net = (mlp){.D = s->f->D,
                 .H = hidden,
                 .K = s->target ? s->f->targets : s->f->classes,
                 .several = s->target != NULL,
                 .statistics = s->statistics};
    const slots at = slots_of(net->D, hidden, net->K);
    net->w = hiss_new(float, at.at[SLOTS]);
    draw_weights(env, FIRST_LAYER, net->D, at.at[B1], net->w);
    draw_weights(env, SECOND_LAYER, hidden, at.at[B2] - at.at[W2], net->w + at.at[W2]);
    return net;
}

void eval_mlp_destroy(mlp *net) {
    if (net) {
        hiss_free(net->w);
        hiss_free(net);
    }
}

/* A sum of the tiles of a batch. */
static void prepare_sum(fit *z, int64_t batch) {
    const int size = hiss_comm_size(z->env->comm);
    for (int r = 0; r <= size; r++) {
        const int64_t tiles = z->s->f->tile_offsets[r] - batch;
        z->next[r] = tiles > 0 ? (tiles + z->batches - 1) / z->batches : 0;
    }
    if (!z->adder || memcmp(z->next, z->offsets, sizeof *z->next * (size_t)(size + 1)) != 0) {
        hiss_tree_adder_destroy(z->adder);
        memcpy(z->offsets, z->next, sizeof *z->next * (size_t)(size + 1));
        z->adder = hiss_tree_adder_create(z->env->comm, z->next[size], z->next, z->count + 2);
    }
}

/* z->total of a batch. */
static void add_batch(fit *z, int64_t batch) {
    const hiss_features *f = z->s->f;
    prepare_sum(z, batch);
    for (int64_t t = batch; t < f->end; t += z->batches) {
        if (t >= f->first) {
            const int64_t row = (t - f->first) * HISS_TILE;
            const uint8_t *target = z->s->target ? z->s->target + row * f->targets : NULL;
            const double loss =
                eval_mlp_gradient(z->env, z->net, tile_rows(f, t), f->label + row, target, &z->work, z->gradient);
            const double tail[2] = {loss, (double)tile_count(f, t)};
            hiss_tree_adder_add(z->adder, z->count, z->gradient, tail);
        }
    }
    hiss_tree_adder_finish(z->adder, z->total);
}

static void step(fit *z, const hiss_optim_options *optim, int64_t number) {
    const slots at = slots_of(z->net->D, z->net->H, z->net->K);
    hiss_optim_step by = {.rate = hiss_optim_rate(optim, number, z->batches, z->net->steps),
                          .update = number + 1,
                          .gradient_scale = (float)(1.0 / z->total[z->count + 1]),
                          .trust = 1.0};
    for (int64_t i = 0; i < z->count; i++) {
        z->gradient[i] = (float)z->total[i];
    }
    for (int k = 0; k < SLOTS; k++) {
        const int64_t from = at.at[k];
        by.decay = k == W1 || k == W2;
        float *const state[HISS_OPTIM_MAX_STATES] = {z->state[0] + from, z->state[1] + from};
        hiss_optim_update(optim, &by, at.at[k + 1] - from, z->gradient + from, z->net->w + from, state);
    }
}

mlp *eval_mlp_fit_epochs(const hiss_eval_env *env, const mlp_samples *s, int64_t hidden, double lambda,
                         int64_t epochs) {
    const hiss_optim_options optim = {.method = HISS_ADAM,
                                      .lr = rate,
                                      .weight_decay = lambda,
                                      .beta1 = 0.9,
                                      .beta2 = 0.999,
                                      .epsilon = 1e-8,
                                      .schedule = HISS_SCHEDULE_COSINE};
    const int64_t size = hiss_comm_size(env->comm), batches = batches_of(s);
    mlp *net = create(env, s, hidden);
    fit z = {.env = env, .s = s, .net = net, .work = eval_mlp_work_create(net), .batches = batches};
    net->steps = epochs * batches;
    z.count = eval_mlp_parameters(net->D, hidden, net->K);
    z.offsets = hiss_new(int64_t, size + 1);
    z.next = hiss_new(int64_t, size + 1);
    z.gradient = hiss_new(float, z.count);
    z.state[0] = hiss_new(float, z.count);
    z.state[1] = hiss_new(float, z.count);
    z.total = hiss_new(double, z.count + 2);
    for (int64_t k = 0; k < net->steps; k++) {
        add_batch(&z, k % batches);
        step(&z, &optim, k);
        net->loss += k >= net->steps - batches ? z.total[z.count] / (double)s->f->n : 0.0;
    }
    hiss_tree_adder_destroy(z.adder);
    eval_mlp_work_destroy(&z.work);
    void *const all[] = {z.offsets, z.next, z.gradient, z.state[0], z.state[1], z.total};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
    return net;
}

mlp *eval_mlp_fit(const hiss_eval_env *env, const mlp_samples *s, int64_t hidden, double lambda) {
    const int64_t least = (LEAST_STEPS + batches_of(s) - 1) / batches_of(s);
    return eval_mlp_fit_epochs(env, s, hidden, lambda, least > EPOCHS ? least : EPOCHS);
}

/* ---- its answers ---- */

/* work->output of a tile of f. */
static void answer(const hiss_eval_env *env, const mlp *net, const hiss_features *f, int64_t t, const mlp_work *work) {
    eval_standardise(net->statistics, tile_rows(f, t), tile_count(f, t), net->D, work->x);
    forward(env, net, work->x, work);
}

double eval_mlp_percent(const hiss_eval_env *env, const mlp *net, const hiss_features *f, const bool *use) {
    mlp_work work = eval_mlp_work_create(net);
    int32_t *label = eval_marked_labels(f, use, NULL);
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, 1);
    double right;
    for (int64_t i = 0; i < sum->local; i++) {
        const int32_t *own = label + (sum->tile[i] - f->first) * HISS_TILE;
        answer(env, net, f, sum->tile[i], &work);
        for (int64_t row = 0; row < HISS_TILE; row++) {
            const float *y = work.output + row * net->K;
            int64_t best = 0;
            for (int64_t k = 1; k < net->K; k++) {
                best = y[k] > y[best] ? k : best;
            }
            *eval_tile_sum_vector(sum, i) += best == own[row];
        }
    }
    eval_tile_sum_run(sum, &right);
    eval_tile_sum_destroy(sum);
    eval_mlp_work_destroy(&work);
    hiss_free(label);
    return 100.0 * right / (double)eval_count_marked(f, use);
}

void eval_mlp_scores(const hiss_eval_env *env, const mlp *net, const hiss_features *f, float *all) {
    const int64_t tile = HISS_TILE * net->K;
    mlp_work work = eval_mlp_work_create(net);
    float *mine = hiss_new(float, (f->end - f->first) * tile);
    for (int64_t t = f->first; t < f->end; t++) {
        answer(env, net, f, t, &work);
        memcpy(mine + (t - f->first) * tile, work.output, sizeof(float) * (size_t)tile);
    }
    eval_features_allgather(env, f, mine, (int64_t)sizeof(float) * net->K, all);
    eval_mlp_work_destroy(&work);
    hiss_free(mine);
}
