/* Laws of scaling, fitted.
 *
 * Each law is linear in some coefficients x >= 0 of what it states about p workers:
 *
 *   Amdahl (AFIPS 1967)           T(p)   = x0 + x1 / p                            T1 = x0 + x1,  s = x0 / T1
 *   Gustafson (CACM 31, 1988)     X(p)   = x0 + x1 p                              X1 = x0 + x1,  s = x0 / X1
 *   Gunther's universal law       p/X(p) = x0 + x1 (p - 1) + x2 p (p - 1)         X1 = 1 / x0,  sigma = x1 / x0,
 *   ("Guerrilla Capacity Planning", 2007)                                         kappa = x2 / x0
 *   messages                      T(p)   = x0 / p + x1 (p - 1) + x2 (p - 1) / p   c, a, b
 *
 * where T is seconds of a step, X images per second. The last one is how this program communicates: a rank computes its
 * share of the lanes (all of its own under weak scaling: x0 alone), exchanges a piece with every other rank, so that
 * the fixed cost of a message counts p - 1 times (the reduction is direct, not a tree, hence no log p), and moves (p -
 * 1) / p of the gradient, whatever p is.
 *
 * So one solver serves all: least squares of relative errors with non-negative coefficients. With at most three
 * coefficients the seven sets of those that are not zero are tried one by one, each by its normal equations, and the
 * best feasible one is the optimum (Lawson and Hanson, "Solving Least Squares Problems", chapter 23, by enumeration).
 *
 * The error of a fit is that of predictions: every point is left out once, the law is fitted to the others, and the
 * left-out step time predicted. */
#include <math.h>
#include <string.h>

#include "scale/scale_impl.h"

enum { K = HISS_LAW_MOST };

typedef struct law {
    const char *name, *formula, *weak_formula;
    int parameters;
    const char *parameter[K];
    bool strong, weak; /* kinds it speaks of */
} law;

static const law laws[HISS_LAWS] = {
    {"Amdahl", "T(p) = T1 (s + (1 - s) / p)", "", 2, {"T1", "s"}, true, false},
    {"Gustafson", "", "X(p) = X1 (s + (1 - s) p)", 2, {"X1", "s"}, false, true},
    {"USL",
     "X(p) = X1 p / (1 + sigma (p - 1) + kappa p (p - 1))",
     "X(p) = X1 p / (1 + sigma (p - 1) + kappa p (p - 1))",
     3,
     {"X1", "sigma", "kappa"},
     true,
     true},
    {"messages",
     "T(p) = c / p + a (p - 1) + b (p - 1) / p",
     "T(p) = c + a (p - 1) + b (p - 1) / p",
     3,
     {"c", "a", "b"},
     true,
     true},
};

const char *hiss_law_name(hiss_law l) {
    return laws[l].name;
}

const char *hiss_law_formula(hiss_law l, bool weak) {
    return weak ? laws[l].weak_formula : laws[l].formula;
}

int hiss_law_parameters(hiss_law l) {
    return laws[l].parameters;
}

const char *hiss_law_parameter(hiss_law l, int k) {
    return laws[l].parameter[k];
}

/* ---- least squares ---- */

/* Solve the n x n system a x = b by elimination with pivots; false when it is singular. */
static bool solve(int n, double a[K][K], double b[K], double x[K]) {
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c + 1; r < n; r++) {
            pivot = fabs(a[r][c]) > fabs(a[pivot][c]) ? r : pivot;
        }
        if (!(fabs(a[pivot][c]) > 1e-13)) { /* the matrix has ones on its diagonal */
            return false;
        }
        for (int k = 0; k < n; k++) {
            const double t = a[c][k];
            a[c][k] = a[pivot][k];
            a[pivot][k] = t;
        }
        const double t = b[c];
        b[c] = b[pivot];
        b[pivot] = t;
        for (int r = c + 1; r < n; r++) {
            const double f = a[r][c] / a[c][c];
            for (int k = c; k < n; k++) {
                a[r][k] -= f * a[c][k];
            }
            b[r] -= f * b[c];
        }
    }
    for (int r = n - 1; r >= 0; r--) {
        x[r] = b[r];
        for (int k = r + 1; k < n; k++) {
            x[r] -= a[r][k] * x[k];
        }
        x[r] /= a[r][r];
    }
    return true;
}

/* Least squares of 1 - rows x over the columns in set; others are zero. rows are divided by what they should give. */
static bool solve_set(int n, double (*rows)[K], int columns, unsigned set, double x[K]) {
    int column[K], used = 0;
    double a[K][K] = {{0}}, b[K] = {0}, scale[K], y[K];
    for (int k = 0; k < columns; k++) {
        x[k] = 0;
        if (set >> k & 1u) {
            column[used++] = k;
        }
    }
    for (int i = 0; i < used; i++) {
        scale[i] = 0;
        for (int r = 0; r < n; r++) {
            scale[i] += rows[r][column[i]] * rows[r][column[i]];
        }
        scale[i] = sqrt(scale[i]);
        if (!(scale[i] > 0)) {
            return false;
        }
    }
    for (int i = 0; i < used; i++) {
        for (int r = 0; r < n; r++) {
            const double value = rows[r][column[i]] / scale[i];
            b[i] += value;
            for (int j = 0; j < used; j++) {
                a[i][j] += value * rows[r][column[j]] / scale[j];
            }
        }
    }
    if (!solve(used, a, b, y)) {
        return false;
    }
    for (int i = 0; i < used; i++) {
        x[column[i]] = y[i] / scale[i];
    }
    return true;
}

static bool solve_nonnegative(int n, double (*rows)[K], int columns, double x[K]) {
    double best = INFINITY;
    for (unsigned set = 1; set < 1u << columns; set++) {
        double y[K] = {0}, error = 0;
        bool feasible = solve_set(n, rows, columns, set, y);
        for (int k = 0; k < columns; k++) {
            feasible = feasible && y[k] >= 0;
        }
        for (int r = 0; r < n && feasible; r++) {
            double miss = 1;
            for (int k = 0; k < columns; k++) {
                miss -= rows[r][k] * y[k];
            }
            error += miss * miss;
        }
        if (feasible && error < best) {
            best = error;
            memcpy(x, y, sizeof y);
        }
    }
    return isfinite(best);
}

/* ---- laws ---- */

static void make_row(hiss_law l, bool weak, double p, double seconds, double images, double row[K]) {
    const double rate = images / seconds;
    double value = seconds;
    memset(row, 0, sizeof(double) * K);
    switch (l) {
    case HISS_LAW_AMDAHL:
        row[0] = 1;
        row[1] = 1 / p;
        break;
    case HISS_LAW_GUSTAFSON:
        row[0] = 1;
        row[1] = p;
        value = rate;
        break;
    case HISS_LAW_USL:
        row[0] = 1;
        row[1] = p - 1;
        row[2] = p * (p - 1);
        value = p / rate;
        break;
    case HISS_LAW_MESSAGES:
    case HISS_LAWS:
        row[0] = weak ? 1 : 1 / p;
        row[1] = p - 1;
        row[2] = (p - 1) / p;
        break;
    }
    for (int k = 0; k < K; k++) {
        row[k] /= value;
    }
}

static void name_parameters(hiss_fit *fit, const double x[K]) {
    const double total = x[0] + x[1];
    switch (fit->law) {
    case HISS_LAW_AMDAHL:
    case HISS_LAW_GUSTAFSON:
        fit->value[0] = total;
        fit->value[1] = x[0] / total;
        break;
    case HISS_LAW_USL:
        fit->value[0] = 1 / x[0];
        fit->value[1] = x[1] / x[0];
        fit->value[2] = x[2] / x[0];
        break;
    case HISS_LAW_MESSAGES:
    case HISS_LAWS:
        memcpy(fit->value, x, sizeof fit->value);
        break;
    }
}

double hiss_fit_seconds(const hiss_fit *fit, double p) {
    const double *v = fit->value, images = fit->work * (fit->weak ? p : 1);
    if (!fit->fitted) {
        return (double)NAN;
    }
    switch (fit->law) {
    case HISS_LAW_AMDAHL:
        return v[0] * (v[1] + (1 - v[1]) / p);
    case HISS_LAW_GUSTAFSON:
        return images / (v[0] * (v[1] + (1 - v[1]) * p));
    case HISS_LAW_USL:
        return images * (1 + v[1] * (p - 1) + v[2] * p * (p - 1)) / (v[0] * p);
    case HISS_LAW_MESSAGES:
    case HISS_LAWS:
        break;
    }
    return v[0] * (fit->weak ? 1 : 1 / p) + v[1] * (p - 1) + v[2] * (p - 1) / p;
}

/* Fit to all points but one (left -1: to all). */
static bool fit_without(hiss_fit *fit, int left, int n, const double *p, const double *seconds, const double *images) {
    double(*rows)[K] = hiss_alloc(sizeof *rows * (size_t)n), x[K] = {0};
    int used = 0;
    for (int i = 0; i < n; i++) {
        if (i != left) {
            make_row(fit->law, fit->weak, p[i], seconds[i], images[i], rows[used++]);
        }
    }
    fit->fitted = solve_nonnegative(used, rows, fit->parameters, x) && (fit->law != HISS_LAW_USL || x[0] > 0);
    hiss_free(rows);
    if (fit->fitted) {
        name_parameters(fit, x);
    }
    return fit->fitted;
}

static int count_different(int n, const double *p) {
    int different = 0;
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < i && p[j] != p[i]) {
            j++;
        }
        different += j == i;
    }
    return different;
}

hiss_fit hiss_fit_law(hiss_law l, bool weak, int n, const double *p, const double *seconds, const double *images) {
    hiss_fit fit = {.law = l, .weak = weak, .parameters = laws[l].parameters};
    const int different = count_different(n, p);
    if (weak ? !laws[l].weak : !laws[l].strong) {
        snprintf(fit.why, sizeof fit.why,
                 weak ? "speaks of a fixed amount of work: strong scaling only"
                      : "speaks of work that grows with p: weak scaling only");
        return fit;
    }
    if (different <= fit.parameters) {
        snprintf(fit.why, sizeof fit.why, "%d parameters need at least %d points of different p, there %s %d",
                 fit.parameters, fit.parameters + 1, different == 1 ? "is" : "are", different);
        return fit;
    }
    fit.work = images[0] / (weak ? p[0] : 1);
    for (int left = 0; left < n; left++) {
        hiss_fit other = fit;
        if (!fit_without(&other, left, n, p, seconds, images)) {
            snprintf(fit.why, sizeof fit.why, "without the point at p = %g the others do not determine it", p[left]);
            return fit;
        }
        const double error = fabs(hiss_fit_seconds(&other, p[left]) / seconds[left] - 1);
        fit.error_mean += error / n;
        fit.error_largest = fmax(fit.error_largest, error);
    }
    if (!fit_without(&fit, -1, n, p, seconds, images)) {
        snprintf(fit.why, sizeof fit.why, "the points do not determine it");
    }
    return fit;
}
