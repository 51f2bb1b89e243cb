/* Linear assignment: the checks that solvers share, and the certificate.
 *
 * The certificate is weak duality: whenever score[i,j] <= u[i] + v[j] for all i, j, every assignment totals at most
 * sum u + sum v, so an assignment that reaches the bound is optimal whoever found it. O(n^2). */
#include "lap_impl.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_N = 32768, ALIGNMENT = 64 };

void *assign_slice(assign_slicer *slicer, int64_t count, size_t size) {
    char *slice = slicer->base ? slicer->base + slicer->used : NULL;
    slicer->used += (count * (int64_t)size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return slice;
}

hiss_status assign_check_shape(const hiss_lap *lap, hiss_error *err) {
    if (lap->n < 1 || lap->n > MAX_N) {
        return hiss_fail(err, HISS_EUSER,
                         "assignment of %lld rows: expected 1 to %d; choose a smaller assignment block",
                         (long long)lap->n, MAX_N);
    }
    assert(lap->ld >= lap->n);
    return HISS_OK;
}

double assign_total(const hiss_lap *lap, const int32_t *column_of_row) {
    double total = 0;
    for (int64_t i = 0; i < lap->n; i++) {
        total += (double)hiss_lap_row(lap, i)[column_of_row[i]];
    }
    return total;
}

static double size_of(const hiss_lap *lap, const int32_t *column_of_row) {
    double size = 0;
    for (int64_t i = 0; i < lap->n; i++) {
        size += fabs((double)hiss_lap_row(lap, i)[column_of_row[i]]);
    }
    return size;
}

double hiss_lap_scale(double total, double size) {
    const double least = 1.0 / 8;
    return fmax(fabs(total), least * size);
}

double hiss_lap_share(double gap, double total, double size) {
    const double scale = hiss_lap_scale(total, size);
    if (isnan(gap) || isnan(total) || isnan(size)) {
        return NAN;
    }
    return gap <= 0 ? 0 : gap >= scale ? 1 : gap / scale;
}

void assign_accept(const hiss_lap *lap, const int32_t *candidate, int32_t *column_of_row, hiss_lap_report *report) {
    report->before = assign_total(lap, column_of_row);
    report->total = assign_total(lap, candidate);
    if (report->total > report->before) {
        memcpy(column_of_row, candidate, (size_t)lap->n * sizeof *column_of_row);
    } else {
        report->total = report->before;
    }
    report->size = size_of(lap, column_of_row);
}

/* Quadratic, so that it needs no memory; the duals take as long. */
static bool is_permutation(int64_t n, const int32_t *column_of_row) {
    for (int64_t i = 0; i < n; i++) {
        int repeats = column_of_row[i] < 0 || column_of_row[i] >= n;
        for (int64_t k = 0; k < i; k++) {
            repeats |= column_of_row[k] == column_of_row[i];
        }
        if (repeats) {
            return false;
        }
    }
    return true;
}

hiss_lap_certificate hiss_lap_certify(const hiss_lap *lap, const int32_t *column_of_row, const double *row_dual,
                                      const double *column_dual) {
    hiss_lap_certificate certificate = {.worst_violation = -INFINITY};
    certificate.is_permutation = is_permutation(lap->n, column_of_row);
    certificate.total = certificate.is_permutation ? assign_total(lap, column_of_row) : NAN;
    certificate.size = certificate.is_permutation ? size_of(lap, column_of_row) : NAN;
    for (int64_t i = 0; i < lap->n; i++) {
        const float *score = hiss_lap_row(lap, i);
        for (int64_t j = 0; j < lap->n; j++) {
            double violation = (double)score[j] - row_dual[i] - column_dual[j];
            if (violation > certificate.worst_violation) {
                certificate.worst_violation = violation;
            }
        }
        certificate.dual += row_dual[i] + column_dual[i];
    }
    certificate.gap = certificate.dual - certificate.total;
    return certificate;
}
