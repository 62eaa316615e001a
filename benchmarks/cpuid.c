/* Answers for a processor that has AVX2 and nothing wider; see benchmarks/avx2.py, which compiles this.
 *
 * Loaded ahead of every other library (LD_PRELOAD). Two things: a library that is asked for by the path in
 * AVX2_INSTEAD_OF is opened from the path in AVX2_LIBRARY, a copy in which every cpuid is the undefined instruction ud2
 * (both are two bytes); and whoever meets such an ud2 gets what cpuid would have written, without wider instructions.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define BIT(n) (1u << (n))

/* Intel's and AMD's manuals, "CPUID", leaf 7: registers eax, ebx, ecx, edx. */
void answer(unsigned leaf, unsigned subleaf, unsigned registers[4])
{
    unsigned *r = registers;
    __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
    if (leaf == 7 && subleaf == 0) {
        /* AVX-512 F DQ IFMA PF ER CD BW VL */
        r[1] &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
        /* AVX-512 VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
        r[2] &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
        /* AVX-512 4VNNIW 4FMAPS VP2INTERSECT, AMX BF16, AVX-512 FP16, AMX TILE INT8 */
        r[3] &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));
    }
    if (leaf == 7 && subleaf == 1) {
        /* AVX-VNNI, AVX-512 BF16, AMX FP16, AVX-IFMA */
        r[0] &= ~(BIT(4) | BIT(5) | BIT(21) | BIT(23));
        /* AVX-VNNI INT8, AVX-NE-CONVERT, AVX-VNNI INT16, AVX10 */
        r[3] &= ~(BIT(4) | BIT(5) | BIT(10) | BIT(19));
    }
}

static void on_undefined(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    unsigned found[4];
    (void)number, (void)info;
    if (instruction[0] != 0x0f || instruction[1] != 0x0b) { /* somebody else's: fails again, and for good */
        signal(SIGILL, SIG_DFL);
        return;
    }
    answer((unsigned)registers[REG_RAX], (unsigned)registers[REG_RCX], found);
    registers[REG_RAX] = found[0];
    registers[REG_RBX] = found[1];
    registers[REG_RCX] = found[2];
    registers[REG_RDX] = found[3];
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void)
{
    struct sigaction action = {0};
    action.sa_sigaction = on_undefined;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    sigaction(SIGILL, &action, NULL);
}

void *dlopen(const char *path, int flags)
{
    static void *(*next)(const char *, int);
    const char *instead_of = getenv("AVX2_INSTEAD_OF"), *library = getenv("AVX2_LIBRARY");
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    if (path && instead_of && library && strcmp(path, instead_of) == 0)
        path = library;
    return next(path, flags);
}
