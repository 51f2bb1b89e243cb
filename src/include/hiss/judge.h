/* Judgements: what is said of a run's features and networks, as named numbers and pictures.
 *
 * A judgement is one file of src/eval/judgements and one line in src/eval/judgements.c. It says what it needs and which
 * keys of section eval are its own, and records numbers, remarks and pictures. The tables on the terminal, eval.json,
 * report.html and --help come out of that. What a judgement needs and is not there (labels, say) leaves it out, and
 * the evaluation says why. */
#ifndef HISS_JUDGE_H
#define HISS_JUDGE_H

#include "hiss/alloc.h"
#include "hiss/eval.h"
#include "hiss/nn.h"
#include "hiss/objective.h"

/* ---- what is judged ---- */

/* A method that can rebuild images. */
typedef struct hiss_rebuilder {
    /* out[0], out[1] [count, H, W, C]: the image as the network sees it and as it rebuilds it, in pixels of 0..1, of
     * the first count of `batch` samples. Not collective. */
    hiss_embed rebuild;
    void *user;
    int64_t H, W, C, batch;
    int64_t code; /* numbers that it rebuilds an image from */
    /* out[0], out[1] [count, H, W, C], of a method that cleans images: the image corrupted, and rebuilt from that; pixels
     * in 0..1, which the corruption may leave. NULL: the method does not. Not collective. */
    hiss_embed clean;
    hiss_corruption_moments corruption;
} hiss_rebuilder;

/* A method that says how probable images are, by a latent z of K dimensions of the prior N(0, 1). */
enum {
    HISS_ESTIMATE_BOUND,
    HISS_ESTIMATE_IMPORTANCE,
    HISS_ESTIMATE_LIKELIHOOD,
    HISS_ESTIMATE_DIVERGENCE,
    HISS_ESTIMATES
};
typedef struct hiss_estimator {
    /* out[0] [count, HISS_ESTIMATES + 2 K] of the first count of `batch` samples, in nats: the evidence lower bound, the
     * importance-weighted one of all draws, the mean of log p(x | z), the divergence of q(z | x) from the prior, the same
     * of each dimension, and the mean of q(z | x). Not collective, as are the others. */
    hiss_embed estimate;
    hiss_embed image; /* out[0] [count, H, W, C]: pixels in 0..1 as the method sees them, none of them drawn */
    /* image [count, H, W, C], pixels in 0..1, out of latent [count, K], count at most batch */
    void (*decode)(void *user, int64_t count, const float *latent, float *image);
    double (*independent)(void *user, double x, double mean, double variance); /* see hiss_likelihood_ops */
    void *user;
    int64_t H, W, C, batch, latent, draws;
    const char *data; /* whose probability it is */
} hiss_estimator;

/* A method that makes images: an endless row of them for every seed. */
typedef struct hiss_maker {
    /* image [count, H, W, C], count at most batch: numbers first, first + 1, ... of the row, cut to pixels of 0..1;
     * wanted [count]: their classes, where classes is not 0. untrained: as the same network makes them before training.
     * Not collective, as is the next. Errors (HISS_EUSER): one is not finite. */
    hiss_status (*make)(void *user, bool untrained, uint64_t seed, int64_t first, int64_t count, const int64_t *wanted,
                        float *image, hiss_error *err);
    hiss_embed image; /* out[0] [count, H, W, C]: pixels in 0..1 of samples, as the method sees them */
    void *user;
    int64_t H, W, C, batch;
    int64_t classes; /* that can be asked for; 0: none */
} hiss_maker;

/* The first rows x columns images of the row of seed, as a PNG. wanted: the class of all of them, where there are
 * classes; -1: classes in turn, one a column, or one a row where there are more classes than columns. Not
 * collective. */
hiss_status hiss_maker_draw(const hiss_maker *maker, uint64_t seed, int64_t rows, int64_t columns, int64_t wanted,
                            const char *path, hiss_error *err);

/* A method that foretells how clips go on. */
typedef struct hiss_forecaster {
    /* out[0] [count, given + foretold, H, W, C]: frames in pixels of 0..1. Not collective, as is the next. */
    hiss_embed clip;
    /* out [count, made, foretold, H, W, C] of the first count of `batch` samples: futures first, first + 1, ... of each
     * sample's endless row of them, by the run's seed. actions [count, made, given + foretold, actions]: what is done after each
     * frame of each future; NULL: as in the samples, or where there are none. */
    void (*futures)(void *user, int64_t first, int64_t count, const hiss_batch *batch, const float *actions,
                    float *out);
    void *user;
    int64_t H, W, C, given, foretold, batch;
    int64_t actions; /* numbers of an action, of field `action` float32 [T,A] of the samples; 0: the method sees none */
    int64_t made;    /* futures that are made at a time: 1 where all of a clip are one */
} hiss_forecaster;
enum { HISS_ACTED = 9 }; /* futures that a forecaster of subject->actor makes at a time */

/* A fixed network that tells classes of images: the judge of made ones. */
typedef struct hiss_classifier {
    /* hidden [count, D], scores [count, classes] of image [count, H, W, C], pixels in 0..1, count at most batch. Not
     * collective. */
    void (*judge)(void *user, int64_t count, const float *image, float *hidden, float *scores);
    void *user;
    int64_t H, W, C, batch, D, classes;
    const char *name, *layer; /* the run; its last hidden layer, whose values hidden are */
} hiss_classifier;

/* A network that scores what is in parts of images. */
typedef struct hiss_window_scorer {
    /* scores [batch, classes] of a part of each image of a batch: see hiss_frozen_score. Not collective. */
    void (*score)(void *user, const hiss_batch *batch, const hiss_box *box, float *scores);
    void *user;
    int64_t batch, classes;
} hiss_window_scorer;

/* A method that measures itself: see hiss_measure_ops. */
typedef struct hiss_measurer {
    hiss_embed measure; /* out[0] [count, width] of the first count of `batch` samples. Not collective, as is */
    hiss_embed show;    /* the same [count, shown]; NULL: there are no pictures of images */
    int64_t shown;
    hiss_status (*conclude)(void *user, const hiss_measured *measured, hiss_error *err); /* Collective */
    void *user;
    int64_t width, batch;
    const char *baseline;  /* NULL: none */
    int64_t training;      /* training samples that are measured, at most */
    hiss_measured network; /* its task, model and parameters */
} hiss_measurer;

/* One layer's features, or a trained network as a whole. Open struct, filled by the caller; owns nothing. */
typedef struct hiss_subject {
    const char *name;                  /* e.g. "trained/conv2", or "trained" for the network */
    const hiss_features *train, *test; /* of the layer; NULL: this is a network */
    int64_t units;                     /* of this layer of the trained network, last in each place of a row; 0: none */
    bool output;                       /* this layer is the output of the trained network */
    bool scores;                       /* this layer are the trained network's scores of classes */
    bool others;                       /* which are not those of the training samples' labels */
    const hiss_sample_range *bank;     /* where the training samples' pixels come from; NULL: no pictures of them */
    const hiss_sample_range *queries;  /* the same of the test samples */
    const hiss_model *model;           /* of the network */
    const float *vector;               /* its parameters */
    const hiss_rebuilder *rebuilder;   /* NULL: the method cannot rebuild */
    const hiss_estimator *estimator;   /* NULL: the method has no latent to estimate the likelihood by */
    const hiss_measurer *measurer;     /* NULL: the method does not measure itself */
    const hiss_maker *maker;           /* NULL: the method makes no images */
    const hiss_forecaster *forecaster; /* NULL: the method does not foretell clips */
    const hiss_forecaster *actor;      /* the same for several actions; NULL: the method sees none */
    const hiss_window_scorer *scorer;  /* NULL: the method has not learnt targets */
    const hiss_classifier *classifier; /* of the size of the images that maker makes; NULL: none is named */
    const char *directory;             /* where pictures go; NULL: nowhere */
} hiss_subject;

/* ---- what is said ---- */

/* How a number is written. */
typedef enum hiss_form {
    HISS_FORM_FIXED,   /* two decimals in tables, four in eval.json */
    HISS_FORM_GENERAL, /* significant digits */
    HISS_FORM_POWER,   /* a power of ten */
    HISS_FORM_COUNT,   /* an integer */
    HISS_FORM_TRUTH,   /* 0: false, 1: true */
    HISS_FORMS
} hiss_form;
/* A number in this form, without its unit; "-" for NAN. Writes to out. Not collective. */
enum { HISS_FORM_TEXT = 96 };
void hiss_form_text(hiss_form form, double value, char out[HISS_FORM_TEXT]);

typedef struct hiss_number {
    const char *name;    /* below its judgement in eval.json; a dot opens an object: "cosine.5" */
    const char *group;   /* the table of it; NULL: it is a detail, for eval.json and the page's end */
    const char *heading; /* of its column */
    const char *unit;    /* "%", "dB"; "" without */
    hiss_form form;
    bool main; /* the page draws it as bars */
    double value;
    double spread;   /* standard deviation; NAN: none */
    double baseline; /* what the judgement's baseline reaches; NAN: none */
    int64_t samples; /* that it is taken over; 0: of none */
} hiss_number;

typedef struct hiss_evaluation hiss_evaluation;
typedef struct hiss_record hiss_record; /* one judgement's words on one subject */

/* Texts are copied. Names differ within a judgement; group, heading, unit, form, samples and baseline of a name are the
 * same for every subject. At most HISS_MAX_NUMBERS names. Not collective, but equal on all ranks. */
enum { HISS_MAX_NUMBERS = 64 };
void hiss_record_number(hiss_record *record, const hiss_number *number);
/* A sentence that a reader of the numbers must know; said twice, it stays one. Not collective. */
void hiss_record_remark(hiss_record *record, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* This judgement says nothing here, and why. Not collective. */
void hiss_record_leave_out(hiss_record *record, const char *why);
/* A PNG in the subject's directory, by its name there. Not collective. */
void hiss_record_picture(hiss_record *record, const char *file, const char *title, const char *caption);

/* ---- the register ---- */

enum {                         /* what a judgement needs */
       HISS_NEEDS_LAYER = 1,   /* judges each layer of each network */
       HISS_NEEDS_OUTPUT = 2,  /* judges the output of the trained network */
       HISS_NEEDS_NETWORK = 4, /* judges the trained network as a whole */
       HISS_NEEDS_LABELS = 8,
       HISS_NEEDS_REBUILDER = 16,
       HISS_NEEDS_ESTIMATOR = 32,
       HISS_NEEDS_MEASURER = 64,
       HISS_NEEDS_CORRUPTION = 128,
       HISS_NEEDS_MAKER = 256,
       HISS_NEEDS_TARGETS = 512, /* of several classes a sample */
       HISS_NEEDS_SCORES = 1024, /* a method whose output are scores of classes */
       HISS_NEEDS_UNITS = 2048,  /* of a trained network */
       HISS_NEEDS_SCORER = 4096,
       HISS_NEEDS_CLASSES = 8192, /* labels or targets: the judgement itself looks which there are */
       HISS_NEEDS_FORECASTER = 16384,
       HISS_NEEDS_ACTOR = 32768
};

typedef struct hiss_judgement {
    const char *name;     /* in eval.json, and of the key that turns it on: the first of its rows, a HISS_BOOL */
    const char *title;    /* of its tables */
    const char *baseline; /* what the baseline of its numbers is; NULL: they have none */
    unsigned needs;       /* one of the first three, and others */
    const hiss_row *rows; /* its keys of section eval: fields of hiss_eval_options */
    int nrows;
    /* Judge and record. Errors are common to all ranks. Collective. */
    hiss_status (*run)(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err);
} hiss_judgement;

/* All judgements, ended by NULL. Not collective. */
const hiss_judgement *const *hiss_judgements(void);
/* An error when the options want none of them. Not collective. */
hiss_status hiss_judgements_expect(const hiss_eval_options *options, hiss_error *err);
/* Whether the options want one that needs any of HISS_NEEDS_.. in `needs`, and nothing that is in `lacking`. Not
 * collective. */
bool hiss_judgements_want(const hiss_eval_options *options, unsigned needs, unsigned lacking);

/* The picture of judgement units of a layer, such as units-conv1.png. Not collective. */
enum { HISS_UNITS_FILE = 96 };
void hiss_units_file(const char *layer, char out[HISS_UNITS_FILE]);

/* ---- an evaluation ---- */

/* samples: how they were drawn (hiss_eval_open). */
hiss_evaluation *hiss_evaluation_create(const char *samples);
/* Keep the names of the classes of set for its JSON. Not collective. */
void hiss_evaluation_name_classes(hiss_evaluation *evaluation, const hiss_dataset *set);
void hiss_evaluation_destroy(hiss_evaluation *evaluation); /* NULL is allowed */
/* All judgements that options ask for and that judge such a subject. Collective; logs its progress. Errors, common to
 * all ranks: those of reading samples and writing pictures. */
hiss_status hiss_evaluation_judge(hiss_evaluation *evaluation, const hiss_eval_env *env,
                                  const hiss_eval_options *options, const hiss_subject *subject, hiss_error *err);

/* A number that was recorded; NAN when there is none. Not collective. */
double hiss_evaluation_value(const hiss_evaluation *evaluation, const char *subject, const char *judgement,
                             const char *number);

/* The same with all that is said of it; false: there is none. Texts live as long as the evaluation. Not collective. */
bool hiss_evaluation_number(const hiss_evaluation *evaluation, const char *subject, const char *judgement,
                            const char *number, hiss_number *out);
/* "a, b, c" into out[size]: the subjects (subject NULL), the judgements of a subject (judgement NULL), or the numbers of
 * both. Not collective. */
void hiss_evaluation_list(const hiss_evaluation *evaluation, const char *subject, const char *judgement, char *out,
                          size_t size);

/* Tables, one per judgement, and remarks. Not collective. */
void hiss_evaluation_print(FILE *stream, const hiss_evaluation *evaluation);
/* As JSON, durably. Not collective: call on one rank. */
hiss_status hiss_evaluation_write(const char *path, const hiss_evaluation *evaluation, hiss_error *err);
/* What hiss_evaluation_write wrote. Errors (HISS_EUSER, file:line:column): it is no such file. Not collective. */
hiss_status hiss_evaluation_read(const char *path, hiss_evaluation **out, hiss_error *err);

/* As parts of an HTML page, which has hiss_page_style: bars and tables; fits and other details. Not collective. */
void hiss_evaluation_html(FILE *stream, const hiss_evaluation *evaluation);
void hiss_evaluation_details_html(FILE *stream, const hiss_evaluation *evaluation);
/* Its pictures, k = 0, 1, ...; false: there is none. Texts live as long as the evaluation. Not collective. */
typedef struct hiss_picture {
    const char *file, *title, *caption;
} hiss_picture;
bool hiss_evaluation_picture(const hiss_evaluation *evaluation, int k, hiss_picture *out);
/* A figure with the picture or the sound of a run in it, under a heading; nothing where its file is no PNG, WAV or SVG file
 * in that directory itself, for names come from files. Not collective. */
void hiss_picture_html(FILE *stream, const char *directory, const char *heading, const hiss_picture *picture);

#endif
