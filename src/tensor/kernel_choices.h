/* Rows of the table that ships with the program, for kern_choice.c: shapes for which `hiss bench kernels` found another
 * implementation faster, by 5 % or more, than the rule's. The first row that matches counts; ANY stands for any number.
 * What is fast on wide vectors need not be on narrow ones, so rows belong to the vectors they were measured on.
 * Changing a row changes the bits of runs with such shapes.
 *
 * Convolutions of the presets at widths 16 and 32: the rules are right. */
#if defined __AVX512F__
/* OpenBLAS 0.3.21 SkylakeX: few outputs leave little to reuse in what the own product transposes ... */
LINEAR(FORWARD, ANY, ANY, 32, "blas")
LINEAR(BACKWARD_DATA, ANY, ANY, 32, "blas")
LINEAR(BACKWARD_WEIGHT, 32, ANY, 32, "blas")
LINEAR(BACKWARD_WEIGHT, 64, ANY, 32, "blas")
/* ... and more rows repay packing the weights, but not for their gradient. */
LINEAR(FORWARD, 64, ANY, 256, "blas")
LINEAR(FORWARD, 96, ANY, ANY, "blas")
LINEAR(FORWARD, 128, ANY, ANY, "blas")
LINEAR(BACKWARD_WEIGHT, 256, ANY, ANY, "own")
LINEAR(BACKWARD_WEIGHT, 512, ANY, ANY, "own")
#elif defined __AVX2__
/* Measured within a step (`hiss bench step`), where weights come from far: in a loop of its own a kernel finds them near.
 * OpenBLAS 0.3.21 Zen (Zen 3): few columns or outputs leave little to reuse in what the own product transposes, and its
 * gradient of the data copies weights more slowly. */
LINEAR(FORWARD, ANY, 32, ANY, "blas")
LINEAR(FORWARD, ANY, 64, ANY, "blas")
LINEAR(BACKWARD_WEIGHT, ANY, 32, ANY, "blas")
LINEAR(BACKWARD_WEIGHT, ANY, 64, ANY, "blas")
LINEAR(FORWARD, ANY, ANY, 32, "blas")
LINEAR(BACKWARD_WEIGHT, ANY, ANY, 32, "blas")
LINEAR(BACKWARD_DATA, ANY, ANY, ANY, "blas")
#endif
