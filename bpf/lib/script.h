/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Recognition of scripts: whether a file that an interpreter opens is its script argument.
 */
#ifndef DRIFTLINE_SCRIPT_H
#define DRIFTLINE_SCRIPT_H

#include "interpreter.h"
#include "kernel.h"

#define WORD_LEN 256 /* bytes; longer arguments are left to user space */

struct words {
	char argument[WORD_LEN];
	char name[WORD_LEN];
};

/* Two strings of user memory, too long for the BPF stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct words);
} words SEC(".maps");

/* Whether the first `length` bytes of both strings are equal. A global function, which the verifier
 * checks once: its arguments are scalars, and it looks `words` up itself. */
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

/* Offset of the last component of `argument`, without the leading dash of a login shell. */
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

/* busybox is recognized by its file, since argv[0] is the name of the applet. */
static __always_inline bool is_busybox(struct task_struct *task)
{
	char name[9] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	return (*(__u64 *)name & FIRST(7)) == WORD('b', 'u', 's', 'y', 'b', 'o', 'x', 0);
}

/* APPLET_FOLLOWS: "busybox" itself, whose next argument is the applet. */
enum applet { APPLET_OTHER, APPLET_SHELL, APPLET_FOLLOWS };

static __always_inline enum applet applet_of(const struct words *of)
{
	__u64 name = 0;

	bpf_probe_read_kernel_str(&name, sizeof(name), &of->argument[last_name() & (WORD_LEN - 1)]);
	if (name == WORD('s', 'h', 0, 0, 0, 0, 0, 0) || name == WORD('a', 's', 'h', 0, 0, 0, 0, 0))
		return APPLET_SHELL;
	return name == WORD('b', 'u', 's', 'y', 'b', 'o', 'x', 0) ? APPLET_FOLLOWS : APPLET_OTHER;
}

/* Whether `name` is the current process's script: equal to its first argument after argv[0] that is
 * not an option. Busybox is an interpreter only under the name of a shell, in argv[0] or as an
 * argument (`busybox sh x`). The value of an option (`python3 -W ignore x.py`) hides the script here;
 * user space detects it. Eight arguments are read at most. */
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

enum option { OPTION_OTHER, OPTION_CODE_ELSEWHERE, OPTION_CODE_ON_STDIN };

/* An argument of a shell: -c has code, -s means standard input. Long options and operands are left to
 * user space. Arguments of other interpreters are, except "-". */
static __always_inline enum option option_of(const struct words *of, bool is_shell)
{
	char word[9] = {};

	bpf_probe_read_kernel_str(word, sizeof(word), of->argument);
	if (word[0] == '-' && !word[1])
		return is_shell ? OPTION_OTHER : OPTION_CODE_ON_STDIN;
	if (!is_shell || word[0] != '-' || word[1] == '-')
		return OPTION_CODE_ELSEWHERE;
	for (int i = 1; i < 8; i++) {
		if (word[i] == 'c')
			return OPTION_CODE_ELSEWHERE;
		if (word[i] == 's')
			return OPTION_CODE_ON_STDIN;
	}
	return word[7] ? OPTION_CODE_ELSEWHERE : OPTION_OTHER;
}

/* Whether the current process certainly takes its code from standard input: `sh < x`, `python3 -`. */
__noinline int takes_stdin(__u64 is_shell)
{
	struct task_struct *task = bpf_get_current_task_btf();
	unsigned long at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	bool wants_applet = is_busybox(task);
	__u32 zero = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);

	for (int i = 0; of && i < 8; i++) {
		long length;

		if (at >= end)
			return i > 0 && !wants_applet;
		length = bpf_probe_read_user_str(of->argument, WORD_LEN, (void *)at);
		if (length <= 0)
			return 0;
		at += length;
		if (wants_applet) {
			enum applet applet = applet_of(of);

			if (applet == APPLET_OTHER)
				return 0;
			wants_applet = applet == APPLET_FOLLOWS;
		} else if (i > 0) {
			enum option option = option_of(of, is_shell);

			if (option != OPTION_OTHER)
				return option == OPTION_CODE_ON_STDIN;
		}
	}
	return 0;
}

#endif
