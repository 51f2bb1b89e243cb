/* Starting smpirun and mpirun, and reading what their rank 0 says.
 *
 * SimGrid is told: the network costs what the platform says (its defaults are those of a slow cluster), computing costs
 * nothing unless it is slept, polling costs nothing (the replay does not spin), and broadcasts are trees (others start
 * by gathering who is on which host, P^2 messages per communicator), and short messages wait for their receive like
 * long ones (those that do not stand in one list of all ranks, which is searched for each of them). Flows in opposite
 * directions do not disturb each other, as on switched full-duplex links. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/simulate.h"
#include "hiss/clock.h"
#include "hiss/file.h"

enum { MOST_WORDS = 48, ANSWER = 4096 };

static void path_of(const simulate_place *place, const char *name, char out[CLI_PATH + 32]) {
    snprintf(out, CLI_PATH + 32, "%s/%s", place->directory, name);
}

/* ---- words of a command ---- */

typedef struct words {
    char *word[MOST_WORDS + 1];
    int count;
    bool simulator;
    hiss_arena *arena;
} words;

static void __attribute__((format(printf, 2, 3))) add(words *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (w->count < MOST_WORDS) {
        w->word[w->count++] = hiss_arena_vformat(w->arena, format, arguments);
    }
    va_end(arguments);
}

static void add_replay(words *w, const simulate_run *run) {
    const hiss_replay *r = &run->replay;
    add(w, "%s", run->costs);
    add(w, "--lanes=%lld", (long long)r->lanes);
    add(w, "--block=%lld", (long long)r->block);
    add(w, "--samples=%lld", (long long)r->samples);
    add(w, "--reduce=%s", r->reduce == HISS_REDUCE_MPI ? "mpi" : "tree");
    add(w, "--group=%lld", (long long)r->group);
    add(w, "--wire=%s", r->wire == HISS_WIRE_BF16 ? "bf16" : "float32");
    add(w, "--steps=%lld", (long long)r->steps);
    add(w, "--jitter=%.9g", r->jitter);
    add(w, "%s", r->overlap ? "--overlap" : "--no-overlap");
    add(w, "%s", r->communication ? "--communication" : "--no-communication");
}

/* ---- a process ---- */

static void read_all(int from, char answer[ANSWER]) {
    size_t length = 0;
    char piece[512];
    for (ssize_t n; (n = read(from, piece, sizeof piece)) != 0;) {
        if (n < 0 && errno != EINTR) {
            break;
        }
        for (ssize_t k = 0; k < n && length < ANSWER - 1; k++) {
            answer[length++] = piece[k];
        }
    }
    answer[length] = 0;
}

/* The environment of smpirun: TMPDIR is the place, so that what it leaves there goes with it. */
static char **environment_of(const simulate_place *place, hiss_arena *arena) {
    int count = 0, kept = 0;
    while (place->environment[count]) {
        count++;
    }
    char **out = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(count + 2));
    for (int k = 0; k < count; k++) {
        if (strncmp(place->environment[k], "TMPDIR=", 7) != 0) {
            out[kept++] = place->environment[k];
        }
    }
    out[kept] = hiss_arena_format(arena, "TMPDIR=%s", place->directory);
    return out;
}

static hiss_status failed(const words *w, const char *errors, int status, hiss_error *err) {
    char line[512] = "", last[512] = "no message";
    FILE *in = fopen(errors, "r");
    bool found = false;
    while (in && !found && fgets(line, sizeof line, in)) {
        found = strstr(line, "error") || strstr(line, "CRITICAL");
        if (line[strspn(line, " \n-")]) {
            memcpy(last, line, sizeof last);
        }
    }
    if (in) {
        fclose(in);
    }
    last[strcspn(last, "\n")] = 0;
    const char *says = strstr(last, "hiss: error: ") ? strstr(last, "hiss: error: ") + strlen("hiss: error: ") : last;
    const bool ours = says != last && WIFEXITED(status) && WEXITSTATUS(status) == 2;
    return ours ? hiss_fail(err, HISS_EUSER, "%s", says)
                : hiss_fail(err, HISS_ESYSTEM, "%s ended with %s %d: %s", w->word[0],
                            WIFEXITED(status) ? "exit code" : "signal",
                            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), says);
}

/* Run a command to its end; its answer is the last line it writes. */
static hiss_status run_words(const words *w, simulate_place *place, char answer[ANSWER], simulate_result *out,
                             hiss_error *err) {
    char errors[CLI_PATH + 32];
    int ends[2];
    path_of(place, "errors", errors);
    FILE *to = fopen(errors, "w");
    if (!to || pipe(ends) != 0) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write %s or make a pipe: %s", errors, strerror(errno));
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const double start = hiss_seconds();
    char *const *environment = w->simulator ? environment_of(place, w->arena) : place->environment;
    const pid_t child = simulate_start(place, w->word, environment, ends[1], fileno(to));
    const int why = errno;
    close(ends[1]);
    fclose(to);
    struct rusage usage = {0};
    read_all(ends[0], answer);
    close(ends[0]);
    if (child < 0) {
        return hiss_fail(err, HISS_ESYSTEM, "%s cannot be started: %s", w->word[0], strerror(why));
    }
    const int status = simulate_wait(place, child, &usage);
    out->wall = hiss_seconds() - start;
    out->bytes = 1024.0 * (double)usage.ru_maxrss;
    return status == 0 ? HISS_OK : failed(w, errors, status, err);
}

static hiss_status read_times(const words *w, simulate_place *place, simulate_result *out, hiss_error *err) {
    char answer[ANSWER];
    hiss_status s = run_words(w, place, answer, out, err);
    const char *map = s == HISS_OK ? strrchr(answer, '{') : NULL;
    if (s == HISS_OK && !map) {
        return hiss_fail(err, HISS_ESYSTEM, "%s answered '%.200s', expected times", w->word[0], answer);
    }
    return s == HISS_OK ? hiss_replay_parse(map, &out->times, err) : s;
}

/* ---- the simulator ---- */

/* hiss-smpi: beside this program in a build, in libexec of what is installed. */
static hiss_status find_program(char out[CLI_PATH], hiss_arena *arena, hiss_error *err) {
    char self[CLI_PATH], other[CLI_PATH + 32];
    hiss_status s = cli_program(self, err);
    char *slash = s == HISS_OK ? strrchr(self, '/') : NULL;
    if (!slash) {
        return s;
    }
    *slash = 0;
    snprintf(other, sizeof other, "%.*s/../libexec/hiss/hiss-smpi", CLI_PATH - 64, self);
    snprintf(out, CLI_PATH, "%.*s/hiss-smpi", CLI_PATH - 64, self);
    if (hiss_file_exists(out)) {
        return HISS_OK;
    }
    if (realpath(other, out)) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER,
                     "the simulator hiss-smpi is missing: it is neither %.300s/hiss-smpi nor %.300s; %s", self, other,
                     cli_find_in_path("smpicc", arena)
                         ? "`make simulate` builds it, and `make install` installs it"
                         : "it is built where SimGrid is: apt-get install libsimgrid-dev, then make simulate");
}

static hiss_status find_command(const char *name, const char *how_to_get, words *w, hiss_error *err) {
    const char *path = cli_find_in_path(name, w->arena);
    if (!path) {
        return hiss_fail(err, HISS_EUSER, "%s is not in PATH; %s", name, how_to_get);
    }
    add(w, "%s", path);
    return HISS_OK;
}

static void write_hosts(FILE *stream, const void *user) {
    for (int64_t k = 0; k < *(const int64_t *)user; k++) {
        fprintf(stream, "n%lld\n", (long long)k);
    }
}

hiss_status simulate_virtual(simulate_place *place, const simulate_run *run, const hiss_platform *platform,
                             simulate_result *out, hiss_error *err) {
    char program[CLI_PATH], xml[CLI_PATH + 32], hosts[CLI_PATH + 32];
    words w = {.simulator = true, .arena = hiss_arena_create()};
    path_of(place, "platform.xml", xml);
    path_of(place, "hosts", hosts);
    hiss_status s = find_program(program, w.arena, err);
    s = s == HISS_OK ? find_command("smpirun", "apt-get install libsimgrid-dev", &w, err) : s;
    s = s == HISS_OK ? hiss_platform_write(platform, run->ranks, xml, err) : s;
    s = s == HISS_OK ? hiss_file_write_by(hosts, write_hosts, &run->ranks, err) : s;
    if (s != HISS_OK) {
        hiss_arena_destroy(w.arena);
        return s;
    }
    static const char *const settings[] = {
        "smpi/simulate-computation:no",
        "smpi/cpu-threshold:-1",
        "smpi/bw-factor:0:0.97",
        "smpi/lat-factor:0:1",
        "network/TCP-gamma:0",
        "network/crosstraffic:0",
        "smpi/test:0",
        "smpi/wtime:0",
        "smpi/coll-selector:ompi",
        "smpi/bcast:binomial_tree",
        "smpi/shared-malloc:local",
        "smpi/send-is-detached-thresh:0",
    };
    add(&w, "-np");
    add(&w, "%lld", (long long)run->ranks);
    add(&w, "-platform");
    add(&w, "%s", xml);
    add(&w, "-hostfile");
    add(&w, "%s", hosts);
    for (int k = 0; k < HISS_COUNT(settings); k++) {
        add(&w, "--cfg=%s", settings[k]);
    }
    add(&w, "--log=root.t:error");
    add(&w, "%s", program);
    add_replay(&w, run);
    s = read_times(&w, place, out, err);
    hiss_arena_destroy(w.arena);
    return s;
}

/* ---- this machine ---- */

/* Ranks that sleep share cores without harm. */
static hiss_status add_mpirun(words *w, int64_t ranks, hiss_error *err) {
    char self[CLI_PATH];
    hiss_status s = cli_program(self, err);
    s = s == HISS_OK ? find_command("mpirun", "install its MPI library, or load its module", w, err) : s;
    add(w, "-n");
    add(w, "%lld", (long long)ranks);
    if (cli_is_open_mpi()) { /* others do not count cores */
        add(w, "--oversubscribe");
    }
    add(w, "%s", self);
    add(w, "simulate");
    return s;
}

hiss_status simulate_real(simulate_place *place, const simulate_run *run, simulate_result *out, hiss_error *err) {
    words w = {.arena = hiss_arena_create()};
    hiss_status s = add_mpirun(&w, run->ranks, err);
    add(&w, "--replay");
    add_replay(&w, run);
    s = s == HISS_OK ? read_times(&w, place, out, err) : s;
    hiss_arena_destroy(w.arena);
    return s;
}

hiss_status simulate_link(simulate_place *place, double *latency, double *bandwidth, hiss_error *err) {
    words w = {.arena = hiss_arena_create()};
    char answer[ANSWER];
    simulate_result ignored;
    hiss_status s = add_mpirun(&w, 2, err);
    add(&w, "--link");
    s = s == HISS_OK ? run_words(&w, place, answer, &ignored, err) : s;
    if (s == HISS_OK && sscanf(answer, "link %lg %lg", latency, bandwidth) != 2) {
        s = hiss_fail(err, HISS_ESYSTEM, "mpirun answered '%.200s', expected a latency and a bandwidth", answer);
    }
    hiss_arena_destroy(w.arena);
    return s;
}
