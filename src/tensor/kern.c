/* The kernel tables, and how to find one by name. */
#include <string.h>

#include "tensor/kern_impl.h"

const hiss_kernels *hiss_kernels_ref(void) {
#define MEMBER(kernel) .kernel = tensor_ref_##kernel,
    static const hiss_kernels table = {.name = "ref", HISS_KERNEL_LIST(MEMBER)};
#undef MEMBER
    return &table;
}

const hiss_kernels *hiss_kernels_blas(void) {
#define MEMBER(kernel) .kernel = tensor_fast_##kernel,
    static const hiss_kernels table = {.name = "blas", HISS_KERNEL_LIST(MEMBER)};
#undef MEMBER
    return &table;
}

#define BACKENDS(X) X(blas) X(ref)
#define NAME(name)  "|" #name
const char hiss_kernels_choices[] = BACKENDS(NAME);

const hiss_kernels *hiss_kernels_named(const char *name) {
#define TABLE(name) hiss_kernels_##name(),
    const hiss_kernels *const tables[] = {BACKENDS(TABLE)};
#undef TABLE
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i]->name, name) == 0) {
            return tables[i];
        }
    }
    return NULL;
}
