/* The keys of a section optim. Those of all methods stand in one section, so that changing the method is one setting.
 */
#include <stddef.h>

#include "nn/optim/optim_impl.h"

#define FIELD(name) offsetof(hiss_optim_options, name)

#define BELOW_ONE 0.9999999

#define NAME(constant, name) "|" #name
#define METHODS              HISS_OPTIMISERS(NAME)

const hiss_row hiss_optim_rows[] = {
    {"method", HISS_CHOICE, FIELD(method), "sgd", 0, 0, METHODS, "optimiser"},
    {"lr", HISS_FLOAT, FIELD(lr), NULL, 0, 1e6, NULL, "learning rate, for the gradient of the mean over the batch"},
    {"momentum", HISS_FLOAT, FIELD(momentum), "0", 0, BELOW_ONE, NULL, "sgd, lars: momentum; 0 is none"},
    {"nesterov", HISS_BOOL, FIELD(nesterov), "false", 0, 0, NULL, "sgd: Nesterov's look-ahead"},
    {"weight_decay", HISS_FLOAT, FIELD(weight_decay), "0", 0, 1e3, NULL,
     "L2 decay, added to the gradient; adamw, lamb: decoupled from it"},
    {"clip_norm", HISS_FLOAT, FIELD(clip_norm), "0", 0, 1e30, NULL,
     "scale a gradient down whose norm over all parameters is larger; 0: never"},
    {"include_biases", HISS_BOOL, FIELD(include_biases), "false", 0, 0, NULL,
     "weight decay, and ratios of lars and lamb, also for biases and the gains and offsets of batch norm"},
    {"trust", HISS_FLOAT, FIELD(trust), "0.001", 1e-12, 1e6, NULL,
     "lars: an update's norm by that of its parameters, at learning rate 1"},
    {"beta1", HISS_FLOAT, FIELD(beta1), "0.9", 0, BELOW_ONE, NULL, "adam, adamw, lamb: decay of the first moment"},
    {"beta2", HISS_FLOAT, FIELD(beta2), "0.999", 0, BELOW_ONE, NULL, "adam, adamw, lamb: decay of the second moment"},
    {"epsilon", HISS_FLOAT, FIELD(epsilon), "1e-8", 1e-30, 1, NULL,
     "adam, adamw, lamb, adagrad: added to the root of the second moment, or of the squares"},
    {"schedule", HISS_CHOICE, FIELD(schedule), "constant", 0, 0, "constant|step|cosine|linear|inverse",
     "how the learning rate changes"},
    {"warmup", HISS_FLOAT, FIELD(warmup), "0", 0, 1e6, NULL, "epochs of linear warm-up from 0"},
    {"lr_end", HISS_FLOAT, FIELD(lr_end), "0", 0, 1e6, NULL, "cosine, linear: learning rate at the end"},
    {"step_every", HISS_INT, FIELD(step_every), "30", 1, 1e9, NULL, "step: epochs between two reductions"},
    {"step_factor", HISS_FLOAT, FIELD(step_factor), "0.1", 0, 1, NULL, "step: factor of a reduction"},
    {"inverse_after", HISS_INT, FIELD(inverse_after), "0", 0, 1e9, NULL,
     "inverse: rate is lr / (1 + inverse_gamma (epoch - inverse_after)) after this epoch"},
    {"inverse_gamma", HISS_FLOAT, FIELD(inverse_gamma), "0", 0, 1e6, NULL, "inverse: decay per epoch"},
};
const int hiss_optim_nrows = HISS_COUNT(hiss_optim_rows);
