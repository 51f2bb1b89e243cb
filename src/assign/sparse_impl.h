/* The search of the sparse solver, for those who change lists between solves. Private to src/assign. */
#ifndef HISS_SPARSE_IMPL_H
#define HISS_SPARSE_IMPL_H

#include "lap_impl.h"

typedef struct hiss_sparse_edge {
    int32_t column;
    float score;
    float bound; /* neither this nor any later edge of the row has a higher profit, under any prices to come */
} hiss_sparse_edge;

typedef struct hiss_sparse_search {
    int64_t n, k;
    hiss_sparse_edge *edges; /* [n, k] */
    double *price;           /* [n] not owned; never falls */
    double *held;            /* [n] score of the row's matched edge */
    double *distance;        /* [n] of the columns that Dijkstra has reached, else +inf */
    int64_t *came_from;      /* [n] the edge before the column on its shortest path */
    int32_t *row_of;         /* [n] the matching by column, -1 where there is none */
    int32_t *column_of;      /* [n] the matching by row, alike */
    int32_t *waiting;        /* [nwaiting] free rows */
    int32_t *heap;           /* [nheap] columns, the nearest on top */
    int32_t *place;          /* [n] of a column in the heap; or where it is else */
    int32_t *reached;        /* [nreached] columns */
    int64_t nwaiting, nheap, nreached, scans;
} hiss_sparse_search;

/* Cut work for n rows of k entries; returns the bytes. */
int64_t hiss_sparse_lay_out(hiss_sparse_search *s, int64_t n, int64_t k, void *work);
/* No edges, all rows free, none waiting. */
void hiss_sparse_begin(hiss_sparse_search *s, double *price);
/* Replace a row's entries [k]; the row must be free. */
void hiss_sparse_set_row(hiss_sparse_search *s, int64_t row, const int32_t *column, const float *score);
/* Free a row, if it is matched, and let it wait. */
void hiss_sparse_release(hiss_sparse_search *s, int32_t row);
/* Match all waiting rows. There must be a perfect matching within the lists. */
void hiss_sparse_settle(hiss_sparse_search *s);
/* The row's highest profit. */
double hiss_sparse_profit(hiss_sparse_search *s, int64_t row);

#endif
