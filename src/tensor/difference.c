#include <math.h>

#include "hiss/tensor.h"

hiss_difference hiss_floats_compare(int64_t count, const float *a, const float *b, double floor) {
    hiss_difference difference = {0};
    double squares = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = a[i], y = b[i];
        if (isnan(x) || isnan(y)) {
            if (!difference.has_nan) {
                difference.has_nan = true;
                difference.worst = i;
            }
            continue;
        }
        double absolute = x == y ? 0 : fabs(x - y); /* equal infinities are no distance apart */
        double scale = fmax(fmax(fabs(x), fabs(y)), floor);
        double relative = absolute == 0 ? 0 : isinf(absolute) ? INFINITY : absolute / scale;
        squares += absolute * absolute;
        if (absolute > difference.max_absolute) {
            difference.max_absolute = absolute;
            if (!difference.has_nan) {
                difference.worst = i;
            }
        }
        difference.max_relative = fmax(difference.max_relative, relative);
    }
    difference.rms = count > 0 ? sqrt(squares / (double)count) : 0;
    return difference;
}
