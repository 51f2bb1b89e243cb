/* Private to train: what traces of several ranks become. Not collective. */
#ifndef HISS_TRAIN_TRACE_IMPL_H
#define HISS_TRAIN_TRACE_IMPL_H

#include <stdio.h>

#include "hiss/trace.h"

typedef struct traced_rank { /* of one rank, in the time of rank 0's clock */
    int rank, threads;       /* threads: rows 0 .. threads-1 run lanes, the first of them is the main thread */
    char host[64];
    hiss_trace_record record;
    double offset[2], error[2]; /* of its clock at the beginning and the end, in seconds */
} traced_rank;

/* The file: begin, each rank, end. origin: the time that is 0 in it; not later than any span. */
typedef struct traced_whole {
    int ranks;
    int64_t first, last; /* steps that were asked for */
    int64_t dropped;
    double error; /* of clocks, the largest */
    double origin;
} traced_whole;
void train_trace_file_begin(FILE *out, const traced_whole *whole);
void train_trace_file_rank(FILE *out, const traced_rank *r, double origin);
void train_trace_file_end(FILE *out);
/* Whether the file at path begins as train_trace_file_begin begins it. */
bool train_trace_file_is_one(const char *path);

/* What the trace says, out of the ranks, each once. */
typedef struct account account;
/*   lane_offsets  [ranks + 1] */
account *train_trace_account_create(int ranks, const int64_t *lane_offsets);
void train_trace_account_add(account *a, const traced_rank *r);
/* Lines for people. What it compares are the steps that all ranks have whole. */
void train_trace_account_print(account *a, FILE *out, const traced_whole *whole);
/* The share of the time that reductions spanned in which the rank did not wait for them: medians over steps, of them
 * the median over ranks, as hiss bench step has it. NaN: nothing was in flight. After _print. */
double train_trace_account_hidden(const account *a);
void train_trace_account_destroy(account *a);

#endif
