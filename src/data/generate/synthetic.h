/* Inside src/data: options of the generator that hiss_dataset_synthetic uses. */
#ifndef HISS_GENERATE_SYNTHETIC_H
#define HISS_GENERATE_SYNTHETIC_H

#include "hiss/generate.h"

typedef struct generate_synthetic_options {
    hiss_generate_options common;
    int64_t height, width, channels, classes;
} generate_synthetic_options;

extern const hiss_generator generate_synthetic;

#endif
