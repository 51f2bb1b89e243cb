/* Datagrams between the ranks' watchdogs: UDP over IPv4, beside MPI, because MPI belongs to the main thread and a rank
 * that computes does not enter it.
 *
 * All ranks know all addresses of all hosts from the start. As long as nothing came from a rank, datagrams to it go to
 * each of them, and on the same host to the loopback first; from then on only to where it sends from. What is lost is
 * not repeated: states are sent again anyhow. A datagram without the job's key is not ours.
 *
 * Death is visible: a port that nobody holds any more makes its system answer "port unreachable", which IP_RECVERR
 * delivers with the address it concerns. It counts only for an address that has been heard. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/heartbeat_impl.h"
#include "hiss/alloc.h"

enum { RECEIVE_BYTES = 1 << 20 };

static void list_interfaces(comm_address *own) {
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const struct ifaddrs *i = all; i && own->count < HISS_ADDRESSES; i = i->ifa_next) {
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
            !(i->ifa_flags & IFF_LOOPBACK)) {
            struct sockaddr_in a;
            memcpy(&a, i->ifa_addr, sizeof a);
            own->ip[own->count++] = a.sin_addr.s_addr;
        }
    }
    freeifaddrs(all);
}

void comm_heartbeat_open(comm_heartbeat *b, comm_address *own) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    const int on = 1, bytes = RECEIVE_BYTES;
    gethostname(own->host, sizeof own->host - 1);
    b->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->socket < 0) {
        return;
    }
    if (bind(b->socket, (struct sockaddr *)&at, sizeof at) != 0 ||
        getsockname(b->socket, (struct sockaddr *)&at, &size) != 0) {
        close(b->socket);
        b->socket = -1;
        return;
    }
    setsockopt(b->socket, SOL_IP, IP_RECVERR, &on, sizeof on);
    setsockopt(b->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    own->port = at.sin_port;
    list_interfaces(own);
}

void comm_heartbeat_close(comm_heartbeat *b) {
    if (b->socket >= 0) {
        close(b->socket);
        b->socket = -1;
    }
    hiss_free(b->address);
    hiss_free(b->at);
    hiss_free(b->refused);
}

static void send_to(const comm_heartbeat *b, uint32_t ip, uint16_t port, const comm_beat *beat) {
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = port};
    for (int attempt = 0; attempt < 3; attempt++) { /* an error of an earlier datagram is reported by the next one */
        if (sendto(b->socket, beat, sizeof *beat, 0, (const struct sockaddr *)&to, sizeof to) >= 0 ||
            errno != ECONNREFUSED) {
            return;
        }
    }
}

void comm_heartbeat_wake(const comm_heartbeat *b, comm_beat *beat) {
    if (b->socket >= 0) {
        beat->key = b->key;
        beat->rank = b->rank;
        send_to(b, htonl(INADDR_LOOPBACK), b->address[b->rank].port, beat);
    }
}

void comm_heartbeat_send(comm_heartbeat *b, int to, comm_beat *beat) {
    const comm_address *a = &b->address[to];
    if (b->socket < 0 || a->port == 0 || to == b->rank) {
        return;
    }
    beat->key = b->key;
    beat->rank = b->rank;
    if (b->at[to].sin_port != 0) {
        send_to(b, b->at[to].sin_addr.s_addr, b->at[to].sin_port, beat);
        return;
    }
    if (strcmp(a->host, b->address[b->rank].host) == 0) {
        send_to(b, htonl(INADDR_LOOPBACK), a->port, beat);
    }
    for (int k = 0; k < a->count; k++) {
        send_to(b, a->ip[k], a->port, beat);
    }
}

void comm_heartbeat_sleep(const comm_heartbeat *b, int milliseconds) {
    struct pollfd p = {.fd = b->socket, .events = POLLIN};
    poll(&p, b->socket >= 0 ? 1 : 0, milliseconds);
}

/* Take what the system reports about datagrams that did not arrive. */
static void take_refusals(comm_heartbeat *b) {
    for (;;) {
        struct sockaddr_in to = {0};
        char control[256], payload[8];
        struct iovec piece = {payload, sizeof payload};
        struct msghdr message = {.msg_name = &to,
                                 .msg_namelen = sizeof to,
                                 .msg_iov = &piece,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        if (recvmsg(b->socket, &message, MSG_ERRQUEUE) < 0) {
            return;
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            struct sock_extended_err why;
            if (c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR) {
                continue;
            }
            memcpy(&why, CMSG_DATA(c), sizeof why);
            for (int r = 0; r < b->size && why.ee_errno == ECONNREFUSED; r++) {
                if (b->at[r].sin_port == to.sin_port && b->at[r].sin_addr.s_addr == to.sin_addr.s_addr) {
                    b->refused[r] = b->news = true;
                }
            }
        }
    }
}

bool comm_heartbeat_next(comm_heartbeat *b, comm_beat *beat) {
    if (b->socket < 0) {
        return false;
    }
    take_refusals(b);
    for (;;) {
        struct sockaddr_in from = {0};
        socklen_t size = sizeof from;
        const ssize_t got = recvfrom(b->socket, beat, sizeof *beat, 0, (struct sockaddr *)&from, &size);
        if (got < 0 && errno == ECONNREFUSED) {
            take_refusals(b);
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == (ssize_t)sizeof *beat && beat->key == b->key && beat->rank >= 0 && beat->rank < b->size) {
            beat->what[HISS_WATCH_TEXT - 1] = 0;
            if (beat->rank != b->rank) {
                b->at[beat->rank] = from;
            }
            return true;
        }
    }
}
