/* Shortest augmenting paths over lists of columns; see search.c. Private to src/assign. */
#ifndef HISS_SPARSE_IMPL_H
#define HISS_SPARSE_IMPL_H

#include <stdbool.h>

#include "lap_impl.h"

typedef struct assign_sparse_edge {
    int32_t column;
    float score;
    float bound; /* neither this nor any later edge of the row has a higher profit, under any prices to come */
} assign_sparse_edge;

typedef struct assign_sparse_search {
    int64_t n, k;
    const hiss_lap *dense;     /* all scores: lists are renewed when they no longer do; NULL: lists are all there is */
    assign_sparse_edge *edges; /* [n, k] */
    double *price;             /* [n] not owned; never falls */
    double largest;            /* |price| has not been higher */
    bool fine;                 /* lists are selected by differences taken in double */
    double *limit;             /* [n] no column beyond the row's list has a higher profit, under any prices to come */
    double *held;              /* [n] score of the row with its column */
    int32_t *row_of;           /* [n] the matching by column, -1 where there is none */
    int32_t *column_of;        /* [n] the matching by row, alike */
    int32_t *waiting;          /* [nwaiting] free rows */
    /* Dijkstra's nodes: column j is node j, what lies beyond the list of row i is node n + i. */
    double *distance;     /* [2 n] +inf where not reached */
    int32_t *came_from;   /* [n] the row before the column on its shortest path */
    double *came_score;   /* [n] that row's score with the column */
    int32_t *heap;        /* [nheap] nodes, the nearest on top */
    int32_t *place;       /* [2 n] of a node in the heap, or where it is else */
    int32_t *reached;     /* [nreached] nodes */
    int32_t *list_column; /* [k] of a row that gets a new list */
    float *list_score;    /* [k] */
    void *selection;      /* work of hiss_lap_select */
    int64_t nwaiting, nheap, nreached, scans;
    int64_t beyond; /* rows of which Dijkstra looked at all columns */
} assign_sparse_search;

/* Cut work for n rows of k entries; returns the bytes. */
int64_t assign_sparse_lay_out(assign_sparse_search *s, int64_t n, int64_t k, bool dense, void *work);
/* No lists, all rows free, none waiting. */
void assign_sparse_begin(assign_sparse_search *s, double *price, const hiss_lap *dense);
/* Set a row's list: entries [k], or the best columns of all under the current prices. */
void assign_sparse_set_list(assign_sparse_search *s, int64_t row, const int32_t *column, const float *score);
void assign_sparse_renew_list(assign_sparse_search *s, int64_t row);
/* Match a free row with a free column. */
void assign_sparse_match(assign_sparse_search *s, int64_t row, int32_t column, double score);
/* Make a perfect matching, in which no row waits yet, optimal. Returns false when lists of a dense problem are too
 * short to be of use: prices are then near the optimal ones, the matching is not complete. */
bool assign_sparse_optimize(assign_sparse_search *s);
/* The row's highest profit. */
double assign_sparse_profit(assign_sparse_search *s, int64_t row);

#endif
