/* The control registers that say what becomes of subnormal numbers: MXCSR of SSE and AVX (FTZ for results, DAZ for
 * operands) on x86, FPCR (FZ for both) on AArch64. */
#include "hiss/subnormal.h"

#include <stdint.h>

#if defined __SSE2__
enum { AS_ZERO = 0x8040 };

static uint64_t control(void) {
    return __builtin_ia32_stmxcsr();
}

static void set_control(uint64_t value) {
    __builtin_ia32_ldmxcsr((unsigned)value);
}
#elif defined __aarch64__
enum { AS_ZERO = 1 << 24 };

static uint64_t control(void) {
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
}

static void set_control(uint64_t value) {
    __asm__ volatile("msr fpcr, %0" : : "r"(value));
}
#else
enum { AS_ZERO = 1 };

static uint64_t control(void) {
    return 0;
}

static void set_control(uint64_t value) {
    (void)value;
}
#endif

bool hiss_subnormals_are_zero(void) {
    return (control() & AS_ZERO) == AS_ZERO;
}

bool hiss_subnormals_to_zero(void) {
    if (!hiss_subnormals_are_zero()) {
        set_control(control() | AS_ZERO);
    }
    return hiss_subnormals_are_zero();
}
