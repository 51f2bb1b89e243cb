/* Datagrams between the ranks' watchdogs (heartbeat.c). Nothing here is collective. */
#ifndef HISS_COMM_BEACON_IMPL_H
#define HISS_COMM_BEACON_IMPL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "comm/watch_impl.h"

typedef enum comm_beat_kind {
    HISS_BEAT_STATE, /* to the guard: how the sender is */
    HISS_BEAT_ASK,   /* to anybody: answer with HISS_BEAT_STATE */
    HISS_BEAT_HEARD, /* the guard's answer: how it is itself */
    HISS_BEAT_LEAVE, /* the sender is done and will not be heard again */
    HISS_BEAT_END    /* the job ends with exit code `number`, and the reason has been told */
} comm_beat_kind;

typedef struct comm_beat {
    uint64_t key; /* of the job */
    int32_t kind, rank;
    int64_t step;
    int32_t waiting, peers, peer[HISS_WATCH_PEERS];
    int32_t seconds; /* it has waited, or done nothing, for so long */
    int64_t number;
    char what[HISS_WATCH_TEXT]; /* with its number */
} comm_beat;

enum { HISS_ADDRESSES = 6, HISS_HOST_NAME = 64 };

typedef struct comm_address { /* of a rank, as all ranks know it from the start */
    char host[HISS_HOST_NAME];
    uint32_t ip[HISS_ADDRESSES]; /* network order */
    uint16_t port;               /* network order; 0: has no socket */
    int16_t count;
} comm_address;

typedef struct comm_heartbeat {
    int socket; /* -1: none */
    uint64_t key;
    int rank, size;
    comm_address *address;  /* [P] */
    struct sockaddr_in *at; /* [P] where datagrams of a rank came from; port 0: none came */
    bool *refused;          /* [P] the system says that nobody is there any more */
    bool news;              /* refused has changed */
} comm_heartbeat;

/* Open this rank's socket and fill its address. A failure leaves socket -1 and port 0. */
void comm_heartbeat_open(comm_heartbeat *b, comm_address *own);
void comm_heartbeat_close(comm_heartbeat *b); /* frees its arrays too */
void comm_heartbeat_send(comm_heartbeat *b, int to, comm_beat *beat);
/* Send to the own socket: from another thread, to wake the one that listens. */
void comm_heartbeat_wake(const comm_heartbeat *b, comm_beat *beat);
/* Sleep until something arrives, at most so long. */
void comm_heartbeat_sleep(const comm_heartbeat *b, int milliseconds);
/* The next datagram of this job; false: none is left. Notes senders' addresses, and refusals. */
bool comm_heartbeat_next(comm_heartbeat *b, comm_beat *beat);

#endif
