/* Loaded before OpenBLAS: the processor seems to have no AVX-512 when the library chooses a core by itself, as with
 * processors that are younger than it. What is asked for by name runs nevertheless. */
int support_avx512(void);
int support_avx512_bf16(void);

int support_avx512(void) {
    return 0;
}

int support_avx512_bf16(void) {
    return 0;
}
