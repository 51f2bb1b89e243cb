/* Which implementations compute the products of a run's graphs: part of the run's identity, for they differ in the
 * last bits. One row per product and shape, in the order of the graphs; summary and checkpoints hold the rows' hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/hash.h"
#include "hiss/log.h"
#include "train/trainer.h"

static void add_node(const hiss_kernels *kernels, const hiss_node_info *info, FILE *out, char *const *text) {
    const int first = strcmp(info->op, "linear") == 0 ? HISS_LINEAR_FORWARD : HISS_CONV2D_FORWARD;
    for (int p = first; p < first + 3; p++) {
        char row[HISS_KERNEL_ROW];
        const hiss_product product = (hiss_product)p;
        const int i = hiss_kernels_choice(kernels, product, &info->product);
        if (i < 0) {
            continue;
        }
        hiss_kernel_table_row(product, &info->product, i, row);
        fflush(out);
        if (!strstr(*text, row)) {
            fputs(row, out);
        }
    }
}

static void add_graph(const hiss_kernels *kernels, const hiss_graph *graph, FILE *out, char *const *text) {
    for (int i = 0; i < hiss_graph_nodes(graph); i++) {
        const hiss_node_info info = hiss_graph_node(graph, i);
        if (info.product.N > 0) {
            add_node(kernels, &info, out, text);
        }
    }
}

hiss_status trainer_choices(trainer *t, hiss_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "%s\n", t->world.kernels->name);
    for (int p = 0; p < t->nphases; p++) {
        add_graph(t->world.kernels, t->phases[p].graph, out, &text);
    }
    if (t->encoder) {
        add_graph(t->world.kernels, t->encoder, out, &text);
    }
    fclose(out);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, text, size);
    hiss_hash_end(hash, t->choices);
    for (char *rest = NULL, *row = strtok_r(text, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        hiss_debug("kernels: %s", row);
    }
    free(text);
    if (hiss_comm_equal(t->comm, t->choices, sizeof t->choices)) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER,
                     "ranks choose different kernels (this one: %.8s...): they read different files %s, or were built "
                     "for different processors",
                     t->choices, t->experiment->kernel_table ? t->experiment->kernel_table : "");
}
