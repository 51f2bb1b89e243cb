/* Datagrams between the ranks' watchdogs (beacon.c). Nothing here is collective. */
#ifndef HISS_COMM_BEACON_IMPL_H
#define HISS_COMM_BEACON_IMPL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "comm/watch_impl.h"

typedef enum hiss_beat_kind {
    HISS_BEAT_STATE, /* to the guard: how the sender is */
    HISS_BEAT_ASK,   /* to anybody: answer with HISS_BEAT_STATE */
    HISS_BEAT_HEARD, /* the guard's answer: how it is itself */
    HISS_BEAT_LEAVE, /* the sender is done and will not be heard again */
    HISS_BEAT_END    /* the job ends with exit code `number`, and the reason has been told */
} hiss_beat_kind;

typedef struct hiss_beat {
    uint64_t key; /* of the job */
    int32_t kind, rank;
    int64_t step;
    int32_t waiting, peers, peer[HISS_WATCH_PEERS];
    int32_t seconds; /* it has waited, or done nothing, for so long */
    int64_t number;
    char what[HISS_WATCH_TEXT]; /* with its number */
} hiss_beat;

enum { HISS_ADDRESSES = 6, HISS_HOST_NAME = 64 };

typedef struct hiss_address { /* of a rank, as all ranks know it from the start */
    char host[HISS_HOST_NAME];
    uint32_t ip[HISS_ADDRESSES]; /* network order */
    uint16_t port;               /* network order; 0: has no socket */
    int16_t count;
} hiss_address;

typedef struct hiss_beacon {
    int socket; /* -1: none */
    uint64_t key;
    int rank, size;
    hiss_address *address;  /* [P] */
    struct sockaddr_in *at; /* [P] where datagrams of a rank came from; port 0: none came */
    bool *refused;          /* [P] the system says that nobody is there any more */
    bool news;              /* refused has changed */
} hiss_beacon;

/* Open this rank's socket and fill its address. A failure leaves socket -1 and port 0. */
void hiss_beacon_open(hiss_beacon *b, hiss_address *own);
void hiss_beacon_close(hiss_beacon *b); /* frees its arrays too */
void hiss_beacon_send(hiss_beacon *b, int to, hiss_beat *beat);
/* Send to the own socket: from another thread, to wake the one that listens. */
void hiss_beacon_wake(const hiss_beacon *b, hiss_beat *beat);
/* Sleep until something arrives, at most so long. */
void hiss_beacon_sleep(const hiss_beacon *b, int milliseconds);
/* The next datagram of this job; false: none is left. Notes senders' addresses, and refusals. */
bool hiss_beacon_next(hiss_beacon *b, hiss_beat *beat);

#endif
