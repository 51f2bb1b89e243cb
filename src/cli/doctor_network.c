/* Check of messages between pairs of ranks, one pair after the other.
 *
 * All pairs of up to 8 ranks; of more, each rank with its neighbour and with the one half the ranks away, which are the
 * short and the long ways of a job that fills nodes in order. Some ten milliseconds a pair. */
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "hiss/clock.h"

enum { ALL_PAIRS = 8, SMALL_ROUNDS = 51, LARGE_ROUNDS = 5, LARGE_BYTES = 1 << 20 };

/* How much worse than the median of its kind a pair may be, unless the user says what to expect. */
static const double rate_share = 0.2, latency_times = 20.0;

typedef struct pairs { /* of one kind: within a host, or between hosts */
    int64_t count;
    double *latency, *rate; /* microseconds, MB/s */
    int slow[2], late[2];   /* the worst ones */
    double lowest, longest;
} pairs;

static bool is_measured(int a, int b, int size) {
    return size <= ALL_PAIRS || b - a == 1 || b - a == size / 2;
}

static void measure(const doctor *d, int a, int b, pairs *p) {
    const double latency = 1e6 * hiss_comm_ping(d->comm, a, b, 8, SMALL_ROUNDS);
    const double rate = 1e-6 * LARGE_BYTES / hiss_comm_ping(d->comm, a, b, LARGE_BYTES, LARGE_ROUNDS);
    if (p->count == 0 || latency > p->longest) {
        p->longest = latency;
        p->late[0] = a;
        p->late[1] = b;
    }
    if (p->count == 0 || rate < p->lowest) {
        p->lowest = rate;
        p->slow[0] = a;
        p->slow[1] = b;
    }
    p->latency[p->count] = latency;
    p->rate[p->count++] = rate;
}

static void report(const doctor *d, pairs *p, const char *where, const doctor_name *host, double least, double most) {
    const double latency = hiss_median(p->latency, p->count), rate = hiss_median(p->rate, p->count);
    const double rate_limit = least > 0.0 ? least : rate_share * rate;
    const double latency_limit = most > 0.0 ? most : latency_times * latency;
    if (p->lowest < rate_limit) {
        doctor_tell(d, FINDING_WARN,
                    "between ranks %s: ranks %d (%s) and %d (%s) exchange %.0f MB/s, expected at least %.0f (median "
                    "%.0f); look at the network of these nodes and at OMPI_MCA_btl_tcp_if_include",
                    where, p->slow[0], host[p->slow[0]], p->slow[1], host[p->slow[1]], p->lowest, rate_limit, rate);
    } else if (p->longest > latency_limit) {
        doctor_tell(
            d, FINDING_WARN,
            "between ranks %s: a message between ranks %d (%s) and %d (%s) takes %.1f us, expected at most %.1f "
            "(median %.1f); is a core shared, or a node busy?",
            where, p->late[0], host[p->late[0]], p->late[1], host[p->late[1]], p->longest, latency_limit, latency);
    } else {
        doctor_tell(d, FINDING_OK,
                    "between ranks %s: %.1f us, %.0f MB/s (medians of %lld pairs; worst %.1f us, ranks %d and %d; %.0f "
                    "MB/s, ranks %d and %d)",
                    where, latency, rate, (long long)p->count, p->longest, p->late[0], p->late[1], p->lowest,
                    p->slow[0], p->slow[1]);
    }
}

void doctor_network(const doctor *d, double least_rate, double most_latency) {
    static const char *const where[2] = {"of one host", "of different hosts"};
    const int size = hiss_comm_size(d->comm);
    const int64_t most = size <= ALL_PAIRS ? ALL_PAIRS * ALL_PAIRS : 2 * (int64_t)size;
    doctor_name *host = doctor_hosts(d);
    pairs kind[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        kind[k].latency = hiss_new(double, most);
        kind[k].rate = hiss_new(double, most);
    }
    for (int a = 0; a < size; a++) {
        for (int b = a + 1; b < size; b++) {
            if (is_measured(a, b, size)) {
                measure(d, a, b, &kind[strcmp(host[a], host[b]) != 0]);
            }
        }
    }
    for (int k = 0; k < 2; k++) {
        if (kind[k].count > 0) {
            report(d, &kind[k], where[k], (const doctor_name *)host, least_rate, most_latency);
        }
        hiss_free(kind[k].latency);
        hiss_free(kind[k].rate);
    }
    hiss_free(host);
}
