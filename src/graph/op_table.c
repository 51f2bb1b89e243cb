/* Rows of operations that have no file of their own in ops/ yet. */
#include "graph/op_layers.h"
#include "graph/op_simple.h"
#include "graph/ops/ops.h"

#define LEAF "a leaf: it has no inputs"

const op graph_op_input = {.name = "input", .exempt = LEAF, .leaf = true};

const op graph_op_labels = {.name = "labels", .exempt = LEAF, .leaf = true};

const op graph_op_parameter = {.name = "parameter", .exempt = LEAF, .leaf = true, .home = HOME_MODEL};

const op graph_op_constant = {.name = "constant", .exempt = LEAF, .leaf = true, .home = HOME_GRAPH};

const op graph_op_conv2d = {.name = "conv2d",
                            .shape = hiss_conv2d_shape,
                            .forward = hiss_conv2d_forward,
                            .backward = hiss_conv2d_backward,
                            .scratch = hiss_conv2d_scratch_floats,
                            .flops = hiss_conv2d_flops,
                            .needs_input = 3,
                            .example = hiss_example_conv2d,
                            .product = hiss_conv2d_product};

const op graph_op_conv2d_transposed = {.name = "conv2d_transposed",
                                       .shape = hiss_conv2d_transposed_shape,
                                       .forward = hiss_conv2d_transposed_forward,
                                       .backward = hiss_conv2d_transposed_backward,
                                       .scratch = hiss_conv2d_transposed_scratch,
                                       .flops = hiss_conv2d_flops,
                                       .needs_input = 3,
                                       .example = hiss_example_conv2d_transposed,
                                       .product = hiss_conv2d_product};

const op graph_op_linear = {.name = "linear",
                            .shape = hiss_linear_shape,
                            .forward = hiss_linear_forward,
                            .backward = hiss_linear_backward,
                            .scratch = hiss_linear_scratch_floats,
                            .flops = hiss_linear_flops,
                            .needs_input = 3,
                            .example = hiss_example_linear,
                            .product = hiss_linear_product,
                            .product_is_linear = true};

const op graph_op_batch_norm = {.name = "batch_norm",
                                .shape = hiss_batch_norm_shape,
                                .forward = hiss_batch_norm_train_forward,
                                .backward = hiss_batch_norm_train_backward,
                                .save = hiss_batch_norm_save,
                                .scratch = hiss_batch_norm_scratch,
                                .flops = graph_elementwise_flops,
                                .needs_input = 3,
                                .example = hiss_example_batch_norm_train,
                                .record = hiss_batch_norm_record,
                                .records = hiss_batch_norm_records};

const op graph_op_batch_norm_eval = {.name = "batch_norm_eval",
                                     .shape = hiss_batch_norm_shape,
                                     .forward = hiss_batch_norm_eval_forward,
                                     .flops = graph_elementwise_flops,
                                     .exempt = "evaluation only: nothing is trained through running statistics"};

const op graph_op_activation = {.name = "activation",
                                .shape = graph_same_shape,
                                .forward = hiss_activation_forward,
                                .backward = hiss_activation_backward,
                                .flops = graph_elementwise_flops,
                                .needs_output = true,
                                .in_place = true,
                                .example = hiss_example_activation};

const op graph_op_max_pool = {.name = "max_pool",
                              .shape = hiss_pool_shape,
                              .forward = hiss_max_pool_forward,
                              .backward = hiss_max_pool_backward,
                              .save = hiss_max_pool_save,
                              .flops = graph_elementwise_flops,
                              .example = hiss_example_max_pool};

const op graph_op_average_pool = {.name = "average_pool",
                                  .shape = hiss_pool_shape,
                                  .forward = hiss_average_pool_forward,
                                  .backward = hiss_average_pool_backward,
                                  .flops = graph_elementwise_flops,
                                  .example = hiss_example_average_pool};

const op graph_op_dropout = {.name = "dropout",
                             .shape = hiss_dropout_shape,
                             .forward = hiss_dropout_forward,
                             .backward = hiss_dropout_backward,
                             .save = hiss_dropout_save,
                             .flops = graph_elementwise_flops,
                             .example = hiss_example_dropout};

const op graph_op_reshape = {
    .name = "reshape", .shape = hiss_reshape_shape, .view = true, .example = hiss_example_reshape};

const op graph_op_l2_normalize = {.name = "l2_normalize",
                                  .shape = hiss_l2_normalize_shape,
                                  .forward = hiss_l2_normalize_forward,
                                  .backward = hiss_l2_normalize_backward,
                                  .save = hiss_l2_normalize_save,
                                  .flops = graph_elementwise_flops,
                                  .needs_output = true,
                                  .example = hiss_example_l2_normalize};

const op graph_op_multiply = {.name = "multiply",
                              .shape = graph_same_shape,
                              .forward = hiss_multiply_forward,
                              .backward = hiss_multiply_backward,
                              .flops = graph_elementwise_flops,
                              .needs_input = 3,
                              .example = hiss_example_multiply};

const op graph_op_stop_gradient = {.name = "stop_gradient",
                                   .shape = graph_same_shape,
                                   .view = true,
                                   .example = hiss_example_stop_gradient,
                                   .stops_gradient = true};

const op graph_op_softmax_cross_entropy = {.name = "softmax_cross_entropy",
                                           .shape = hiss_softmax_cross_entropy_shape,
                                           .forward = hiss_softmax_cross_entropy_forward,
                                           .backward = hiss_softmax_cross_entropy_backward,
                                           .save = hiss_softmax_cross_entropy_save,
                                           .needs_input = 2,
                                           .flops = graph_elementwise_flops,
                                           .example = hiss_example_softmax_cross_entropy};

const op graph_op_squared_loss = {.name = "squared_loss",
                                  .shape = hiss_squared_loss_shape,
                                  .forward = hiss_squared_loss_forward,
                                  .backward = hiss_squared_loss_backward,
                                  .flops = graph_elementwise_flops,
                                  .needs_input = 3,
                                  .example = hiss_example_squared_loss};
