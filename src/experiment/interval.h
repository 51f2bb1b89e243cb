/* Private to experiment: intervals of section "checkpoint". */
#ifndef HISS_EXPERIMENT_INTERVAL_H
#define HISS_EXPERIMENT_INTERVAL_H

#include "hiss/experiment.h"

/* Fill the parsed fields of the options from their texts. Not collective. */
hiss_status experiment_interval_parse(hiss_checkpoint_options *options, hiss_error *err);
/* The same of section probe, which may not be there; and keys that hang on others. */
hiss_status experiment_probe_check(hiss_probe_options *o, hiss_error *err);

#endif
