/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether a file that an interpreter opens is the script it was given.
 */
#ifndef DRIFTLINE_SCRIPT_H
#define DRIFTLINE_SCRIPT_H

#include "interpreter.h"
#include "kernel.h"

#define WORD_LEN 256 /* longer script arguments are left to user space */

struct words {
	char argument[WORD_LEN];
	char name[WORD_LEN];
};

/* Two strings of user memory; too long for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct words);
} words SEC(".maps");

static __always_inline bool is_same(const struct words *of, long length)
{
	for (int i = 0; i < WORD_LEN; i++) {
		if (i >= length)
			return true;
		if (of->argument[i] != of->name[i])
			return false;
	}
	return false;
}

/* The first argument that is no option, counted from behind the interpreter's own name; for
 * busybox its applet's name, which it may be given as an argument, is one more. Such an
 * argument of an option (`python3 -W ignore x.py`) hides the script: user space sees it. */
static __always_inline bool is_script_argument(struct task_struct *task, const char *name)
{
	unsigned long at = BPF_CORE_READ(task, mm, arg_start);
	__u32 zero = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);
	long named;

	if (!of || !name)
		return false;
	named = bpf_probe_read_user_str(of->name, WORD_LEN, name);
	if (named <= 1 || named >= WORD_LEN)
		return false;
	for (int i = 0; i < 8; i++) {
		long length = bpf_probe_read_user_str(of->argument, WORD_LEN, (void *)at);

		if (length <= 0)
			return false;
		at += length;
		if (i == 0 || of->argument[0] == '-' || (i == 1 && is_interpreter_name((void *)of->argument)))
			continue;
		return length == named && is_same(of, length);
	}
	return false;
}

#endif
