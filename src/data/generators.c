/* The registered generators. */
#include <string.h>

#include "hiss/generate.h"

#define GENERATOR(name) extern const hiss_generator generate_##name;
#include "data/generate/list.h"
#undef GENERATOR

const hiss_generator *const *hiss_generators(void) {
    static const hiss_generator *const all[] = {
#define GENERATOR(name) &generate_##name,
#include "data/generate/list.h"
#undef GENERATOR
        NULL};
    return all;
}

const char hiss_generator_choices[] = "none"
#define GENERATOR(name) "|" #name
#include "data/generate/list.h"
#undef GENERATOR
    ;

const hiss_generator *hiss_generator_named(const char *name) {
    const hiss_generator *const *g = hiss_generators();
    while (*g && strcmp((*g)->name, name) != 0) {
        g++;
    }
    return *g;
}
