/* Section eval of a config, for test programs that read the configs of runs. */
#ifndef HISS_TESTS_EVAL_SECTIONS_H
#define HISS_TESTS_EVAL_SECTIONS_H

#include <assert.h>

#include "hiss/experiment.h"
#include "hiss/judge.h"

enum { MOST_SECTIONS = 32 };

/* The general keys, then those of each judgement; returns how many sections. */
static inline int eval_sections(hiss_eval_options *eval, hiss_extra_section out[MOST_SECTIONS]) {
    int count = 0;
    out[count++] = (hiss_extra_section){"eval", hiss_eval_rows, hiss_eval_nrows, eval};
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        assert(count < MOST_SECTIONS);
        out[count++] = (hiss_extra_section){"eval", (*j)->rows, (*j)->nrows, eval};
    }
    return count;
}

#endif
