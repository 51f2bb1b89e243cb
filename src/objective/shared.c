/* What methods share without a part of their own: numbers by name. */
#include <string.h>

#include "hiss/objective.h"

double hiss_named_value(const hiss_named *metrics, int nmetrics, const char *name) {
    for (int i = 0; i < nmetrics; i++) {
        if (strcmp(metrics[i].name, name) == 0) {
            return metrics[i].value;
        }
    }
    return 0.0;
}
