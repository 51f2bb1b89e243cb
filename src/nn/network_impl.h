/* Private to src/nn: what the parts of networks from YAML share. Not collective. */
#ifndef HISS_NETWORK_IMPL_H
#define HISS_NETWORK_IMPL_H

#include "hiss/nn.h"

typedef struct layer_call {
    hiss_builder *b;
    const char *name;
    hiss_value x[HISS_MAX_INPUTS]; /* the value before, or of `from`; then those of the places named */
    int count;
    double a[HISS_WORD_ARGUMENTS];
} layer_call;

typedef struct layer {
    hiss_word word;
    bool named;                                  /* gets a name where the user gives none: it has parameters */
    hiss_value (*build)(const layer_call *call); /* NULL: an operation, built by its word */
} layer;

/* Layer i of nn_layer_places(); word.word is NULL where there is none. */
int nn_layer_places(void);
layer nn_layer_at(int i);
layer nn_layer_of(const char *word); /* word.word NULL: none has this word */
bool nn_layer_is_batch_norm(const layer *l);
/* Index of a key among the layer's numbers; -1: not there. */
int nn_layer_argument(const layer *l, const char *key);
/* Which layer an entry of a list is: a word, or a map with one layer's word among its keys.
 *   word  out  the map's entry of that key; NULL when the entry is a word alone */
hiss_status nn_layer_choose(const hiss_yaml *entry, layer *out, const hiss_yaml **word, hiss_error *err);

/* Where a layer stands, to resolve the names it uses. */
typedef struct layer_scope {
    const hiss_yaml *entry;
    int index;             /* of the entry in its list, from 0 */
    const hiss_taps *taps; /* earlier names; value -1: its block has not ended */
    hiss_arena *arena;
} layer_scope;

/* The name a layer begins a block with: the user's, or WORDn, n counted from 1; NULL: it stands in the block before. */
hiss_status nn_layer_name(const layer_scope *scope, const layer *l, const char **out, hiss_error *err);
/* Fill call->a, call->x and call->count from the entry; x[0] is the value before. */
hiss_status nn_layer_arguments(const layer_scope *scope, const layer *l, const hiss_yaml *word, layer_call *call,
                               hiss_error *err);

/* The layers of a preset: the list has no places of its own, only where the user named the preset. */
hiss_status nn_network_preset(const hiss_network *network, hiss_arena *arena, hiss_yaml **out, hiss_error *err);
extern const char nn_network_preset_choices[]; /* their names, "|lenet-bn|..." */
bool nn_network_is_preset(const char *name);
void nn_network_presets_help(FILE *stream);

/* Error with file:line:column; values from --set and presets have none. */
hiss_status nn_network_wrong(hiss_error *err, const hiss_yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "FILE:LINE:COLUMN", in arena. */
const char *nn_network_origin(hiss_arena *arena, const hiss_yaml *at);
hiss_yaml nn_network_key_of(const hiss_yaml *entry); /* to be blamed for its key instead of its value */
bool nn_network_is_nothing(const hiss_yaml *value);  /* null or empty */
enum { NETWORK_FOUND = 96, NETWORK_NAMES = 400 };
/* What was found, behind "found ": 'text', nothing, a list, a section. Returns out. */
const char *nn_network_found(const hiss_yaml *value, char out[NETWORK_FOUND]);

#endif
