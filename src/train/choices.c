/* Who computes a run, which is part of its identity, for they differ in the last bits: the kernels, and among them the
 * implementations of the products of its graphs, one row per product and shape, in the order of the graphs. Summary and
 * checkpoints hold the kernels' names and the rows' hash.
 *
 * A run that goes on with other kernels than it began with ends in bits that neither of them gives. So that is refused,
 * or, where the user wants it, kept in all later checkpoints (`mixed`), and the result is called INVALID. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

bool train_ranks_differ(hiss_comm *comm, const char *mine, char text[RANKS_DIFFER]) {
    typedef struct place {
        char host[64], computes[HISS_KERNELS_IDENTITY];
    } place;
    const int size = hiss_comm_size(comm);
    place here = {.host = ""}, *all = hiss_new(place, size);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    gethostname(here.host, sizeof here.host - 1);
    snprintf(here.computes, sizeof here.computes, "%s", mine);
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof here;
    }
    hiss_comm_allgather(comm, &here, offsets, all);
    int other = 1;
    while (other < size && strcmp(all[other].computes, all[0].computes) == 0) {
        other++;
    }
    if (other < size) {
        snprintf(text, RANKS_DIFFER, "rank 0 (%s) has %.200s, rank %d (%s) %.200s", all[0].host, all[0].computes, other,
                 all[other].host, all[other].computes);
    }
    hiss_free(offsets);
    hiss_free(all);
    return other < size;
}

hiss_status train_choices(trainer *t, hiss_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    fprintf(out, "%s\n", t->task.kernels->name);
    for (int p = 0; p < t->nphases; p++) {
        add_graph(t->task.kernels, t->phases[p].graph, out, &text);
    }
    if (t->encoder) {
        add_graph(t->task.kernels, hiss_encoder_graph(t->encoder), out, &text);
    }
    fclose(out);
    hiss_hash *hash = hiss_hash_begin();
    hiss_hash_add(hash, text, size);
    hiss_hash_end(hash, t->choices);
    for (char *rest = NULL, *row = strtok_r(text, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        hiss_debug("kernels: %s", row);
    }
    free(text);
    char which[RANKS_DIFFER], choice[16];
    snprintf(choice, sizeof choice, "choice %.8s", t->choices);
    if (!train_ranks_differ(t->comm, choice, which)) {
        return HISS_OK;
    }
    const char *table = t->experiment->kernel_table;
    return hiss_fail(err, HISS_EUSER,
                     "ranks choose different kernels: %s; they %s%s%swere built for different processors", which,
                     table ? "read different files " : "", table ? table : "", table ? ", or " : "");
}

void train_kernels(const trainer *t, char text[KERNELS_TEXT]) {
    snprintf(text, KERNELS_TEXT, "%.24s, %s", t->task.kernels->name, hiss_kernels_identity());
}

/* ---- goes on from a checkpoint ---- */

static bool same_kernels(const trainer *t) {
    char mine[KERNELS_TEXT];
    train_kernels(t, mine);
    return strcmp(t->origin.kernels, mine) == 0 && strcmp(t->origin.choices, t->choices) == 0;
}

static hiss_status get(hiss_h5 *file, const char *name, char *out, size_t size, hiss_error *err) {
    char *text = NULL;
    const hiss_status s = hiss_h5_get_text(file, "/", name, &text, err);
    snprintf(out, size, "%s", s == HISS_OK ? text : "");
    hiss_free(text);
    return s;
}

hiss_status train_read_origin(trainer *t, hiss_h5 *file, hiss_error *err) {
    origin *o = &t->origin;
    *o = (origin){.mixed = ""};
    hiss_status s = get(file, "kernels", o->kernels, sizeof o->kernels, err);
    s = s == HISS_OK ? get(file, "core", o->core, sizeof o->core, err) : s;
    s = s == HISS_OK ? get(file, "choices", o->choices, sizeof o->choices, err) : s;
    s = s == HISS_OK ? get(file, "mixed", o->mixed, sizeof o->mixed, err) : s;
    if (s == HISS_OK && !same_kernels(t)) { /* when there is no room for more, the first ones say enough */
        const size_t used = strlen(o->mixed);
        snprintf(o->mixed + used, sizeof o->mixed - used, "%suntil step %" PRId64 " with %s (choice %.8s)",
                 used ? ", " : "", t->step, o->kernels, o->choices);
    }
    return s;
}

static bool is_bf16(const char *backend) {
    return strstr(backend, " in bf16") != NULL;
}

/* How to compute as the checkpoint was; later differences count only when earlier ones are none. */
static void remedy(const trainer *t, char *text, size_t size) {
    const origin *o = &t->origin;
    const char *mine = t->task.kernels->name;
    const size_t backend = strcspn(o->kernels, ",");
    char kernels[KERNELS_TEXT], then[KERNELS_TEXT];
    train_kernels(t, kernels);
    snprintf(then, sizeof then, "%.*s", (int)backend, o->kernels);
    if (is_bf16(then) != is_bf16(mine)) {
        snprintf(text, size, "say --set precision=%s", is_bf16(then) ? "bf16" : "float32");
    } else if (backend != strlen(mine) || strncmp(o->kernels, mine, backend) != 0) {
        snprintf(text, size, "say --set kernels=%.*s", (int)strcspn(then, " "), then);
    } else if (strcmp(o->core, hiss_kernels_core()) != 0) {
        snprintf(text, size, hiss_kernels_can_run(o->core) ? "set OPENBLAS_CORETYPE=%s" : "use a processor that has %s",
                 o->core);
    } else if (strcmp(o->kernels, kernels) != 0) {
        snprintf(text, size, "use the program and the OpenBLAS it was made with");
    } else {
        snprintf(text, size, "use the kernel_table and the program it was made with");
    }
}

hiss_status train_same_origin(const trainer *t, const char *path, hiss_error *err) {
    if (same_kernels(t)) {
        return HISS_OK;
    }
    const origin *o = &t->origin;
    char mine[KERNELS_TEXT], what[128];
    train_kernels(t, mine);
    remedy(t, what, sizeof what);
    const bool table = strcmp(o->kernels, mine) == 0;
    if (t->request->other_kernels) {
        if (hiss_comm_rank(t->comm) == 0) {
            hiss_warn("%s was computed with %s%s, and goes on with %s%s: the result will be INVALID for comparison",
                      path, o->kernels, table ? " and another choice of kernels" : "", mine,
                      table ? " of this choice" : "");
        }
        return HISS_OK;
    }
    return hiss_fail(
        err, HISS_EUSER,
        "%s was computed with %s%s (%.8s...), but this is %s (%.8s...), and the bits would be neither's; %s, or "
        "go on with --allow-other-kernels (the result is then INVALID for comparison)",
        path, o->kernels, table ? " and another choice of kernels" : "", o->choices, mine, t->choices, what);
}
