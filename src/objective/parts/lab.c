/* CIE L*a*b* of sRGB, exactly: the curve of sRGB (IEC 61966-2-1), the matrix of its primaries and of the white point
 * D65 (x 0.3127, y 0.3290), and with t = X/Xn, Y/Yn, Z/Zn (CIE 15)
 *     f(t) = cbrt(t) above (6/29)^3, else t / (3 (6/29)^2) + 4/29
 *     L = 116 f(Y) - 16,  a = 500 (f(X) - f(Y)),  b = 200 (f(Y) - f(Z)).
 * The matrix is that of the primaries in full, not the four digits that the standard prints, and the white point is the
 * sum of its columns, so that a grey pixel has a = b = 0.
 *
 * Bins of colour. Zhang, Isola & Efros ("Colorful image colorization", ECCV 2016, section 2.1) quantise a and b "with grid
 * size 10" and keep "the Q = 313 values which are in-gamut". Which they are depends on the rule: 229 points of the grid are
 * colours of sRGB themselves, 261 are the nearest point of some colour, and 313 are those at most 14 away from one. Here a
 * bin is kept if some colour of sRGB lies in it, which gives 261, and is found out, not written down. The set of colours in
 * the plane of a and b is the shadow of a solid, so the 8-bit colours on its surface suffice: of all 2^24 colours the same
 * bins come out.
 *
 * Cost: 60 ns a pixel of bytes, 20 ms for the bins. */
#include "objective/parts/lab.h"

#include <math.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 never contracts */
#endif

enum { LEVELS = 256 };
static const double xyz_of_rgb[3][3] = {{0.41239079926595934, 0.357584339383878, 0.1804807884018343},
                                        {0.21263900587151027, 0.715168678767756, 0.07219231536073371},
                                        {0.01933081871559182, 0.11919477979462598, 0.9505321522496607}};
static const double rgb_of_xyz[3][3] = {{3.2409699419045226, -1.537383177570094, -0.4986107602930034},
                                        {-0.9692436362808796, 1.8759675015077202, 0.04155505740717559},
                                        {0.05563007969699366, -0.20397695888897652, 1.0569715142428786}};

/* ---- one pixel ---- */

static double linear_of(double u) {
    return u <= 0.04045 ? u / 12.92 : pow((u + 0.055) / 1.055, 2.4);
}

static double curved_of(double v) {
    return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1.0 / 2.4) - 0.055;
}

static double f_of(double t) {
    const double d = 6.0 / 29.0;
    return t > d * d * d ? cbrt(t) : t / (3.0 * d * d) + 4.0 / 29.0;
}

static double t_of(double f) {
    const double d = 6.0 / 29.0;
    return f > d ? f * f * f : 3.0 * d * d * (f - 4.0 / 29.0);
}

static double white(int k) {
    return xyz_of_rgb[k][0] + xyz_of_rgb[k][1] + xyz_of_rgb[k][2];
}

static void lab_of_linear(const double v[3], double lab[3]) {
    double f[3];
    for (int k = 0; k < 3; k++) {
        f[k] = f_of((xyz_of_rgb[k][0] * v[0] + xyz_of_rgb[k][1] * v[1] + xyz_of_rgb[k][2] * v[2]) / white(k));
    }
    lab[0] = 116.0 * f[1] - 16.0;
    lab[1] = 500.0 * (f[0] - f[1]);
    lab[2] = 200.0 * (f[1] - f[2]);
}

/* ---- pixels ---- */

static void fill_levels(double level[LEVELS]) {
    for (int k = 0; k < LEVELS; k++) {
        level[k] = linear_of(k / 255.0);
    }
}

/* Most pixels are bytes that nothing has resampled. */
static double look_up(const double level[LEVELS], float u) {
    const double t = (double)u * 255.0, k = floor(t + 0.5);
    return fabs(t - k) < 1e-4 && k >= 0.0 && k < LEVELS ? level[(int)k] : linear_of((double)u);
}

void objective_lab_of_srgb(int64_t count, const float *rgb, float *lab) {
    double level[LEVELS];
    fill_levels(level);
    for (int64_t i = 0; i < count; i++) {
        double v[3], out[3];
        for (int k = 0; k < 3; k++) {
            v[k] = look_up(level, rgb[3 * i + k]);
        }
        lab_of_linear(v, out);
        for (int k = 0; k < 3; k++) {
            lab[3 * i + k] = (float)out[k];
        }
    }
}

void objective_lab_view(int64_t count, float *pixels) {
    objective_lab_of_srgb(count, pixels, pixels);
    for (int64_t k = 0; k < 3 * count; k++) {
        pixels[k] = (pixels[k] - (k % 3 == 0 ? 50.0f : 0.0f)) * 0.02f;
    }
}

/* A convolution that takes some channels as they are. */
hiss_value objective_lab_channels(hiss_builder *b, hiss_value image, int64_t first, int64_t count) {
    float w[3 * 3] = {0};
    for (int64_t c = 0; c < count; c++) {
        w[c * 3 + first + c] = 1.0f;
    }
    hiss_graph_scope(b->graph, "channels");
    const hiss_value one = hiss_graph_constant(b->graph, HISS_SHAPE(count, 1, 1, 3), w);
    return hiss_graph_conv2d(b->graph, image, one, -1, 1, 0);
}

void objective_srgb_of_lab(int64_t count, const float *lab, float *rgb) {
    for (int64_t i = 0; i < count; i++) {
        const double y = ((double)lab[3 * i] + 16.0) / 116.0;
        const double f[3] = {y + (double)lab[3 * i + 1] / 500.0, y, y - (double)lab[3 * i + 2] / 200.0};
        double xyz[3];
        for (int k = 0; k < 3; k++) {
            xyz[k] = t_of(f[k]) * white(k);
        }
        for (int k = 0; k < 3; k++) {
            const double *row = rgb_of_xyz[k];
            rgb[3 * i + k] = (float)curved_of(row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2]);
        }
    }
}

/* ---- bins ---- */

/* The grid's index of a coordinate. */
static int index_of(double coordinate) {
    const int k = (int)floor(coordinate / OBJECTIVE_AB_GRID + 0.5) + OBJECTIVE_AB_REACH;
    return k < 0 ? 0 : k >= OBJECTIVE_AB_SIDE ? OBJECTIVE_AB_SIDE - 1 : k;
}

static void mark(const double level[LEVELS], int axis, int end, int p, int q, objective_ab_bins *bins) {
    double v[3], lab[3];
    v[axis] = level[end];
    v[(axis + 1) % 3] = level[p];
    v[(axis + 2) % 3] = level[q];
    lab_of_linear(v, lab);
    bins->at[index_of(lab[1])][index_of(lab[2])] = 0;
}

void objective_ab_bins_make(objective_ab_bins *bins) {
    double level[LEVELS];
    fill_levels(level);
    bins->count = 0;
    memset(bins->at, -1, sizeof bins->at);
    for (int face = 0; face < 6; face++) {
        for (int k = 0; k < LEVELS * LEVELS; k++) {
            mark(level, face / 2, face % 2 ? LEVELS - 1 : 0, k / LEVELS, k % LEVELS, bins);
        }
    }
    for (int a = 0; a < OBJECTIVE_AB_SIDE; a++) {
        for (int b = 0; b < OBJECTIVE_AB_SIDE; b++) {
            if (bins->at[a][b] >= 0) {
                bins->center[bins->count][0] = (float)(OBJECTIVE_AB_GRID * (a - OBJECTIVE_AB_REACH));
                bins->center[bins->count][1] = (float)(OBJECTIVE_AB_GRID * (b - OBJECTIVE_AB_REACH));
                bins->at[a][b] = (int16_t)bins->count++;
            }
        }
    }
}

typedef struct near { /* bins, the nearest first */
    int64_t wanted, count;
    int64_t bin[OBJECTIVE_AB_NEIGHBORS];
    double square[OBJECTIVE_AB_NEIGHBORS]; /* of the distance */
} near;

static void offer(const objective_ab_bins *bins, int64_t bin, float a, float b, near *n) {
    const double da = (double)a - (double)bins->center[bin][0], db = (double)b - (double)bins->center[bin][1];
    const double square = da * da + db * db;
    int64_t k = n->count;
    if (k == n->wanted && square >= n->square[k - 1]) {
        return;
    }
    k = k < n->wanted ? n->count++ : k - 1;
    for (; k > 0 && n->square[k - 1] > square; k--) {
        n->square[k] = n->square[k - 1];
        n->bin[k] = n->bin[k - 1];
    }
    n->square[k] = square;
    n->bin[k] = bin;
}

/* Bins up to REACH grid points away, which are the nearest if the last of them is closer than any beyond; else all. */
static void find_near(const objective_ab_bins *bins, int64_t wanted, float a, float b, near *n) {
    enum { REACH = 3 };
    const double beyond = (REACH + 0.5) * OBJECTIVE_AB_GRID;
    const int ia = index_of((double)a), ib = index_of((double)b);
    *n = (near){.wanted = wanted < bins->count ? wanted : bins->count};
    for (int i = ia > REACH ? ia - REACH : 0; i <= ia + REACH && i < OBJECTIVE_AB_SIDE; i++) {
        for (int j = ib > REACH ? ib - REACH : 0; j <= ib + REACH && j < OBJECTIVE_AB_SIDE; j++) {
            if (bins->at[i][j] >= 0) {
                offer(bins, bins->at[i][j], a, b, n);
            }
        }
    }
    if (n->count == n->wanted && n->square[n->count - 1] < beyond * beyond) {
        return;
    }
    n->count = 0;
    for (int64_t bin = 0; bin < bins->count; bin++) {
        offer(bins, bin, a, b, n);
    }
}

int64_t objective_ab_nearest(const objective_ab_bins *bins, float a, float b) {
    near n;
    find_near(bins, 1, a, b, &n);
    return n.bin[0];
}

int64_t objective_ab_encode(const objective_ab_bins *bins, int64_t neighbors, double sigma, float a, float b,
                            float *target) {
    near n;
    double share[OBJECTIVE_AB_NEIGHBORS], sum = 0.0;
    find_near(bins, neighbors, a, b, &n);
    memset(target, 0, sizeof *target * (size_t)bins->count);
    for (int64_t k = 0; k < n.count; k++) {
        share[k] = exp((n.square[0] - n.square[k]) / (2.0 * sigma * sigma)); /* relative to the nearest: none is lost */
        sum += share[k];
    }
    for (int64_t k = 0; k < n.count; k++) {
        target[n.bin[k]] = (float)(share[k] / sum);
    }
    return n.bin[0];
}
