/* Starting smpirun and mpirun, and reading what their rank 0 says.
 *
 * SimGrid is told: the network costs what the platform says (its defaults are those of a slow cluster), computing costs
 * nothing unless it is slept, polling costs nothing (the replay does not spin), and broadcasts are trees (others start
 * by gathering who is on which host, P^2 messages per communicator), and short messages wait for their receive like
 * long ones (those that do not stand in one list of all ranks, which is searched for each of them). Flows in opposite
 * directions do not disturb each other, as on switched full-duplex links. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/simulate.h"
#include "hiss/clock.h"
#include "hiss/file.h"

extern char **environ;

enum { MOST_WORDS = 48, ANSWER = 4096 };
static const char how_to_get[] = "apt-get install libsimgrid-dev, then make simulate";

/* ---- the place ---- */

hiss_status simulate_place_create(simulate_place *place, hiss_error *err) {
    const char *base = getenv("TMPDIR");
    snprintf(place->directory, sizeof place->directory, "%s/hiss-simulate-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(place->directory)
               ? HISS_OK
               : hiss_fail(err, HISS_ESYSTEM, "cannot make a directory %s: %s", place->directory, strerror(errno));
}

static void path_of(const simulate_place *place, const char *name, char out[CLI_PATH + 32]) {
    snprintf(out, CLI_PATH + 32, "%s/%s", place->directory, name);
}

static const char *const file_names[] = {"platform.xml", "hosts", "errors", "costs"};

void simulate_place_destroy(simulate_place *place) {
    char path[CLI_PATH + 32];
    for (int k = 0; k < HISS_COUNT(file_names); k++) {
        path_of(place, file_names[k], path);
        unlink(path);
    }
    rmdir(place->directory);
}

/* ---- words of a command ---- */

typedef struct words {
    char *word[MOST_WORDS + 1];
    int count;
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
    add(w, "--reduce=%s", r->reduce == HISS_REDUCE_MPI ? "mpi" : "tree");
    add(w, "--group=%lld", (long long)r->group);
    add(w, "--steps=%lld", (long long)r->steps);
    add(w, "--jitter=%.9g", r->jitter);
    add(w, "%s", r->overlap ? "--overlap" : "--no-overlap");
    add(w, "%s", r->communication ? "--communication" : "--no-communication");
}

/* ---- a process ---- */

static void become(const words *w, const simulate_place *place, int output, int errors) {
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    environ = (char **)place->environment;
    execvp(w->word[0], w->word);
    _exit(errno == ENOENT ? 127 : 126);
}

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

static hiss_status failed(const words *w, const char *errors, int status, hiss_error *err) {
    char line[512] = "no message";
    FILE *in = fopen(errors, "r");
    while (in && fgets(line, sizeof line, in) && !strstr(line, "error") && !strstr(line, "CRITICAL")) {
    }
    if (in) {
        fclose(in);
    }
    line[strcspn(line, "\n")] = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return hiss_fail(err, HISS_EUSER, "%s is not in PATH; %s", w->word[0],
                         strcmp(w->word[0], "smpirun") == 0 ? how_to_get : "install Open MPI");
    }
    return hiss_fail(err, HISS_ESYSTEM, "%s ended with %s %d: %s", w->word[0],
                     WIFEXITED(status) ? "exit code" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), line);
}

/* Run a command to its end; its answer is the last line it writes. */
static hiss_status run_words(const words *w, const simulate_place *place, char answer[ANSWER], simulate_result *out,
                             hiss_error *err) {
    char errors[CLI_PATH + 32];
    int ends[2], status = 0;
    path_of(place, "errors", errors);
    FILE *to = fopen(errors, "w");
    if (!to || pipe(ends) != 0) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write %s or make a pipe: %s", errors, strerror(errno));
    }
    const double start = hiss_seconds();
    const pid_t child = fork();
    if (child == 0) {
        become(w, place, ends[1], fileno(to));
    }
    close(ends[1]);
    fclose(to);
    struct rusage usage = {0};
    read_all(ends[0], answer);
    close(ends[0]);
    while (child > 0 && wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    out->wall = hiss_seconds() - start;
    out->bytes = 1024.0 * (double)usage.ru_maxrss;
    return child > 0 && status == 0 ? HISS_OK : failed(w, errors, child > 0 ? status : -1, err);
}

static hiss_status read_times(const words *w, const simulate_place *place, simulate_result *out, hiss_error *err) {
    char answer[ANSWER];
    hiss_status s = run_words(w, place, answer, out, err);
    const char *map = s == HISS_OK ? strrchr(answer, '{') : NULL;
    if (s == HISS_OK && !map) {
        return hiss_fail(err, HISS_ESYSTEM, "%s answered '%.200s', expected times", w->word[0], answer);
    }
    return s == HISS_OK ? hiss_replay_parse(map, &out->times, err) : s;
}

/* ---- the simulator ---- */

/* The program beside this one. */
static hiss_status find_program(char out[CLI_PATH + 32], hiss_error *err) {
    char self[CLI_PATH];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    char *slash = strrchr(self, '/');
    snprintf(out, CLI_PATH + 32, "%.*s/hiss-smpi", slash ? (int)(slash - self) : 1, slash ? self : ".");
    return hiss_file_exists(out)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s is not there: hiss was built without SimGrid; %s", out, how_to_get);
}

static void write_hosts(FILE *stream, const void *user) {
    for (int64_t k = 0; k < *(const int64_t *)user; k++) {
        fprintf(stream, "n%lld\n", (long long)k);
    }
}

hiss_status simulate_virtual(simulate_place *place, const simulate_run *run, const hiss_platform *platform,
                             simulate_result *out, hiss_error *err) {
    char program[CLI_PATH + 32], xml[CLI_PATH + 32], hosts[CLI_PATH + 32];
    path_of(place, "platform.xml", xml);
    path_of(place, "hosts", hosts);
    hiss_status s = find_program(program, err);
    s = s == HISS_OK ? hiss_platform_write(platform, run->ranks, xml, err) : s;
    s = s == HISS_OK ? hiss_file_write_by(hosts, write_hosts, &run->ranks, err) : s;
    if (s != HISS_OK) {
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
    words w = {.arena = hiss_arena_create()};
    add(&w, "smpirun");
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

static void add_mpirun(words *w, int64_t ranks) {
    char self[CLI_PATH] = "hiss";
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 4] = 0;
    add(w, "mpirun");
    add(w, "-n");
    add(w, "%lld", (long long)ranks);
    add(w, "%s", self);
    add(w, "simulate");
}

hiss_status simulate_real(simulate_place *place, const simulate_run *run, simulate_result *out, hiss_error *err) {
    words w = {.arena = hiss_arena_create()};
    add_mpirun(&w, run->ranks);
    add(&w, "--replay");
    add_replay(&w, run);
    hiss_status s = read_times(&w, place, out, err);
    hiss_arena_destroy(w.arena);
    return s;
}

hiss_status simulate_link(simulate_place *place, double *latency, double *bandwidth, hiss_error *err) {
    words w = {.arena = hiss_arena_create()};
    char answer[ANSWER];
    simulate_result ignored;
    add_mpirun(&w, 2);
    add(&w, "--link");
    hiss_status s = run_words(&w, place, answer, &ignored, err);
    if (s == HISS_OK && sscanf(answer, "link %lg %lg", latency, bandwidth) != 2) {
        s = hiss_fail(err, HISS_ESYSTEM, "mpirun answered '%.200s', expected a latency and a bandwidth", answer);
    }
    hiss_arena_destroy(w.arena);
    return s;
}
