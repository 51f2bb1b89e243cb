/* Private to src/objective/pretext: a network that sees the parts of an image one by one, and a classifier that sees
 * what it says of all of them: one answer out of so many. Not collective, but for pretext_siamese_conclude. */
#ifndef HISS_OBJECTIVE_PRETEXT_SIAMESE_H
#define HISS_OBJECTIVE_PRETEXT_SIAMESE_H

#include "objective/parts/patches.h"

typedef struct siamese_options {
    int64_t code, hidden;
} siamese_options;

/* Rows of options with member `member` of this type. */
#define SIAMESE_ROWS(options, member, code_standard, hidden_standard)                                                  \
    {"code",                                                                                                           \
     HISS_INT,                                                                                                         \
     offsetof(options, member.code),                                                                                   \
     code_standard,                                                                                                    \
     1,                                                                                                                \
     1 << 16,                                                                                                          \
     NULL,                                                                                                             \
     "units of the fully connected layer on each patch"},                                                              \
    {                                                                                                                  \
        "hidden", HISS_INT, offsetof(options, member.hidden), hidden_standard, 1, 1 << 16, NULL,                       \
            "units of the fully connected layer on the codes of all patches"                                           \
    }

enum { SIAMESE_HIT, SIAMESE_LOSS, SIAMESE_WIDTH }; /* what pretext_siamese_measure says of a sample */
enum { SIAMESE_SHOWN = 24 };                       /* samples of the picture */

/* Set by the method, but for what the last group has. */
typedef struct siamese {
    const hiss_task *task;
    const siamese_options *options;
    const char *method, *side_key; /* its name, and the key of a patch's side */
    const char *room_key;          /* of what a patch lies in, of side `room`; NULL: nothing */
    int64_t room;
    int64_t parts, side, answers; /* patches of an image, their side, answers; side 0: whole images, without a scene */
    objective_scene scene;
    int64_t shown_side; /* of a part of the picture, in pixels */

    hiss_network maps; /* the network up to flatten */
    hiss_value patches, answer, scores;
    float *picture; /* [SIAMESE_SHOWN, 2, shown_side, shown_side, C]; NULL: not measured */
    int64_t shown;  /* samples in it */
} siamese;

/* Whether the layers up to flatten take patches of this side. */
bool pretext_siamese_takes(siamese *s, int64_t side);
/* "; KIND (SETS)" of a way out of an error, by --set, behind "; " or " or "; sets "": nothing. */
void pretext_siamese_advise(char *text, size_t size, const char *what, const char *sets);
/* Whether the network takes patches and whole images alike. Errors (HISS_EUSER) name the key. */
hiss_status pretext_siamese_open(siamese *s, hiss_error *err);
void pretext_siamese_close(siamese *s);
/* An encode() of hiss_objective_ops: the network up to flatten on whole images. */
hiss_status pretext_siamese_encode(const siamese *s, hiss_builder *b, hiss_value image, hiss_taps *taps,
                                   hiss_error *err);
/* A fully connected layer of that name with BatchNorm and relu. */
hiss_value pretext_siamese_connected(hiss_builder *b, const char *name, hiss_value x, int64_t units);
/* The graph of m samples up to the codes: inputs of the scene and of "patches" [m, parts, side, side, C]; *codes
 * [m, parts code]. */
hiss_status pretext_siamese_codes(siamese *s, hiss_builder *b, int64_t m, hiss_value *codes, hiss_error *err);
/* The graph of m samples: inputs of the scene, of "patches" [m, parts, side, side, C] and of the right "answer"; the
 * scores. */
hiss_status pretext_siamese_scores(siamese *s, hiss_builder *b, int64_t m, hiss_error *err);
/* The same, and what training needs. */
hiss_status pretext_siamese_build(siamese *s, hiss_builder *b, int64_t m, hiss_error *err);
/* Where a hook puts patch `part` of sample i, [side, side, C], and the right answer. */
float *pretext_siamese_patch(const siamese *s, const hiss_lane *lane, int64_t i, int64_t part);
void pretext_siamese_answer(const siamese *s, const hiss_lane *lane, int64_t i, int64_t answer);
/* The stream of draws for sample i: keyed by the step in training, by `evaluation` in evaluation. */
hiss_rng pretext_siamese_draws(const siamese *s, const hiss_lane *lane, int64_t i, int64_t evaluation);
int pretext_siamese_below_chance(const siamese *s, const hiss_named *metrics, int nmetrics, char *line, size_t size);

/* What evaluation measures: build() is pretext_siamese_measure_build(). */
hiss_status pretext_siamese_measure_build(siamese *s, hiss_builder *b, int64_t m, hiss_error *err);
/* What scores [answers] say of the right answer, into out [SIAMESE_WIDTH]; returns what they say. */
int64_t pretext_siamese_judge(const float *score, int64_t answers, int64_t right, float *out);
/* Room for the picture. */
void pretext_siamese_picture(siamese *s);
/* Into out [SIAMESE_WIDTH]; returns the right answer. */
int64_t pretext_siamese_measure(const siamese *s, const hiss_lane *lane, int64_t i, float *out);
/* Shows sample i's scene in the picture, and gives the grey square [shown_side, shown_side, C] beside it. NULL: there
 * are enough. */
float *pretext_siamese_show(siamese *s, const hiss_lane *lane, int64_t i);
/* Draw patch `part` of sample i with its corner at y, x of that square. */
void pretext_siamese_show_patch(const siamese *s, const hiss_lane *lane, int64_t i, int64_t part, int64_t y, int64_t x,
                                float *square);
/* The numbers, and the picture in `file`. Collective. */
hiss_status pretext_siamese_conclude(const siamese *s, const hiss_measured *m, const char *group, const char *file,
                                     const char *caption, hiss_error *err);

#endif
