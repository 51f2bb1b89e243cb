/* Judgements actions, planning and spread, of a method that knows the true world, of one that is deaf to actions, and of one that takes them
 * the other way round. The same on every rank. */
#include <math.h>
#include <string.h>

#include "hiss/generate.h"
#include "hiss/judge.h"
#include "hiss/log.h"
#include "mpi_test.h"

enum { SIDE = 32, SIZE = SIDE * SIDE * 3, GIVEN = 2, FORETOLD = 4, FRAMES = GIVEN + FORETOLD, A = 2, CLIPS = 24 };

typedef struct world { /* of clips, and what is made of actions in it */
    hiss_comm *comm;
    hiss_config *config;
    void *options;
    hiss_dataset *set;
    uint8_t *row;
    float hears; /* 1: what is true; 0: nothing; -1: the opposite */
    float apart; /* pixels a frame by which futures differ, to the right, when no actions are given */
} world;

static world open_world(hiss_comm *comm, float hears) {
    static const char text[] = "generate: {rows: 24, size: 32, frames: 7, speed: 3, blocks: 1}";
    const hiss_generator *g = hiss_generator_named("push");
    world w = {.comm = comm, .options = hiss_alloc(g->options_bytes), .hears = hears};
    hiss_error err;
    CHECK(hiss_config_parse("test", text, &w.config, &err) == HISS_OK);
    CHECK(hiss_config_section(w.config, "generate", g->rows, g->nrows, w.options, &err) == HISS_OK);
    CHECK(hiss_dataset_generate(g, w.options, false, &w.set, &err) == HISS_OK);
    w.row = hiss_alloc((size_t)hiss_dataset_row(w.set));
    return w;
}

static void close_world(world *w) {
    hiss_dataset_close(w->set);
    hiss_config_destroy(w->config);
    hiss_free(w->options);
    hiss_free(w->row);
}

static void frames_of(const world *w, const uint8_t *row, int64_t from, int64_t to, float *out) {
    const uint8_t *pixel = row + hiss_dataset_field(w->set, "clip")->offset;
    for (int64_t k = from * SIZE; k < to * SIZE; k++) {
        *out++ = (float)pixel[k] * (1.0f / 255.0f);
    }
}

static hiss_status clip(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    hiss_comm *comm = ((const world *)user)->comm;
    (void)err;
    CHECK(count == 1);
    frames_of(user, batch->row[0], 0, FRAMES, out[0]);
    return HISS_OK;
}

static void futures(void *user, int64_t first, int64_t count, const hiss_batch *batch, const float *actions,
                    float *out) {
    world *w = user;
    hiss_comm *comm = w->comm;
    CHECK(first == 0);
    CHECK(count == 1);
    for (int k = 0; k < HISS_ACTED; k++) {
        const float *own = hiss_batch_values(batch, 0, hiss_dataset_field(w->set, "action"));
        float heard[FRAMES * A];
        for (int i = 0; i < FRAMES * A; i++) {
            heard[i] = w->hears * (actions ? actions[k * FRAMES * A + i] : own[i]);
            heard[i] += actions || i % A ? 0.0f : w->apart * (float)(k - HISS_ACTED / 2);
        }
        hiss_dataset_act(w->set, batch->sample[0], GIVEN - 1, heard, w->row);
        frames_of(w, w->row, GIVEN, FRAMES, out + k * FORETOLD * SIZE);
    }
}

static hiss_evaluation *judge(world *w) {
    hiss_comm *comm = w->comm;
    hiss_error err;
    hiss_model *model = hiss_model_create();
    const hiss_eval_env env = {.comm = comm, .seed = 5};
    const hiss_eval_options options = {
        .actions = true, .planning = true, .spread = true, .future_clips = CLIPS, .plans = 20};
    const hiss_forecaster actor = {.clip = clip,
                                   .futures = futures,
                                   .user = w,
                                   .H = SIDE,
                                   .W = SIDE,
                                   .C = 3,
                                   .given = GIVEN,
                                   .foretold = FORETOLD,
                                   .batch = 1,
                                   .actions = A,
                                   .made = HISS_ACTED};
    const hiss_sample_range all = {.set = w->set, .count = CLIPS};
    const hiss_subject subject = {
        .name = "trained", .model = model, .queries = &all, .bank = &all, .forecaster = &actor, .actor = &actor};
    hiss_evaluation *e = hiss_evaluation_create("");
    CHECK(hiss_evaluation_judge(e, &env, &options, &subject, &err) == HISS_OK);
    hiss_model_destroy(model);
    return e;
}

static double of(hiss_comm *comm, const hiss_evaluation *e, const char *judgement, const char *number) {
    const double value = hiss_evaluation_value(e, "trained", judgement, number);
    CHECK(isfinite(value));
    return value;
}

static double at_random(hiss_comm *comm, const hiss_evaluation *e, const char *number) {
    hiss_number n;
    CHECK(hiss_evaluation_number(e, "trained", "planning", number, &n));
    return n.baseline;
}

/* It foretells without error, and plans as well as the world itself, better than chance. */
static void check_the_true_world(hiss_comm *comm) {
    world w = open_world(comm, 1.0f);
    hiss_evaluation *e = judge(&w);
    CHECK(of(comm, e, "actions", "mse.true") == 0.0);
    CHECK(of(comm, e, "actions", "mse.shuffled") > 1e-4 && of(comm, e, "actions", "mse.none") > 1e-4);
    CHECK(of(comm, e, "actions", "better") == 100.0);
    CHECK(of(comm, e, "planning", "reached") == of(comm, e, "planning", "reached_true_world"));
    CHECK(of(comm, e, "planning", "distance") == of(comm, e, "planning", "distance_true_world"));
    CHECK(of(comm, e, "planning", "reached") > 2.0 * at_random(comm, e, "reached"));
    CHECK(of(comm, e, "planning", "reached") <= of(comm, e, "planning", "reachable"));
    CHECK(of(comm, e, "planning", "distance") < 0.7 * at_random(comm, e, "distance"));
    hiss_evaluation_destroy(e);
    close_world(&w);
}

/* All actions are one to it: the first plan is as near as any other. */
static void check_one_that_is_deaf(hiss_comm *comm) {
    world w = open_world(comm, 0.0f);
    hiss_evaluation *e = judge(&w);
    CHECK(of(comm, e, "actions", "mse.true") == of(comm, e, "actions", "mse.shuffled"));
    CHECK(of(comm, e, "actions", "mse.true") == of(comm, e, "actions", "mse.none") &&
          of(comm, e, "actions", "mse.true") > 1e-4);
    CHECK(of(comm, e, "actions", "better") == 0.0);
    CHECK(of(comm, e, "planning", "distance") > 0.7 * at_random(comm, e, "distance"));
    CHECK(of(comm, e, "planning", "distance_true_world") < 0.7 * at_random(comm, e, "distance"));
    hiss_evaluation_destroy(e);
    close_world(&w);
}

static void check_one_that_goes_the_other_way(hiss_comm *comm) {
    world w = open_world(comm, -1.0f);
    hiss_evaluation *e = judge(&w);
    CHECK(of(comm, e, "actions", "mse.true") > of(comm, e, "actions", "mse.none"));
    CHECK(of(comm, e, "planning", "distance") > at_random(comm, e, "distance"));
    hiss_evaluation_destroy(e);
    close_world(&w);
}

/* One future, which is true; futures of which the middle one is, as far apart as they are; arms that do not move. */
static void check_spread(hiss_comm *comm) {
    world w = open_world(comm, 1.0f);
    hiss_evaluation *e = judge(&w);
    CHECK(of(comm, e, "spread", "seen") == 100.0);
    CHECK(of(comm, e, "spread", "spread") < 1e-3 && of(comm, e, "spread", "miss") < 0.4);
    CHECK(of(comm, e, "spread", "nearest") < 0.4);
    CHECK(of(comm, e, "spread", "change.made") == of(comm, e, "spread", "change.true"));
    CHECK(of(comm, e, "spread", "still.true") < 0.01 * of(comm, e, "spread", "change.true"));
    hiss_evaluation_destroy(e);
    w.apart = 0.5f;
    e = judge(&w);
    CHECK(of(comm, e, "spread", "spread") > 2.0 && of(comm, e, "spread", "spread") < 0.5 * 2.6 * (FORETOLD + 1));
    CHECK(of(comm, e, "spread", "nearest") < 0.4 && of(comm, e, "spread", "miss") > 0.4);
    CHECK(of(comm, e, "spread", "still.made") < 0.01 * of(comm, e, "spread", "change.made"));
    hiss_evaluation_destroy(e);
    close_world(&w);
    w = open_world(comm, 0.0f);
    e = judge(&w);
    hiss_number n;
    CHECK(hiss_evaluation_number(e, "trained", "spread", "miss", &n));
    CHECK(fabs(n.value - n.baseline) < 0.4 && n.baseline > 1.0);
    CHECK(of(comm, e, "spread", "change.made") == 0.0);
    hiss_evaluation_destroy(e);
    close_world(&w);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_log_setup(HISS_LOG_WARNING, hiss_comm_rank(comm));
    check_the_true_world(comm);
    check_one_that_is_deaf(comm);
    check_one_that_goes_the_other_way(comm);
    check_spread(comm);
    return finish_test(comm);
}
