/* How a replay in another process is asked for, and how it answers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/config.h"
#include "hiss/simulate.h"

#define FIELD(name) offsetof(hiss_replay, name)
const hiss_row hiss_replay_rows[] = {
    {"lanes", HISS_INT, FIELD(lanes), NULL, 1, 1e9, NULL, "over all ranks"},
    {"block", HISS_INT, FIELD(block), "0", 0, 1e9, NULL, "samples of a block; 0: the whole batch"},
    {"samples", HISS_INT, FIELD(samples), "0", 0, 1e12, NULL, "of the data set that is permuted; 0: as the costs say"},
    {"reduce", HISS_CHOICE, FIELD(reduce), "tree", 0, 0, HISS_REDUCE_CHOICES, "how gradients are summed"},
    {"group", HISS_INT, FIELD(group), "0", 0, 1e6, NULL, "ranks that exchange first; 0: chosen, 1: no groups"},
    {"wire", HISS_CHOICE, FIELD(wire), "float32", 0, 0, HISS_WIRE_CHOICES, "what the tree's sums travel as"},
    {"steps", HISS_INT, FIELD(steps), "2", 1, 1e6, NULL, "timed, of each kind"},
    {"jitter", HISS_FLOAT, FIELD(jitter), "0", 0, 10, NULL, "computing takes up to so much longer"},
    {"overlap", HISS_BOOL, FIELD(overlap), "true", 0, 0, NULL, "reduce while backward goes on"},
    {"communication", HISS_BOOL, FIELD(communication), "false", 0, 0, NULL, "leave computing out"},
};
const int hiss_replay_nrows = HISS_COUNT(hiss_replay_rows);

#define TIME(name)                                                                                                     \
    { #name, HISS_FLOAT, offsetof(hiss_replay_times, name), "0", 0, 0, NULL, "seconds" }
static const hiss_row times_rows[] = {TIME(step),  TIME(exchanging),  TIME(wait),     TIME(numbers),  TIME(score),
                                      TIME(list),  TIME(solve),       TIME(blocked),  TIME(agree),    TIME(messages),
                                      TIME(bytes), TIME(permutation), TIME(features), TIME(grouping), TIME(move),
                                      TIME(match), TIME(bound),       TIME(sent)};

void hiss_replay_print(FILE *stream, const hiss_replay_times *times) {
    for (int k = 0; k < HISS_COUNT(times_rows); k++) {
        const double value = *(const double *)(const void *)((const char *)times + times_rows[k].offset);
        fprintf(stream, "%s%s: %.9g", k ? ", " : "{", times_rows[k].key, isnan(value) ? 0.0 : value);
    }
    fprintf(stream, "}\n");
}

hiss_status hiss_replay_parse(const char *text, hiss_replay_times *out, hiss_error *err) {
    hiss_config *config = NULL;
    hiss_status s = hiss_config_parse("replay", text, &config, err);
    s = s == HISS_OK ? hiss_config_section(config, "", times_rows, HISS_COUNT(times_rows), out, err) : s;
    s = s == HISS_OK ? hiss_config_finish(config, err) : s;
    if (config) {
        hiss_config_destroy(config);
    }
    if (s == HISS_OK && out->exchanging == 0.0) {
        out->exchanging = NAN;
    }
    if (s == HISS_OK && out->permutation == 0.0) {
        out->permutation = NAN;
    }
    return s;
}
