/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * System call that just returned, and its path argument. The numbers are the kernel's ABI:
 * arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
 */
#ifndef DRIFTLINE_SYSCALL_H
#define DRIFTLINE_SYSCALL_H

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, r10, r8, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long long regs[31];
	unsigned long long orig_x0;
	int syscallno;
};
#else
#error "driftline supports x86-64 and arm64"
#endif
#pragma clang attribute pop

enum opened_by {
	NOT_AN_OPEN,
	OPEN_AT_FIRST,  /* the path is the first argument */
	OPEN_AT_SECOND, /* the path is the second */
	OPEN_NAMELESS,  /* memfd_create, open_by_handle_at */
	MAP_EXECUTABLE, /* mmap of a file with PROT_EXEC */
};

/* asm-generic/mman-common.h, linux/mman.h */
#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20

/* Anonymous executable memory has no file: it is not reported. */
static __always_inline enum opened_by mapped_by(unsigned long prot, unsigned long flags)
{
	return (prot & PROT_EXEC) && !(flags & MAP_ANONYMOUS) ? MAP_EXECUTABLE : NOT_AN_OPEN;
}

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/* 32-bit tasks (TS_COMPAT) use the numbers of arch/x86/entry/syscalls/syscall_32.tbl. */
static __always_inline enum opened_by opened_by(struct pt_regs *regs, struct task_struct *task)
{
	long number = regs->orig_ax;

	if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT)
		switch (number) {
		case 5: case 8: /* open, creat */
			return OPEN_AT_FIRST;
		case 295: case 437: /* openat, openat2 */
			return OPEN_AT_SECOND;
		case 342: case 356: /* open_by_handle_at, memfd_create */
			return OPEN_NAMELESS;
		default:
			return NOT_AN_OPEN;
		}
	switch (number) {
	case 2: case 85: /* open, creat */
		return OPEN_AT_FIRST;
	case 257: case 437: /* openat, openat2 */
		return OPEN_AT_SECOND;
	case 304: case 319: /* open_by_handle_at, memfd_create */
		return OPEN_NAMELESS;
	case 9: /* mmap */
		return mapped_by(regs->dx, regs->r10);
	default:
		return NOT_AN_OPEN;
	}
}

/* Path argument of the call; 0 if it has none. System call arguments are still in pt_regs at
 * sys_exit. A 32-bit task has the first in bx and the second in cx, which are not read: its scripts
 * are recognized by the file's path alone. */
static __always_inline const char *open_name(struct pt_regs *regs, enum opened_by by, struct task_struct *task)
{
	if (by == OPEN_NAMELESS || BPF_CORE_READ(task, thread_info.status) & TS_COMPAT)
		return 0;
	return (const char *)(by == OPEN_AT_FIRST ? regs->di : regs->si);
}

static __always_inline long opened_fd(struct pt_regs *regs, enum opened_by by, long ret)
{
	return by == MAP_EXECUTABLE ? (int)regs->r8 : ret;
}

#else

static __always_inline enum opened_by opened_by(struct pt_regs *regs, struct task_struct *task)
{
	switch (regs->syscallno) {
	case 56: case 437: /* openat, openat2 */
		return OPEN_AT_SECOND;
	case 265: case 279: /* open_by_handle_at, memfd_create */
		return OPEN_NAMELESS;
	case 222: /* mmap */
		return mapped_by(regs->regs[2], regs->regs[3]);
	default:
		return NOT_AN_OPEN;
	}
}

static __always_inline const char *open_name(struct pt_regs *regs, enum opened_by by, struct task_struct *task)
{
	return by == OPEN_AT_SECOND ? (const char *)regs->regs[1] : 0;
}

static __always_inline long opened_fd(struct pt_regs *regs, enum opened_by by, long ret)
{
	return by == MAP_EXECUTABLE ? (int)regs->regs[4] : ret;
}

#endif

/* The file of a descriptor of the current task, from files->fdt; 0 if there is none. */
static __always_inline struct file *file_of_fd(struct task_struct *task, long fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;

	if (fd < 0 || fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

#endif
