/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Interpreters, recognized by the name of their file. A renamed interpreter is relocated image
 * content and alerts by itself.
 */
#ifndef DRIFTLINE_INTERPRETER_H
#define DRIFTLINE_INTERPRETER_H

#include "kernel.h"

/* WORD packs 8 characters as they lie in memory (little-endian); FIRST(n) masks the first n. */
#define B(c, n) ((__u64)(__u8)(c) << (8 * (n)))
#define WORD(a, b, c, d, e, f, g, h) (B(a, 0) | B(b, 1) | B(c, 2) | B(d, 3) | B(e, 4) | B(f, 5) | B(g, 6) | B(h, 7))
#define FIRST(n) (~0ULL >> (8 * (8 - (n))))

/* Compares the first eight bytes of the name. Where FIRST(n) includes the NUL, the whole name must
 * match; otherwise the prefix, so that python3.11, ruby3.1 and php8 match. */
static __always_inline bool is_interpreter_name(const unsigned char *name)
{
	char buffer[16] = {};
	__u64 word;

	if (bpf_probe_read_kernel_str(buffer, sizeof(buffer), name) < 0)
		return false;
	word = *(__u64 *)buffer;
	return (word & FIRST(3)) == WORD('s', 'h', 0, 0, 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('a', 's', 'h', 0, 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('b', 'a', 's', 'h', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('d', 'a', 's', 'h', 0, 0, 0, 0) ||
	       (word & FIRST(3)) == WORD('z', 's', 'h', 0, 0, 0, 0, 0) ||
	       (word & FIRST(3)) == WORD('k', 's', 'h', 0, 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('m', 'k', 's', 'h', 0, 0, 0, 0) ||
	       (word & FIRST(7)) == WORD('b', 'u', 's', 'y', 'b', 'o', 'x', 0) ||
	       (word & FIRST(6)) == WORD('p', 'y', 't', 'h', 'o', 'n', 0, 0) ||
	       (word & FIRST(4)) == WORD('p', 'y', 'p', 'y', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('p', 'e', 'r', 'l', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('r', 'u', 'b', 'y', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('n', 'o', 'd', 'e', 0, 0, 0, 0) ||
	       (word & FIRST(3)) == WORD('p', 'h', 'p', 0, 0, 0, 0, 0) ||
	       (word & FIRST(3)) == WORD('l', 'u', 'a', 0, 0, 0, 0, 0) ||
	       (word & FIRST(5)) == WORD('t', 'c', 'l', 's', 'h', 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('p', 'w', 's', 'h', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('g', 'a', 'w', 'k', 0, 0, 0, 0) ||
	       (word & FIRST(4)) == WORD('m', 'a', 'w', 'k', 0, 0, 0, 0);
}

#endif
