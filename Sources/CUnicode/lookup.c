#include "CUnicode.h"

#include <stddef.h>

#include "tables.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/// The place of the last of `count` rows that does not begin behind `scalar`; `count`: there is none. Each row begins with
/// the scalar that it goes by.
static size_t row(const void *rows, size_t count, size_t size, uint32_t scalar) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint32_t *first = (const void *)((const char *)rows + middle * size);
        if (*first <= scalar) low = middle + 1;
        else high = middle;
    }
    return low > 0 ? low - 1 : count;
}

const char *unicode_version(void) { return UNICODE_VERSION; }

struct unicode_parts unicode_decomposition(uint32_t scalar) {
    size_t found = row(decompositions, COUNT(decompositions), sizeof *decompositions, scalar);
    if (found == COUNT(decompositions)) return (struct unicode_parts){0, 0};
    const struct decompositions *run = &decompositions[found];
    uint32_t place = scalar - run->first;
    if (place >= run->count) return (struct unicode_parts){0, 0};
    return (struct unicode_parts){run->start + place * run->length, run->length};
}

uint32_t unicode_part(uint16_t place) {
    uint16_t unit = place < COUNT(units) ? units[place] : 0;
    return unit >= 0xD800 && unit < 0xE000 ? wide[unit - 0xD800] : unit;
}

uint32_t unicode_composed(uint32_t first, uint32_t second) {
    // All that compose with what is before them are above Latin.
    if (second < 0x300) return 0;
    size_t low = 0, high = COUNT(compositions);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct composition *pair = &compositions[middle];
        if (pair->first == first && pair->second == second) return pair->composed;
        if (pair->first < first || (pair->first == first && pair->second < second)) low = middle + 1;
        else high = middle;
    }
    return 0;
}

uint32_t unicode_scripts(uint32_t scalar) {
    size_t found = row(identifiers, COUNT(identifiers), sizeof *identifiers, scalar);
    if (found == COUNT(identifiers)) return 0;
    const struct identifiers *run = &identifiers[found];
    return scalar - run->first < run->count ? script_sets[run->scripts] : 0;
}
