/* What a trace says: where the time of a step went, and which rank the others wait for.
 *
 * A moment of a thread belongs to the innermost span there. After backward a rank waits until the reduction is
 * complete. Clocks are aligned, so the trace knows on which rank the last bucket became ready last: until then the others
 * wait for that rank, from then on for messages. That is where a trace knows more than the counters of ranks.c, which
 * compare sums of one window.
 *
 * Ranks are compared over the steps that all of them have whole. Records end where their room does, so these are the
 * first so many of each, and the same. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/table.h"
#include "train/trace_impl.h"

enum { LONGEST = 8, DEEPEST = 64 };

typedef struct step_at {
    double begin, end, kind[HISS_TRACE_KINDS]; /* kind: seconds, of all threads */
    double transfer, wait;                     /* of the step's reductions: first message to last; blocked in them */
} step_at;

typedef struct reduction {
    double opened;     /* when its last bucket was ready here */
    double begin, end; /* of waiting for it */
    int64_t step;
} reduction;

typedef struct rank_at {
    char host[64];
    int threads;
    int64_t spans, steps, reductions;
    step_at *step;
    reduction *reduction;
    double read, written; /* seconds of the other threads */
    int64_t writes;
    double late, caused; /* it has waited for others; they for it */
    int waited_for;      /* whom for the most; -1: nobody */
    double waited;
} rank_at;

typedef struct operation {
    hiss_trace_kind kind;
    char text[HISS_TRACE_TEXT];
    double *seconds; /* [ranks] for a step */
} operation;

struct account {
    int ranks;
    const int64_t *lane_offsets;
    rank_at *rank;
    operation *operation;
    int operations, room;
    int64_t *came_last, blocks; /* [ranks] of lanes that a block had waited for */
    double hidden;
};

account *train_trace_account_create(int ranks, const int64_t *lane_offsets) {
    account *a = hiss_new(account, 1);
    a->ranks = ranks;
    a->lane_offsets = lane_offsets;
    a->rank = hiss_new(rank_at, ranks);
    a->came_last = hiss_new(int64_t, ranks);
    a->hidden = (double)NAN;
    return a;
}

void train_trace_account_destroy(account *a) {
    if (!a) {
        return;
    }
    for (int r = 0; r < a->ranks; r++) {
        hiss_free(a->rank[r].step);
        hiss_free(a->rank[r].reduction);
    }
    for (int k = 0; k < a->operations; k++) {
        hiss_free(a->operation[k].seconds);
    }
    hiss_free(a->operation);
    hiss_free(a->came_last);
    hiss_free(a->rank);
    hiss_free(a);
}

double train_trace_account_hidden(const account *a) {
    return a->hidden;
}

/* ---- a rank ---- */

static operation *operation_of(account *a, const hiss_trace_name *name) {
    for (int k = 0; k < a->operations; k++) {
        if (a->operation[k].kind == name->kind && strcmp(a->operation[k].text, name->text) == 0) {
            return &a->operation[k];
        }
    }
    if (a->operations == a->room) {
        operation *more = hiss_new(operation, a->room = 2 * a->room + 64);
        for (int k = 0; k < a->operations; k++) {
            more[k] = a->operation[k];
        }
        hiss_free(a->operation);
        a->operation = more;
    }
    operation *new = &a->operation[a->operations++];
    new->kind = name->kind;
    memcpy(new->text, name->text, sizeof new->text);
    new->seconds = hiss_new(double, a->ranks);
    return new;
}

/* By row, then in the order of beginnings, the longer before what lies in it. */
static int nested(const void *one, const void *other) {
    const hiss_trace_span *a = one, *b = other;
    if (a->row != b->row) {
        return a->row < b->row ? -1 : 1;
    }
    return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1) : (a->end < b->end) - (a->end > b->end);
}

static int by_end(const void *one, const void *other) {
    const hiss_trace_span *a = one, *b = other;
    return (a->end > b->end) - (a->end < b->end);
}

/* The spans of some kinds, first .. last, of rows below `rows`; *count of them. */
static hiss_trace_span *chosen(const traced_rank *r, hiss_trace_kind first, hiss_trace_kind last, int rows,
                               int (*order)(const void *, const void *), int64_t *count) {
    hiss_trace_span *out = hiss_new(hiss_trace_span, r->record.spans);
    *count = 0;
    for (int64_t i = 0; i < r->record.spans; i++) {
        const hiss_trace_span *s = &r->record.span[i];
        const hiss_trace_kind kind = r->record.name[s->name].kind;
        if (kind >= first && kind <= last && s->row < rows) {
            out[(*count)++] = *s;
        }
    }
    qsort(out, (size_t)*count, sizeof *out, order);
    return out;
}

static void find_steps(rank_at *at, const traced_rank *r) {
    int64_t count;
    hiss_trace_span *step = chosen(r, HISS_TRACE_STEP, HISS_TRACE_STEP, 1, nested, &count);
    at->step = hiss_new(step_at, count);
    at->steps = count;
    for (int64_t k = 0; k < count; k++) {
        at->step[k] = (step_at){.begin = step[k].begin, .end = step[k].end};
    }
    hiss_free(step);
}

/* The step in which a time lies; -1: none. */
static int64_t step_of(const rank_at *at, double time) {
    int64_t low = -1, high = at->steps;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (at->step[middle].begin <= time) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low >= 0 && time < at->step[low].end ? low : -1;
}

/* What no span in it takes of a span's time belongs to it. */
static void share_out(rank_at *at, const traced_rank *r, operation *const *names) {
    int64_t count;
    hiss_trace_span *span = chosen(r, 0, HISS_TRACE_BUCKET - 1, r->threads, nested, &count);
    struct {
        double end, inside;
    } open[DEEPEST];
    int64_t index[DEEPEST];
    int depth = 0;
    for (int64_t i = 0; i <= count; i++) {
        while (depth > 0 &&
               (i == count || span[i].row != span[index[depth - 1]].row || span[i].begin >= open[depth - 1].end)) {
            const hiss_trace_span *s = &span[index[--depth]];
            const double own = s->end - s->begin - open[depth].inside;
            const int64_t step = step_of(at, s->begin);
            if (step >= 0) {
                at->step[step].kind[r->record.name[s->name].kind] += own;
                names[s->name]->seconds[r->rank] += own;
            }
            if (depth > 0) {
                open[depth - 1].inside += s->end - s->begin;
            }
        }
        if (i < count && depth < DEEPEST) {
            open[depth].end = span[i].end;
            open[depth].inside = 0.0;
            index[depth++] = i;
        }
    }
    hiss_free(span);
}

/* Those buckets belong to a reduction that have landed since the one before. */
static void find_reductions(rank_at *at, const traced_rank *r) {
    int64_t count, buckets, b = 0;
    hiss_trace_span *wait = chosen(r, HISS_TRACE_REDUCE_WAIT, HISS_TRACE_REDUCE_WAIT, 1, nested, &count);
    hiss_trace_span *bucket = chosen(r, HISS_TRACE_BUCKET, HISS_TRACE_BUCKET, 1, by_end, &buckets);
    at->reduction = hiss_new(reduction, count);
    for (int64_t k = 0; k < count; k++) {
        reduction *one = &at->reduction[at->reductions];
        double first = (double)INFINITY, last = 0.0;
        *one = (reduction){.begin = wait[k].begin, .end = wait[k].end, .step = step_of(at, wait[k].begin)};
        for (; b < buckets && bucket[b].end <= wait[k].end; b++) {
            first = fmin(first, bucket[b].begin);
            last = fmax(last, bucket[b].end);
            one->opened = fmax(one->opened, bucket[b].begin);
        }
        if (one->step >= 0) {
            at->step[one->step].wait += one->end - one->begin;
            at->step[one->step].transfer += fmax(0.0, last - first);
            at->reductions++;
        }
    }
    hiss_free(bucket);
    hiss_free(wait);
}

static void look_aside(account *a, rank_at *at, const traced_rank *r) {
    for (int64_t i = 0; i < r->record.spans; i++) {
        const hiss_trace_span *s = &r->record.span[i];
        const hiss_trace_kind kind = r->record.name[s->name].kind;
        at->read += kind == HISS_TRACE_READ ? s->end - s->begin : 0.0;
        if (kind == HISS_TRACE_CHECKPOINT && s->row >= r->threads) {
            at->written += s->end - s->begin;
            at->writes++;
        }
        for (int q = 0; kind == HISS_TRACE_BLOCK && q < a->ranks; q++) {
            const bool its = s->second >= a->lane_offsets[q] && s->second < a->lane_offsets[q + 1];
            a->came_last[q] += its;
            a->blocks += its;
        }
    }
}

void train_trace_account_add(account *a, const traced_rank *r) {
    rank_at *at = &a->rank[r->rank];
    memcpy(at->host, r->host, sizeof at->host);
    at->threads = r->threads;
    at->waited_for = -1;
    at->spans = r->record.spans;
    operation **names = hiss_new(operation *, r->record.names);
    int *number = hiss_new(int, r->record.names);
    for (int k = 0; k < r->record.names; k++) {
        number[k] = (int)(operation_of(a, &r->record.name[k]) - a->operation);
    }
    for (int k = 0; k < r->record.names; k++) { /* they stay where they are from now on */
        names[k] = &a->operation[number[k]];
    }
    find_steps(at, r);
    share_out(at, r, names);
    find_reductions(at, r);
    look_aside(a, at, r);
    hiss_free(number);
    hiss_free(names);
}

/* ---- all ranks ---- */

static int64_t common_steps(const account *a) {
    int64_t steps = INT64_MAX;
    for (int r = 0; r < a->ranks; r++) {
        steps = a->rank[r].steps < steps ? a->rank[r].steps : steps;
    }
    return steps;
}

/* The rank whose last bucket of reduction k was ready last. */
static int last_ready(const account *a, int64_t k) {
    int last = 0;
    for (int r = 1; r < a->ranks; r++) {
        last = a->rank[r].reduction[k].opened > a->rank[last].reduction[k].opened ? r : last;
    }
    return last;
}

static void blame(account *a, int64_t steps) {
    double *by = hiss_new(double, a->ranks);
    int64_t most = INT64_MAX;
    for (int r = 0; r < a->ranks; r++) {
        most = a->rank[r].reductions < most ? a->rank[r].reductions : most;
    }
    for (int r = 0; r < a->ranks; r++) {
        rank_at *at = &a->rank[r];
        memset(by, 0, sizeof *by * (size_t)a->ranks);
        for (int64_t k = 0; k < most && at->reduction[k].step < steps; k++) {
            const reduction *one = &at->reduction[k];
            const int last = last_ready(a, k);
            const double until = fmin(a->rank[last].reduction[k].opened, one->end);
            by[last] += last != r ? fmax(0.0, until - one->begin) : 0.0;
        }
        for (int q = 0; q < a->ranks; q++) {
            at->late += by[q];
            a->rank[q].caused += by[q];
            if (by[q] > at->waited) {
                at->waited = by[q];
                at->waited_for = q;
            }
        }
    }
    hiss_free(by);
}

/* The mean of the two in the middle, as hiss_comm_min_median_max has it: of two ranks, the lower one is half the story. */
static double median_of_ranks(double *values, int ranks) {
    const double low = hiss_median(values, ranks);
    return (low + values[ranks / 2]) / 2;
}

static void find_hidden(account *a, int64_t steps) {
    double *wait = hiss_new(double, steps), *transfer = hiss_new(double, steps), *waits = hiss_new(double, a->ranks),
           *transfers = hiss_new(double, a->ranks);
    for (int r = 0; r < a->ranks; r++) {
        for (int64_t k = 0; k < steps; k++) {
            wait[k] = a->rank[r].step[k].wait;
            transfer[k] = a->rank[r].step[k].transfer;
        }
        waits[r] = hiss_median(wait, steps);
        transfers[r] = hiss_median(transfer, steps);
    }
    const double w = median_of_ranks(waits, a->ranks), t = median_of_ranks(transfers, a->ranks);
    a->hidden = t > 0.0 ? fmax(0.0, 1.0 - w / t) : (double)NAN;
    hiss_free(transfers);
    hiss_free(waits);
    hiss_free(transfer);
    hiss_free(wait);
}

enum { COMPUTE, MESSAGES, WAITING, LOAD, IDLE, STEP, COLUMNS };

/* Seconds of a rank in `steps` steps. Loading and waiting for the reduction keep all its threads waiting, the rest is a
 * mean over them. */
static void columns_of(const rank_at *at, int64_t steps, double out[COLUMNS]) {
    double k[HISS_TRACE_KINDS] = {0};
    memset(out, 0, sizeof *out * COLUMNS);
    for (int64_t i = 0; i < steps; i++) {
        out[STEP] += at->step[i].end - at->step[i].begin;
        for (int kind = 0; kind < HISS_TRACE_KINDS; kind++) {
            k[kind] += at->step[i].kind[kind];
        }
    }
    out[COMPUTE] = (k[HISS_TRACE_FORWARD] + k[HISS_TRACE_BACKWARD] + k[HISS_TRACE_VIEW] + k[HISS_TRACE_UPDATE] +
                    k[HISS_TRACE_ASSIGN]) /
                   at->threads;
    const double late = fmin(at->late, k[HISS_TRACE_REDUCE_WAIT]);
    out[MESSAGES] = (k[HISS_TRACE_REDUCE] + k[HISS_TRACE_EXCHANGE]) / at->threads + k[HISS_TRACE_REDUCE_WAIT] - late;
    out[WAITING] = late + k[HISS_TRACE_EXCHANGE_WAIT] / at->threads;
    out[LOAD] = k[HISS_TRACE_LOAD];
    out[IDLE] = fmax(0.0, out[STEP] - out[COMPUTE] - out[MESSAGES] - out[WAITING] - out[LOAD]);
}

static void print_ranks(const account *a, int64_t steps, FILE *out) {
    fprintf(out, "\n%-28s%s\n%5s %-16s %8s %8s %8s %8s %8s %8s  %s\n", "", "ms of a step, means", "rank", "host",
            "compute", "messages", "waiting", "load", "idle", "step", "waits most for");
    for (int r = 0; r < a->ranks; r++) {
        const rank_at *at = &a->rank[r];
        double column[COLUMNS];
        columns_of(at, steps, column);
        fprintf(out, "%5d %s", r, HISS_TEXT(16, at->host));
        for (int k = 0; k < COLUMNS; k++) {
            fprintf(out, " %s", HISS_NUMBER(8, 3, 1e3 * column[k] / (double)steps));
        }
        if (at->waited_for >= 0) {
            fprintf(out, "  rank %d (%.3f)", at->waited_for, 1e3 * at->waited / (double)steps);
        }
        fputc('\n', out);
    }
}

static double median_of(const account *a, int64_t steps, int what) {
    double *all = hiss_new(double, a->ranks), column[COLUMNS];
    for (int r = 0; r < a->ranks; r++) {
        columns_of(&a->rank[r], steps, column);
        all[r] = column[what];
    }
    const double median = hiss_median(all, a->ranks);
    hiss_free(all);
    return median;
}

/* The straggler. Under a hundredth of a step it does not count. */
static void print_straggler(const account *a, int64_t steps, FILE *out) {
    int worst = 0;
    double waited = 0.0, all = 0.0;
    for (int r = 0; r < a->ranks; r++) {
        double column[COLUMNS];
        columns_of(&a->rank[r], steps, column);
        all += column[STEP];
        waited += a->rank[r].late;
        worst = a->rank[r].caused > a->rank[worst].caused ? r : worst;
    }
    if (waited < 0.01 * all) {
        fprintf(out, "no straggler: ranks wait %.1f %% of a step for each other\n", 100.0 * waited / all);
        return;
    }
    double column[COLUMNS];
    columns_of(&a->rank[worst], steps, column);
    const double others = 1e3 / (double)(a->ranks - 1) / (double)steps, ms = 1e3 / (double)steps;
    fprintf(out,
            "straggler: rank %d on %s; each other rank waits %.3f ms of a step for it (%.0f %% of all waiting); it "
            "computes %.3f ms and loads %.3f ms, the median rank %.3f and %.3f\n",
            worst, a->rank[worst].host, others * a->rank[worst].caused, 100.0 * a->rank[worst].caused / waited,
            ms * column[COMPUTE], ms * column[LOAD], ms * median_of(a, steps, COMPUTE), ms * median_of(a, steps, LOAD));
}

static double sum_over_ranks(const account *a, const operation *o) {
    double sum = 0.0;
    for (int r = 0; r < a->ranks; r++) {
        sum += o->seconds[r] / (double)a->rank[r].steps;
    }
    return sum;
}

static int longer(const void *one, const void *other) {
    const double a = *(const double *)one, b = *(const double *)other;
    return (a < b) - (a > b);
}

static void print_operations(const account *a, int64_t steps, FILE *out) {
    struct {
        double seconds; /* first: longer() sorts by it */
        const operation *o;
    } *list = hiss_alloc(sizeof *list * (size_t)a->operations);
    double all = 0.0;
    for (int r = 0; r < a->ranks; r++) {
        double column[COLUMNS];
        columns_of(&a->rank[r], steps, column);
        all += column[STEP] * a->rank[r].threads / (double)steps;
    }
    int n = 0;
    for (int k = 0; k < a->operations; k++) {
        if (a->operation[k].kind != HISS_TRACE_STEP) {
            list[n].seconds = sum_over_ranks(a, &a->operation[k]);
            list[n++].o = &a->operation[k];
        }
    }
    qsort(list, (size_t)n, sizeof *list, longer);
    fprintf(out, "\n%-14s %-34s %10s %10s  %s\n", "longest", "", "ms of step", "% of time", "longest on");
    for (int k = 0; k < n && k < LONGEST && list[k].seconds > 0.0; k++) {
        const operation *o = list[k].o;
        int slowest = 0;
        for (int r = 1; r < a->ranks; r++) {
            slowest = o->seconds[r] > o->seconds[slowest] ? r : slowest;
        }
        fprintf(out, "%-14s %s %s %s  rank %d (%.3f)\n", hiss_trace_category(o->kind), HISS_TEXT(34, o->text),
                HISS_NUMBER(10, 3, 1e3 * list[k].seconds / a->ranks), HISS_NUMBER(10, 1, 100.0 * list[k].seconds / all),
                slowest, 1e3 * o->seconds[slowest] / (double)a->rank[slowest].steps);
    }
    hiss_free(list);
}

static void print_others(const account *a, FILE *out) {
    double read = 0.0, written = 0.0;
    int64_t writes = 0;
    for (int r = 0; r < a->ranks; r++) {
        read += a->rank[r].read;
        written += a->rank[r].written;
        writes += a->rank[r].writes;
    }
    if (a->blocks > 0) {
        int q = 0;
        for (int r = 1; r < a->ranks; r++) {
            q = a->came_last[r] > a->came_last[q] ? r : q;
        }
        fprintf(out, "assignment: %lld times a block was complete, %lld of them with a lane of rank %d as the last\n",
                (long long)a->blocks, (long long)a->came_last[q], q);
    }
    if (read > 0.0) {
        fprintf(out, "reading threads: %.3f s in all\n", read);
    }
    if (writes > 0) {
        fprintf(out, "checkpoints: %lld written in %.3f s, beside the training\n", (long long)writes, written);
    }
}

void train_trace_account_print(account *a, FILE *out, const traced_whole *whole) {
    const int64_t steps = common_steps(a);
    int64_t spans = 0;
    for (int r = 0; r < a->ranks; r++) {
        spans += a->rank[r].spans;
    }
    fprintf(out, "trace: %lld steps from step %lld on, %d rank%s, %lld spans, %lld dropped for want of room\n",
            (long long)steps, (long long)whole->first, a->ranks, a->ranks > 1 ? "s" : "", (long long)spans,
            (long long)whole->dropped);
    if (whole->dropped > 0) {
        fprintf(out, "it ends before step %lld: choose fewer with --trace-steps, or raise --trace-spans\n",
                (long long)whole->last);
    }
    if (steps == 0) {
        return;
    }
    if (a->ranks > 1 && whole->error > 0.0) {
        fprintf(out, "clocks: aligned to %.1f us\n", 1e6 * whole->error);
    } else if (a->ranks > 1) {
        fprintf(out, "clocks: all ranks read one\n");
    }
    if (a->ranks > 1) {
        blame(a, steps);
    }
    print_ranks(a, steps, out);
    if (a->ranks > 1) {
        find_hidden(a, steps);
        print_straggler(a, steps, out);
        fprintf(out, "reduction: %.1f %% of the time from its first message to its last is hidden behind computing\n",
                100.0 * a->hidden);
    }
    print_others(a, out);
    print_operations(a, steps, out);
}
