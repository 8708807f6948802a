// What names of users need of the Unicode Character Database and Swift's standard library does not tell: compatibility
// decompositions, compositions, and the scripts of what a name may hold. tables.h has the data, and its version.
#ifndef CUNICODE_H
#define CUNICODE_H

#include <stdint.h>

/// The version of the data, as `15.0.0`.
const char *unicode_version(void);

/// Scalars of the table from `start` on, for `unicode_part`.
struct unicode_parts { uint16_t start, count; };

/// The scalar's full compatibility decomposition (UAX 15, NFKD), before reordering; of no parts where it has none.
/// Hangul's syllables have none here: theirs are computed.
struct unicode_parts unicode_decomposition(uint32_t scalar);

/// The scalar at a place from `start` on, below the sum of `start` and `count`.
uint32_t unicode_part(uint16_t place);

/// The primary composite of two scalars (UAX 15, D114); 0: they have none. Likewise without Hangul.
uint32_t unicode_composed(uint32_t first, uint32_t second);

/// The scripts in which a scalar is used, a bit each (UAX 24, Script_Extensions), all of them for one of any script; 0 for
/// what no name holds: characters outside of the IdentifierClass (RFC 8264, section 4.2) but for the ASCII space, and those
/// of scripts alone that UAX 31 does not recommend for identifiers.
uint32_t unicode_scripts(uint32_t scalar);

#endif
