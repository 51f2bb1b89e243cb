/* Rows of operations that have no file of their own in ops/ yet. */
#include "graph/op_layers.h"
#include "graph/ops/ops.h"

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
