/* One more entry for each register; none of them does anything. tests/cli/lists.sh puts them into the lists. */
#include "assign/lap_impl.h"
#include "hiss/judge.h"
#include "hiss/kernels.h"
#include "hiss/objective.h"
#include "nn/optim/optim_impl.h"

typedef struct fake_options {
    int64_t fake;
} fake_options;

static const hiss_row rows[] = {{"fake_key", HISS_INT, offsetof(fake_options, fake), "1", 0, 0, NULL, "of a fake"}};
static const int nrows = 1;
static const char *const keys[] = {NULL};

const hiss_objective_ops objective_fake = {.name = "fake",
                                           .summary = "nothing",
                                           .options_bytes = sizeof(fake_options),
                                           .sections = {{"fake_section", rows, &nrows, 0}}};
const hiss_lap_solver assign_fake = {.name = "fake"};
const nn_optim_ops nn_optim_fake = {.name = "fake", .summary = "nothing", .keys = keys};

static const hiss_row judgement_rows[] = {{"fake_judgement", HISS_BOOL, 0, "true", 0, 0, NULL, "of a fake"}};
const hiss_judgement eval_judgement_fake = {.name = "fake", .rows = judgement_rows, .nrows = 1};

const hiss_kernels *hiss_kernels_fake(void);
const hiss_kernels *hiss_kernels_fake(void) {
    static const hiss_kernels table = {.name = "fake"};
    return &table;
}
