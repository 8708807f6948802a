#include "CLinux.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#define WITH_CRC32C __attribute__((target("sse4.2")))
#define CRC32C_WORD(value, word) (uint32_t) _mm_crc32_u64(value, word)
#define CRC32C_BYTE(value, byte) _mm_crc32_u8(value, byte)

bool cpu_has_crc32c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2);
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define WITH_CRC32C __attribute__((target("crc")))
#define CRC32C_WORD(value, word) __crc32cd(value, word)
#define CRC32C_BYTE(value, byte) __crc32cb(value, byte)

bool cpu_has_crc32c(void) {
    return getauxval(AT_HWCAP) & (1 << 7);
}
#else
#define WITH_CRC32C
#define CRC32C_WORD(value, word) 0
#define CRC32C_BYTE(value, byte) 0

bool cpu_has_crc32c(void) {
    return false;
}
#endif

WITH_CRC32C uint32_t cpu_crc32c(uint32_t seed, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    uint32_t value = ~seed;
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        value = CRC32C_WORD(value, word);
    }
    for (; count > 0; count--, next++) value = CRC32C_BYTE(value, *next);
    return ~value;
}
