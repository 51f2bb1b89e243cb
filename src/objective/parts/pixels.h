/* Private to src/objective: what methods ask of the values of pixels. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_PIXELS_H
#define HISS_OBJECTIVE_PARTS_PIXELS_H

#include "hiss/objective.h"

/* The network's input is pixels of 0..1. A contrast may make larger ones: it is refused, too, unless `larger`.
 *   method     its name, for messages
 *   otherwise  what else than contrast 0 would do, as in "or vae.binarize true"; NULL: nothing
 * Errors (HISS_EUSER) name the key of section augment that makes other numbers, or data.range. */
hiss_status objective_expect_unit_pixels(const char *method, const hiss_task *task, bool larger, const char *otherwise,
                                         hiss_error *err);

/* For the table of a method that always needs them: true. */
bool objective_needs_unit_pixels(const void *options);

#endif
