/* What the checks of several optimisers share. */
#include <stdarg.h>

#include "nn/optim/optim_impl.h"

#define NAME(constant, name) [HISS_##constant] = #name,
static const char *const names[] = {HISS_OPTIMISERS(NAME)};
#undef NAME

hiss_status nn_optim_fail(hiss_error *err, const char *section, const char *key, const char *format, ...) {
    char path[HISS_ERROR_KEY], text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(path, sizeof path, "%s.%s", section, key);
    return hiss_fail_key(err, HISS_EUSER, path, "%s", text);
}

hiss_status nn_optim_no_momentum(const hiss_optim_options *options, const char *section, hiss_error *err) {
    const char *name = names[options->method];
    if (options->nesterov) {
        return nn_optim_fail(err, section, "nesterov", "expected false with method %s, which has none, found true",
                             name);
    }
    if (options->momentum != 0) {
        return nn_optim_fail(err, section, "momentum", "expected 0 with method %s, found %g; use %s.beta1 instead",
                             name, options->momentum, section);
    }
    return HISS_OK;
}
