/* What Adam's kin share: moments of the gradient, corrected for their beginning at zero. */
#include <math.h>

#include "nn/optim/optim_impl.h"

nn_optim_moments nn_optim_moments_of(const hiss_optim_options *o, const hiss_optim_step *step) {
    return (nn_optim_moments){.scale = step->gradient_scale,
                              .beta1 = (float)o->beta1,
                              .rest1 = (float)(1 - o->beta1),
                              .beta2 = (float)o->beta2,
                              .rest2 = (float)(1 - o->beta2),
                              .correction1 = (float)(1 / (1 - pow(o->beta1, (double)step->update))),
                              .root2 = (float)sqrt(1 - pow(o->beta2, (double)step->update)),
                              .epsilon = (float)o->epsilon};
}

int nn_optim_two_states(const hiss_optim_options *options) {
    (void)options;
    return 2;
}
