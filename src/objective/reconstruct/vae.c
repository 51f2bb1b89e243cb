/* Variational auto-encoder: the decoder is a model p(x | z) p(z) of the data with a latent z of the prior N(0, 1), the
 * encoder an estimate q(z | x) = N(mean, e^log_variance) of where an image's latent lies. Training minimises the
 * negative evidence lower bound of each image, in nats,
 *     -E log p(x | z) + KL(q(z | x) || p(z)),      z = mean + e^(log_variance / 2) noise,
 * with one draw of the noise per image and step. (Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, eq. 3
 * and 10, appendix B; Rezende, Mohamed & Wierstra, ICML 2014.)
 *
 * Both terms are sums over dimensions: a mean over pixels beside a sum over the latent would be another objective, which
 * leaves the latent unused. Pixels are numbers in 0..1. With `binarize` a pixel is the probability that it is 1, drawn
 * anew at each step, and in evaluation once and for all (Salakhutdinov & Murray, ICML 2008), so that log p(x) is that of
 * binary data; the encoder sees the drawn image, too. The Gaussian likelihood has one fixed deviation.
 *
 * `source: prior` is the control: z is the noise, which knows nothing of the image. The decoder can then learn no more
 * than independent pixels, and the divergence falls to 0. */
#include <math.h>
#include <stddef.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"
#include "objective/reconstruct/decoder.h"

static const double pi = 3.14159265358979323846;

enum { FROM_ENCODER, FROM_PRIOR };
enum { BERNOULLI, GAUSSIAN };
enum { DENSE, CONVOLUTIONAL };
enum { STREAM_PIXELS, STREAM_LATENT, STREAMS };
/* When, of evaluation's streams; that of draw k of the latent is k more. */
enum { DRAW_OF_SAMPLES = 2019, DRAW_OF_PIXELS = 2020, DRAW_OF_LATENT = 2021 };

typedef struct options {
    int64_t latent, hidden;
    int source, likelihood, decoder;
    double deviation;
    bool binarize;
} options;

static const hiss_row rows[] = {
    {"latent", HISS_INT, offsetof(options, latent), "20", 1, 1 << 16, NULL, "dimensions of the latent"},
    {"decoder", HISS_CHOICE, offsetof(options, decoder), "dense", 0, 0, "dense|convolutional",
     "one hidden layer, or transposed convolutions as in the autoencoder"},
    {"hidden", HISS_INT, offsetof(options, hidden), "400", 1, 1 << 20, NULL, "width of the decoder's hidden layer"},
    {"likelihood", HISS_CHOICE, offsetof(options, likelihood), "bernoulli", 0, 0, "bernoulli|gaussian",
     "of a pixel, given the latent"},
    {"binarize", HISS_BOOL, offsetof(options, binarize), "true", 0, 0, NULL,
     "bernoulli: draw each pixel as 0 or 1 with itself as probability; false: its loss on grey pixels"},
    {"deviation", HISS_FLOAT, offsetof(options, deviation), "0.1", 1e-4, 1e4, NULL,
     "gaussian: standard deviation of a pixel of 0..1, given the latent"},
    {"source", HISS_CHOICE, offsetof(options, source), "encoder", 0, 0, "encoder|prior",
     "where the latent is drawn from; prior is a control, in which it knows nothing of the image"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct graph_values {
    hiss_value image, mean, log_variance, noise, output; /* output: logits, or means of pixels */
} graph_values;

typedef struct vae {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    graph_values estimate; /* of the graph of the likelihood */
} vae;

static int64_t pixel_count(const vae *v) {
    return v->task->H * v->task->W * v->task->C;
}

static bool binarizes(const vae *v) {
    return v->options->likelihood == BERNOULLI && v->options->binarize;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    vae *v = hiss_new(vae, 1);
    v->task = task;
    v->placement = placement;
    v->options = opts;
    *self = v;
    /* A probability is a number of 0..1; where it is drawn, a larger one is as good as 1. */
    return objective_expect_unit_pixels("vae", task, v->options->likelihood == GAUSSIAN || v->options->binarize,
                                        "or vae.binarize true", err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

/* The network, and the mean of the latent on it, which is what an image's features are; below: what it is on. */
static hiss_status encode_mean(const vae *v, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *below,
                               hiss_error *err) {
    const hiss_status s = objective_encoder_rows(v->task, b, image, taps, below, err);
    return s == HISS_OK ? hiss_network_end(v->task->network, b, "mean",
                                           hiss_layer_linear(b, "mean", *below, v->options->latent, true), taps, err)
                        : s;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value below = -1;
    return encode_mean(self, b, image, taps, &below, err);
}

static hiss_value decode(const vae *v, hiss_builder *b, hiss_value latent) {
    return v->options->decoder == DENSE ? reconstruct_decode_by_layers(v->task, b, latent, v->options->hidden)
                                        : reconstruct_decode_by_convolution(v->task, b, latent, v->options->hidden);
}

/* Pixels in 0..1 out of what the decoder says. */
static hiss_value pixels(const vae *v, hiss_builder *b, hiss_value output) {
    return v->options->likelihood == BERNOULLI ? hiss_graph_sigmoid(b->graph, output) : output;
}

/* The latent of m images. In evaluation the graph is cut where the noise comes in; the values before the cut that are
 * needed behind it are kept. */
static hiss_value draw_latent(const vae *v, hiss_builder *b, int64_t m, graph_values *x) {
    hiss_graph *g = b->graph;
    const hiss_value deviation = hiss_graph_exp(g, hiss_graph_scale(g, x->log_variance, 0.5));
    if (!b->training) {
        hiss_graph_keep(g, deviation);
        hiss_graph_cut(g);
    }
    x->noise = hiss_graph_input(g, "noise", HISS_SHAPE(m, v->options->latent));
    return v->options->source == FROM_PRIOR ? x->noise
                                            : hiss_graph_add(g, x->mean, hiss_graph_multiply(g, deviation, x->noise));
}

/* Encoder, latent, decoder, on m images. */
static hiss_status append(vae *v, hiss_builder *b, int64_t m, graph_values *out, hiss_error *err) {
    hiss_graph *g = b->graph;
    hiss_taps taps = {0};
    hiss_value below = -1;
    const hiss_task *t = v->task;
    hiss_status s =
        v->options->decoder == CONVOLUTIONAL ? reconstruct_expect_size("vae", t, "vae.decoder: dense", err) : HISS_OK;
    out->image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    s = s == HISS_OK ? encode_mean(v, b, out->image, &taps, &below, err) : s;
    if (s == HISS_OK) {
        out->mean = hiss_taps_last(&taps);
        out->log_variance = hiss_layer_linear(b, "log_variance", below, v->options->latent, true);
        s = hiss_graph_status(g, err);
    }
    if (s == HISS_OK) {
        out->output = decode(v, b, draw_latent(v, b, m, out));
        s = hiss_graph_status(g, err);
    }
    return s;
}

/* log p(x | z) of D pixels is -scale * (what the loss below sums) - offset. */
static double gaussian_scale(const vae *v) {
    return 0.5 / (v->options->deviation * v->options->deviation);
}

static double gaussian_offset(const vae *v, int64_t D) {
    return (double)D * (log(v->options->deviation) + 0.5 * log(2.0 * pi));
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    vae *v = self;
    hiss_graph *g = b->graph;
    graph_values x = {0};
    const int64_t m = v->placement->m;
    const hiss_status s = append(v, b, m, &x, err);
    if (s != HISS_OK) {
        return s;
    }
    const double each = 1.0 / (double)m;
    const hiss_value divergence = hiss_graph_gaussian_kl(g, x.mean, x.log_variance, each);
    hiss_value miss;
    if (v->options->likelihood == BERNOULLI) {
        miss = hiss_graph_sigmoid_cross_entropy(g, x.output, x.image, each);
    } else {
        const float offset = (float)gaussian_offset(v, pixel_count(v));
        miss = hiss_graph_add(g, hiss_graph_squared_loss(g, x.output, x.image, each * gaussian_scale(v)),
                              hiss_graph_constant(g, HISS_SHAPE(1), &offset));
    }
    const hiss_value loss = hiss_graph_add(g, miss, divergence);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "reconstruction", miss);
    hiss_layer_metric(b, "divergence", divergence);
    return hiss_graph_status(g, err);
}

static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    hiss_taps taps = {0};
    hiss_status s = encode(self, b, image, &taps, err);
    if (s == HISS_OK) {
        *rebuilt = pixels(self, b, decode(self, b, hiss_taps_last(&taps)));
        s = hiss_graph_status(b->graph, err);
    }
    return s;
}

/* ---- what goes in ---- */

static void binarize(hiss_rng rng, int64_t D, float *pixel) {
    for (int64_t k = 0; k < D; k++) {
        pixel[k] = hiss_rng_uniform(&rng) < pixel[k] ? 1.0f : 0.0f;
    }
}

/* In a feature pass there is no noise, and images are grey: the mean of what is drawn. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const vae *v = self;
    const int64_t id = lane->batch->sample[i] * STREAMS, D = pixel_count(v);
    hiss_lane_default_sample(lane, i);
    if (lane->view == HISS_VIEW_TRAINING) {
        if (binarizes(v)) {
            binarize(hiss_rng_keyed(v->task->seed, HISS_FOR_NOISE, lane->step, id + STREAM_PIXELS), D,
                     hiss_lane_values(lane, lane->inputs->image, i));
        }
        hiss_rng rng = hiss_rng_keyed(v->task->seed, HISS_FOR_NOISE, lane->step, id + STREAM_LATENT);
        hiss_rng_normals(&rng, v->options->latent,
                         hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "noise"), i));
    }
}

/* ---- how probable images are ---- */

static int64_t latent(void *self) {
    return ((const vae *)self)->options->latent;
}

static hiss_status estimate_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    vae *v = self;
    const hiss_status s = append(v, b, m, &v->estimate, err);
    const graph_values *e = &v->estimate;
    const hiss_value used[] = {e->image, e->mean, e->log_variance, e->noise, e->output};
    for (int k = 0; k < HISS_COUNT(used) && s == HISS_OK; k++) {
        hiss_graph_keep(b->graph, used[k]);
    }
    return s;
}

static void estimate_image(void *self, const hiss_lane *lane, int64_t i) {
    const vae *v = self;
    hiss_lane_default_sample(lane, i);
    if (binarizes(v)) {
        binarize(hiss_rng_keyed(v->task->seed, HISS_FOR_EVALUATION, DRAW_OF_PIXELS, lane->batch->sample[i]),
                 pixel_count(v), hiss_lane_values(lane, v->estimate.image, i));
    }
}

static void estimate_noise(void *self, const hiss_lane *lane, int64_t i) {
    const vae *v = self;
    hiss_rng rng =
        hiss_rng_keyed(v->task->seed, HISS_FOR_EVALUATION, DRAW_OF_LATENT + lane->step, lane->batch->sample[i]);
    hiss_rng_normals(&rng, v->options->latent, hiss_lane_values(lane, v->estimate.noise, i));
}

static hiss_draw estimate_draw(void *self, const hiss_lane *lane, int64_t i) {
    const vae *v = self;
    const float *x = hiss_lane_values(lane, v->estimate.image, i),
                *output = hiss_lane_values(lane, v->estimate.output, i);
    const float *mean = hiss_lane_values(lane, v->estimate.mean, i),
                *noise = hiss_lane_values(lane, v->estimate.noise, i);
    const float *log_variance = hiss_lane_values(lane, v->estimate.log_variance, i);
    const int64_t D = pixel_count(v);
    float miss;
    hiss_draw draw = {0};
    if (v->options->likelihood == BERNOULLI) {
        v->task->kernels->sigmoid_cross_entropy_forward(D, 1.0f, output, x, &miss);
        draw.likelihood = -(double)miss;
    } else {
        v->task->kernels->squared_loss_forward(D, 1.0f, output, x, &miss);
        draw.likelihood = -gaussian_scale(v) * (double)miss - gaussian_offset(v, D);
    }
    draw.weight = draw.likelihood;
    for (int64_t k = 0; k < v->options->latent && v->options->source == FROM_ENCODER; k++) {
        const double e = (double)noise[k], log_v = (double)log_variance[k], z = (double)mean[k] + exp(0.5 * log_v) * e;
        draw.weight += 0.5 * (e * e + log_v - z * z);
    }
    return draw;
}

static void estimate_posterior(void *self, const hiss_lane *lane, int64_t i, double *divergence, double *mean) {
    const vae *v = self;
    const float *m = hiss_lane_values(lane, v->estimate.mean, i),
                *log_variance = hiss_lane_values(lane, v->estimate.log_variance, i);
    for (int64_t k = 0; k < v->options->latent; k++) {
        const double log_v = (double)log_variance[k];
        mean[k] = (double)m[k];
        divergence[k] = 0.5 * (expm1(log_v) - log_v + mean[k] * mean[k]);
    }
}

static double independent(void *self, double x, double mean, double variance) {
    const vae *v = self;
    if (v->options->likelihood == BERNOULLI) {
        return -x * log(mean) - (1.0 - x) * log1p(-mean);
    }
    return 0.5 * (log(2.0 * pi * variance) + (x - mean) * (x - mean) / variance);
}

static void estimate_describe(void *self, char *line, size_t size) {
    const vae *v = self;
    if (v->options->likelihood == GAUSSIAN) {
        snprintf(line, size, "of grey pixels in 0..1, by a density: a Gaussian of deviation %g given the latent",
                 v->options->deviation);
    } else {
        snprintf(line, size, "%s",
                 binarizes(v) ? "of binary pixels, each drawn once with its grey value as probability"
                              : "of grey pixels in 0..1 by the Bernoulli loss, which is no density of theirs");
    }
}

static hiss_status estimate_decode(void *self, hiss_builder *b, hiss_value z, hiss_value *image, hiss_error *err) {
    *image = pixels(self, b, decode(self, b, z));
    return hiss_graph_status(b->graph, err);
}

/* ---- images of latents drawn from the prior ---- */

static hiss_status generation_build(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    const vae *v = self;
    const hiss_value z = hiss_graph_input(b->graph, "noise", HISS_SHAPE(m, v->options->latent));
    const hiss_status s = v->options->decoder == CONVOLUTIONAL
                              ? reconstruct_expect_size("vae", v->task, "vae.decoder: dense", err)
                              : HISS_OK;
    return s == HISS_OK ? estimate_decode(self, b, z, image, err) : s;
}

static void generation_noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    (void)wanted;
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_SAMPLES, lane->batch->sample[i]);
    hiss_rng_normals(&rng, latent(self), hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "noise"), i));
}

static void describe(void *self, char *line, size_t size) {
    const vae *v = self;
    snprintf(line, size, "vae: latent of %lld dimensions%s, %s likelihood%s, bound in nats per image",
             (long long)v->options->latent, v->options->source == FROM_PRIOR ? " that knows nothing of the image" : "",
             v->options->likelihood == GAUSSIAN ? "Gaussian" : "Bernoulli",
             binarizes(v) ? " of binary pixels drawn anew at each step" : "");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.describe = describe};
static const hiss_likelihood_ops likelihood = {.latent = latent,
                                               .build = estimate_build,
                                               .image = estimate_image,
                                               .noise = estimate_noise,
                                               .draw = estimate_draw,
                                               .posterior = estimate_posterior,
                                               .independent = independent,
                                               .describe = estimate_describe,
                                               .decode = estimate_decode};
static const hiss_generation_ops generation = {.build = generation_build, .noise = generation_noise};

const hiss_objective_ops objective_vae = {
    .name = "vae",
    .summary = "variational auto-encoder: a latent of a known prior, and the image's probability",
    .sections = {{"vae", rows, &nrows, 0}},
    .sizes = "vae.hidden, vae.latent",
    .options_bytes = sizeof(options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .reconstruct = reconstruct,
    .likelihood = &likelihood,
    .generation = &generation,
};
