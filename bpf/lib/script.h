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

/* Global functions, which the verifier follows once: hence scalars, and `words` looked up anew. */
__noinline int is_same_word(__u64 length)
{
	__u32 zero = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);

	for (__u32 i = 0; of && i < WORD_LEN; i++) {
		if (i >= length)
			return 1;
		if (of->argument[i] != of->name[i])
			return 0;
	}
	return 0;
}

/* Where the name begins that `argument` ends with; a login shell's has a dash in front. */
__noinline int last_name(void)
{
	__u32 zero = 0, start = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);

	for (__u32 i = 0; of && i < WORD_LEN - 1; i++) {
		if (!of->argument[i])
			break;
		if (of->argument[i] == '/' || (of->argument[i] == '-' && i == 0))
			start = i + 1;
	}
	return start;
}

static __always_inline bool is_busybox(struct task_struct *task)
{
	char name[9] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	return (*(__u64 *)name & FIRST(7)) == WORD('b', 'u', 's', 'y', 'b', 'o', 'x', 0);
}

enum applet { APPLET_OTHER, APPLET_SHELL, APPLET_FOLLOWS };

static __always_inline enum applet applet_of(const struct words *of)
{
	__u64 name = 0;

	bpf_probe_read_kernel_str(&name, sizeof(name), &of->argument[last_name() & (WORD_LEN - 1)]);
	if (name == WORD('s', 'h', 0, 0, 0, 0, 0, 0) || name == WORD('a', 's', 'h', 0, 0, 0, 0, 0))
		return APPLET_SHELL;
	return name == WORD('b', 'u', 's', 'y', 'b', 'o', 'x', 0) ? APPLET_FOLLOWS : APPLET_OTHER;
}

/* Whether the current process opens its script by `name`: the first argument that is no option,
 * counted from behind the program's own name. Busybox is an interpreter only by the name of a
 * shell, which may be an argument, too: `busybox sh x`. An option's own argument
 * (`python3 -W ignore x.py`) hides the script: user space sees it. */
__noinline int is_script_argument(__u64 name)
{
	struct task_struct *task = bpf_get_current_task_btf();
	unsigned long at = BPF_CORE_READ(task, mm, arg_start);
	bool wants_applet = is_busybox(task);
	__u32 zero = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);
	long named;

	if (!of || !name)
		return 0;
	named = bpf_probe_read_user_str(of->name, WORD_LEN, (void *)name);
	if (named <= 1 || named >= WORD_LEN)
		return 0;
	for (int i = 0; i < 8; i++) {
		long length = bpf_probe_read_user_str(of->argument, WORD_LEN, (void *)at);

		if (length <= 0)
			return 0;
		at += length;
		if (wants_applet) {
			enum applet applet = applet_of(of);

			if (applet == APPLET_OTHER)
				return 0;
			wants_applet = applet == APPLET_FOLLOWS;
		} else if (i > 0 && of->argument[0] != '-') {
			return length == named && is_same_word(length);
		}
	}
	return 0;
}

#endif
