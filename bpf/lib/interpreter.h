/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Interpreters, recognized by the name of their file. A renamed interpreter is relocated image
 * content and alerts by itself.
 */
#ifndef DRIFTLINE_INTERPRETER_H
#define DRIFTLINE_INTERPRETER_H

#include "file.h"
#include "kernel.h"
#include "maps.h"

/* WORD packs 8 characters as they lie in memory (little-endian); FIRST(n) masks the first n. */
#define B(c, n) ((__u64)(__u8)(c) << (8 * (n)))
#define WORD(a, b, c, d, e, f, g, h) (B(a, 0) | B(b, 1) | B(c, 2) | B(d, 3) | B(e, 4) | B(f, 5) | B(g, 6) | B(h, 7))
#define FIRST(n) (~0ULL >> (8 * (8 - (n))))

static __always_inline bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '_';
}

/* The name that is looked up: in a map, since the verifier would follow every content of the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct interpreter_name);
} program_name SEC(".maps");

/* Cut the name at its first digit, and the separators before that: python3.11 becomes python. As
 * interpreter_name() in driftline/verdict/interpreters.py does. A global function, which the verifier
 * checks once. */
__noinline int cut_version(void)
{
	__u32 zero = 0, length = 0;
	volatile struct interpreter_name *of = bpf_map_lookup_elem(&program_name, &zero);

	if (!of)
		return 0;
	for (__u32 i = 0; i < INTERPRETER_NAME_LEN; i++) {
		char c = of->name[i];

		if (!c || (c >= '0' && c <= '9'))
			break;
		if (!is_separator(c))
			length = i + 1;
	}
	for (__u32 i = 0; i < INTERPRETER_NAME_LEN; i++)
		if (i >= length)
			of->name[i] = 0;
	return length;
}

/* Kinds of the interpreter with this file name (enum interpreter_kind); 0: it is none. */
static __always_inline __u32 kinds_by_name(const unsigned char *name)
{
	__u32 zero = 0, *kinds;
	struct interpreter_name *of = bpf_map_lookup_elem(&program_name, &zero);

	if (!of || bpf_probe_read_kernel_str(of->name, sizeof(of->name), name) < 0 || !cut_version())
		return 0;
	kinds = bpf_map_lookup_elem(&interpreter_names, of);
	return kinds ? *kinds : 0;
}

/* Kinds of the interpreter that the task runs; 0: it runs none. */
static __always_inline __u32 interpreter_kinds(struct task_struct *task)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct file_key key;
	__u32 *kinds;

	if (!exe)
		return 0;
	key = key_of(exe);
	kinds = bpf_map_lookup_elem(&interpreters, &key);
	return kinds ? *kinds : 0;
}

#endif
