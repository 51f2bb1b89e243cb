/* Whether a method that foretells clips by what is done in them is good enough to plan by. The goal is a picture: the last frame of a
 * test clip. Of many sequences of actions, those of other test clips, the one is chosen whose last made frame is nearest to it,
 * in squared error (as in visual foresight: Finn & Levine, "Deep visual foresight for planning robot motion", ICRA 2017, in
 * kind). It is then carried out in the world that the clip is from, which the data set's generator lets go on by given actions,
 * and what counts is how near to its place in the goal the arm ends: field place [T,things,2] in pixels, of which the arm is
 * the first.
 *
 * Beside it stand a sequence drawn at random, in the mean over all of them, and the one that is chosen in the same way by what truly
 * happens, which is as well as can be done with these sequences and this distance. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "eval/judgements/clips.h"
#include "hiss/alloc.h"

enum { PLANNED, ANY, TRUE_WORLD, WAYS };
enum { REACHED, DISTANCE, MEASURES };
enum { START_DISTANCE = WAYS * MEASURES, REACHABLE, CHOSEN, WIDTH }; /* REACHABLE: by some of the sequences */
enum { ROW_GOAL, ROW_THOUGHT, ROW_DONE, ROWS, SHOWN = 6 };

static const double reach = 0.1; /* of a frame's height */

static const hiss_row rows[] = {
    JUDGEMENT_ROW(
        "planning", HISS_BOOL, planning, "true", 0, 0, NULL,
        "of a method that sees actions, on clips of a generator that takes some: how often plans reach a goal"),
    JUDGEMENT_ROW("plans", HISS_INT, plans, "100", 1, 1 << 16, NULL,
                  "sequences of actions that a plan is chosen from, at most one of each other clip of future_clips"),
};

typedef struct planning {
    const hiss_forecaster *by;
    hiss_sample_range drawn;
    const hiss_field *clip, *place;
    int64_t plans;
    float *action; /* [clips, frames, A] of the data */
    float *given;  /* [HISS_ACTED, frames, A] */
    float *made;   /* [HISS_ACTED, foretold, H, W, C] */
    float *goal;   /* [given + foretold, H, W, C] of the clip */
    float *frame;  /* [H, W, C] */
    uint8_t *row;  /* a sample */
    float *all;    /* [clips, WIDTH] */
} planning;

static int64_t frames_of(const planning *p) {
    return p->by->given + p->by->foretold;
}

static int64_t size_of(const planning *p) {
    return p->by->H * p->by->W * p->by->C;
}

/* ---- one clip ---- */

/* Actions of plan k of clip i. */
static void plan_of(const planning *p, int64_t i, int64_t k, float *out) {
    const int64_t row = frames_of(p) * p->by->actions;
    eval_clips_join(p->by, p->action + i * row, p->action + (i + 1 + k) % p->drawn.count * row, out);
}

static double arm_distance(const planning *p, const uint8_t *row, int64_t t, const float goal[2]) {
    float at[2];
    memcpy(at, row + p->place->offset + t * p->place->dim[1] * (int64_t)sizeof at, sizeof at);
    return hypot((double)at[0] - (double)goal[0], (double)at[1] - (double)goal[1]);
}

static void read_frame(const planning *p, const uint8_t *row, int64_t t, float *out) {
    const uint8_t *pixel = row + p->clip->offset + t * size_of(p);
    for (int64_t k = 0; k < size_of(p); k++) {
        out[k] = (float)pixel[k] * (1.0f / 255.0f);
    }
}

typedef struct choice { /* the nearest so far */
    double error;
    int64_t plan;
    double distance; /* of the arm, in the end */
} choice;

static void consider(choice *c, double error, int64_t plan, double distance) {
    if (c->plan < 0 || error < c->error) {
        *c = (choice){error, plan, distance};
    }
}

static void put_choice(int way, double limit, double distance, float *out) {
    out[way * MEASURES + REACHED] = distance <= limit ? 1.0f : 0.0f;
    out[way * MEASURES + DISTANCE] = (float)distance;
}

/* An eval_clip_judge. */
static hiss_status judge_clip(void *user, int64_t i, const hiss_batch *batch, float *out, hiss_error *err) {
    planning *p = user;
    const hiss_forecaster *by = p->by;
    const int64_t last = frames_of(p) - 1, size = size_of(p), row = frames_of(p) * by->actions;
    const double limit = reach * (double)by->H;
    const hiss_status s = by->clip(by->user, 1, batch, &p->goal, err);
    choice planned = {.plan = -1}, best = planned;
    float goal[2];
    if (s != HISS_OK) {
        return s;
    }
    memcpy(goal, batch->row[0] + p->place->offset + last * p->place->dim[1] * (int64_t)sizeof goal, sizeof goal);
    out[START_DISTANCE] = (float)arm_distance(p, batch->row[0], by->given - 1, goal);
    for (int64_t first = 0; first < p->plans; first += HISS_ACTED) {
        for (int64_t k = 0; k < HISS_ACTED; k++) {
            plan_of(p, i, first + k, p->given + k * row);
        }
        by->futures(by->user, 0, 1, batch, p->given, p->made);
        for (int64_t k = 0; k < HISS_ACTED && first + k < p->plans; k++) {
            const float *made = p->made + (k * by->foretold + by->foretold - 1) * size, *aim = p->goal + last * size;
            hiss_dataset_act(p->drawn.set, batch->sample[0], by->given - 1, p->given + k * row, p->row);
            read_frame(p, p->row, last, p->frame);
            const double distance = arm_distance(p, p->row, last, goal);
            consider(&planned, eval_clips_error(by, made, aim), first + k, distance);
            consider(&best, eval_clips_error(by, p->frame, aim), first + k, distance);
            out[REACHABLE] = distance <= limit ? 1.0f : out[REACHABLE];
            out[ANY * MEASURES + REACHED] += distance <= limit ? 1.0f / (float)p->plans : 0.0f;
            out[ANY * MEASURES + DISTANCE] += (float)(distance / (double)p->plans);
        }
    }
    put_choice(PLANNED, limit, planned.distance, out);
    put_choice(TRUE_WORLD, limit, best.distance, out);
    out[CHOSEN] = (float)planned.plan;
    return HISS_OK;
}

/* ---- what is said ---- */

static void say(const planning *p, hiss_record *record, const double *mean, const double *deviation) {
    static const struct {
        const char *name, *heading;
        int way, measure;
    } numbers[] = {{"reached", "reached", PLANNED, REACHED},
                   {"reached_true_world", "by the true world", TRUE_WORLD, REACHED},
                   {"distance", "distance", PLANNED, DISTANCE},
                   {"distance_true_world", "by the true world", TRUE_WORLD, DISTANCE}};
    for (int k = 0; k < HISS_COUNT(numbers); k++) {
        const bool share = numbers[k].measure == REACHED;
        const int at = numbers[k].way * MEASURES + numbers[k].measure, any = ANY * MEASURES + numbers[k].measure;
        hiss_record_number(record, &(hiss_number){.name = numbers[k].name,
                                                  .group = "plans for a goal, carried out",
                                                  .heading = numbers[k].heading,
                                                  .unit = share ? "%" : "pixels",
                                                  .value = share ? 100.0 * mean[at] : mean[at],
                                                  .spread = share ? (double)NAN : deviation[at],
                                                  .baseline = numbers[k].way != PLANNED ? (double)NAN
                                                              : share                   ? 100.0 * mean[any]
                                                                                        : mean[any],
                                                  .samples = p->drawn.count});
    }
    eval_record_detail(record, "reachable", NULL, "%", HISS_FORM_FIXED, 100.0 * mean[REACHABLE]);
    eval_record_detail(record, "start_distance", NULL, "pixels", HISS_FORM_FIXED, mean[START_DISTANCE]);
    hiss_record_remark(
        record,
        "%lld test clips, whose last frame is the goal; of %lld sequences of actions of other clips the one is "
        "chosen whose last made frame is nearest to it in squared error, or, by the true world, whose last true "
        "frame is",
        (long long)p->drawn.count, (long long)p->plans);
    hiss_record_remark(
        record,
        "reached: the arm ends within %.1f pixels of its place in the goal; for %.1f %% of the goals one of the "
        "sequences does",
        reach * (double)p->by->H, 100.0 * mean[REACHABLE]);
}

/* An eval_clip_judge: pixels [ROWS, frames, H, W, C]. */
static hiss_status draw_clip(void *user, int64_t i, const hiss_batch *batch, float *pixels, hiss_error *err) {
    planning *p = user;
    const hiss_forecaster *by = p->by;
    const int64_t frames = frames_of(p), size = size_of(p), plan = (int64_t)p->all[i * WIDTH + CHOSEN];
    float *done = pixels + ROW_DONE * frames * size;
    const hiss_status s = by->clip(by->user, 1, batch, &p->goal, err);
    if (s != HISS_OK) {
        return s;
    }
    for (int64_t k = 0; k < HISS_ACTED; k++) { /* where it stood when it was chosen: futures that are drawn differ */
        plan_of(p, i, plan / HISS_ACTED * HISS_ACTED + k, p->given + k * frames * by->actions);
    }
    by->futures(by->user, 0, 1, batch, p->given, p->made);
    hiss_dataset_act(p->drawn.set, batch->sample[0], by->given - 1, p->given + plan % HISS_ACTED * frames * by->actions,
                     p->row);
    eval_clips_put(by, p->goal, p->goal + by->given * size, pixels + ROW_GOAL * frames * size);
    eval_clips_put(by, p->goal, p->made + plan % HISS_ACTED * by->foretold * size,
                   pixels + ROW_THOUGHT * frames * size);
    for (int64_t t = 0; t < frames; t++) {
        read_frame(p, p->row, t, done + t * size);
    }
    return HISS_OK;
}

static hiss_status draw(planning *p, const char *directory, hiss_error *err) {
    const int64_t clips = p->drawn.count < SHOWN ? p->drawn.count : SHOWN, floats = ROWS * frames_of(p) * size_of(p);
    float *pixels = hiss_new(float, clips *floats);
    const eval_clips shown = {
        .drawn = &p->drawn, .batch = p->by->batch, .width = floats, .judge = draw_clip, .user = p};
    hiss_status s = eval_clips_judge_first(&shown, clips, pixels, err);
    s = s == HISS_OK
            ? eval_clips_write(p->by, directory, "planning", clips, ROWS, 1u << ROW_GOAL | 1u << ROW_DONE, pixels, err)
            : s;
    hiss_free(pixels);
    return s;
}

/* Rank 0 draws. Collective. */
static hiss_status show(planning *p, const hiss_eval_env *env, const char *directory, hiss_record *record,
                        hiss_error *err) {
    static const char caption[] = "Of each test clip: as it is, its last frame being the goal; the chosen actions as "
                                  "the method foretells them, with a red "
                                  "border; and what happens when they are carried out.";
    const hiss_status s = hiss_comm_rank(env->comm) == 0 ? draw(p, directory, err) : HISS_OK;
    hiss_record_picture(record, "planning.png", "Plans", caption);
    hiss_record_picture(record, "planning-strips.png", "Plans, frame by frame", caption);
    return hiss_comm_agree(env->comm, s, err);
}

/* ---- the judgement ---- */

/* Why there is nothing to plan in; NULL: there is. */
static const char *missing(const planning *p, const hiss_sample_range *queries, int64_t clips) {
    if (queries->count < 2 || clips < 2) {
        return "it needs two test clips (eval.future_clips): plans of one are actions of the others";
    }
    return hiss_dataset_acts(queries->set) && p->place
               ? NULL
               : "it needs test clips of a generator whose worlds go on by given actions, such as push (eval.generate)";
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_forecaster *by = subject->actor;
    const hiss_dataset *set = subject->queries->set;
    planning p = {.by = by, .clip = hiss_dataset_field(set, "clip"), .place = eval_clips_place(by, set)};
    const char *why = missing(&p, subject->queries, options->future_clips);
    if (why) {
        hiss_record_leave_out(record, why);
        return HISS_OK;
    }
    p.drawn = eval_draw_samples(env->seed, subject->queries, options->future_clips);
    const int64_t size = size_of(&p), row = frames_of(&p) * by->actions, others = p.drawn.count - 1;
    p.plans = others < options->plans ? others : options->plans;
    double mean[WIDTH], deviation[WIDTH];
    p.all = hiss_new(float, p.drawn.count *WIDTH);
    p.action = hiss_new(float, p.drawn.count *row);
    p.given = hiss_new(float, HISS_ACTED *row);
    p.made = hiss_new(float, HISS_ACTED * by->foretold * size);
    p.goal = hiss_new(float, frames_of(&p) * size);
    p.frame = hiss_new(float, size);
    p.row = hiss_new(uint8_t, hiss_dataset_row(set));
    const eval_clips clips = {env, subject->name, "plans", &p.drawn, by->batch, WIDTH, judge_clip, &p};
    hiss_status s = hiss_comm_agree(env->comm, eval_clips_actions(by, &p.drawn, p.action, err), err);
    s = s == HISS_OK ? eval_clips_judge(&clips, p.all, err) : s;
    if (s == HISS_OK) {
        eval_clips_moments(p.drawn.count, WIDTH, p.all, mean, deviation);
        say(&p, record, mean, deviation);
    }
    if (s == HISS_OK && subject->directory) {
        s = show(&p, env, subject->directory, record, err);
    }
    hiss_free(p.action);
    hiss_free(p.given);
    hiss_free(p.made);
    hiss_free(p.goal);
    hiss_free(p.frame);
    hiss_free(p.row);
    hiss_free(p.all);
    hiss_free(p.drawn.index);
    return s;
}

const hiss_judgement eval_judgement_planning = {
    .name = "planning",
    .title = "Planning",
    .baseline = "a sequence drawn at random",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_ACTOR,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
