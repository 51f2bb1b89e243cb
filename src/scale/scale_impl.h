/* Shared inside src/scale only. */
#ifndef SCALE_IMPL_H
#define SCALE_IMPL_H

#include "hiss/scale.h"

enum { SCALE_PATH = 4096, SCALE_DRAWS = 1000 };

/* What hiss warned of in a log, each text once, in arena; returns how many. */
enum { MOST_WARNINGS = 16 };
int scale_find_warnings(const char *path, hiss_arena *arena, const char *out[MOST_WARNINGS]);

/* Steps between lines of metrics.jsonl. */
int64_t scale_study_window(const hiss_study *study);

const hiss_scale_run *scale_run_of(const hiss_results *results, int point, int64_t repeat);
/* "POINT-rREPEAT" into out. */
void scale_name_run(const hiss_results *results, const hiss_scale_run *run, char out[128]);
/* A sentence about points with more workers than processors, in arena; NULL: there are none. */
const char *scale_crowded_points(const hiss_results *results, hiss_arena *arena);
/* Fill counts and verdict. */
void scale_judge(hiss_results *results);
/* The point of a config with the fewest workers. */
int scale_smallest_point(const hiss_study *study, int config);
/* "p" of plots and laws: what grows, "ranks" or "ranks x threads". */
const char *scale_workers_name(const hiss_study *study);
/* The number on the axis: ranks when all points have as many threads, else ranks x threads. */
double scale_workers_of(const hiss_study *study, const hiss_scale_point *p);

#endif
