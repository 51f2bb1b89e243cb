/* Rows of the table that ships with the program; kern_choice.c includes them. Only shapes where measurement found
 * another implementation faster than the rule's, as `hiss bench kernels CONFIG --save FILE` writes them. Changing a row
 * changes the bits of runs with such a shape. ANY stands for any number. Fast on AVX-512 need not be on narrower
 * vectors, so rows are for the one they were measured on. */
#if defined __AVX512F__
CONV2D(FORWARD, ANY, ANY, ANY, 1, 1, 1, 1, 1, 0, "tiled-blas")
#else
CONV2D(FORWARD, ANY, ANY, ANY, 1, 1, 1, 1, 1, 0, "tiled-blas")
#endif
