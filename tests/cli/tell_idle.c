/* Warn of the keys of a config that have no effect, as hiss train does where it goes on, without data: tell_idle CONFIG
 * [KEY=VALUE]... */
#include "eval_sections.h"
#include "hiss/alloc.h"
#include "hiss/experiment.h"
#include "hiss/judge.h"
#include "hiss/log.h"

int main(int argc, char **argv) {
    hiss_eval_options eval = {0};
    hiss_extra_section section[MOST_SECTIONS];
    const int sections = eval_sections(&eval, section);
    hiss_experiment e = {0};
    hiss_error err = {0};
    hiss_log_setup(HISS_LOG_INFO, 0);
    const hiss_status s =
        argc < 2 ? HISS_EUSER
                 : hiss_experiment_read(argv[1], (const char *const *)argv + 2, argc - 2, section, sections, &e, &err);
    if (s == HISS_OK) {
        hiss_experiment_tell_idle(&e, ~0u);
    } else {
        hiss_error_line("%s", err.text);
    }
    hiss_experiment_destroy(&e);
    return hiss_exit_code(s);
}
