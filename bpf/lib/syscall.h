/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * System call that just returned: whether it opened, mapped or changed a file. The numbers are the kernel's ABI:
 * arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
 */
#ifndef DRIFTLINE_SYSCALL_H
#define DRIFTLINE_SYSCALL_H

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bx, cx, di, si, dx, r10, r8, orig_ax;
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
	READ_FD,        /* read */
	CONTROL_FD,     /* fcntl */
	COPY_FD,        /* dup2, dup3 */
};

/* asm-generic/mman-common.h, linux/mman.h */
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_TYPE 0xf
#define MAP_SHARED 1
#define MAP_SHARED_VALIDATE 3
#define MAP_ANONYMOUS 0x20

#define O_TRUNC 01000 /* asm-generic/fcntl.h */
#define IO_URING_SETUP 425
#define FALLOC_FL_KEEP_SIZE 1 /* linux/falloc.h; alone it changes no byte */
#define FICLONE 0x40049409 /* linux/fs.h */
#define FICLONERANGE 0x4020940d

/* A call that may have changed the bytes of a file. */
struct write_call {
	__u32 operation; /* enum write_operation; WROTE_NOTHING for all other calls */
	int fd;
	bool is_unseen; /* it may have changed a file that cannot be told */
};

/* Calls of one kind have their arguments in the same places. */
enum write_kind {
	NO_WRITE,
	WRITES_FIRST, /* the descriptor is the first argument; the result is the number of bytes */
	COPIES_FIRST, /* the same for sendfile */
	COPIES_THIRD, /* splice, copy_file_range */
	TRUNCATES,
	ALLOCATES,
	CLONES, /* ioctl */
	MAPS,
	UNSEEN, /* truncate, io_submit, io_uring_enter, io_uring_setup: which file changes is not known here */
};

/* The first, second, third, fourth and fifth arguments of a system call, as far as they are used. */
struct arguments {
	unsigned long first, second, third, fourth, fifth;
};

/* Anonymous executable memory has no file: it is not reported. */
static __always_inline enum opened_by mapped_by(unsigned long prot, unsigned long flags)
{
	return (prot & PROT_EXEC) && !(flags & MAP_ANONYMOUS) ? MAP_EXECUTABLE : NOT_AN_OPEN;
}

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/* Read directly, not by a helper: it runs at every system call. */
static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

/* 32-bit tasks (TS_COMPAT) use the numbers of arch/x86/entry/syscalls/syscall_32.tbl. */
static __always_inline enum opened_by opened_by(struct pt_regs *regs, struct task_struct *task)
{
	long number = regs->orig_ax;

	if (is_compat(task))
		switch (number) {
		case 5: case 8: /* open, creat */
			return OPEN_AT_FIRST;
		case 295: case 437: /* openat, openat2 */
			return OPEN_AT_SECOND;
		case 342: case 356: /* open_by_handle_at, memfd_create */
			return OPEN_NAMELESS;
		case 3:
			return READ_FD;
		case 55: case 221: /* fcntl, fcntl64 */
			return CONTROL_FD;
		case 63: case 330: /* dup2, dup3 */
			return COPY_FD;
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
	case 0:
		return READ_FD;
	case 72:
		return CONTROL_FD;
	case 33: case 292: /* dup2, dup3 */
		return COPY_FD;
	default:
		return NOT_AN_OPEN;
	}
}

/* Path argument of the call; 0 if it has none. System call arguments are still in pt_regs at
 * sys_exit. A 32-bit task has the first in bx and the second in cx, which are not read: its scripts
 * are recognized by the file's path alone. */
static __always_inline const char *open_name(struct pt_regs *regs, enum opened_by by, struct task_struct *task)
{
	if (by == OPEN_NAMELESS || is_compat(task))
		return 0;
	return (const char *)(by == OPEN_AT_FIRST ? regs->di : regs->si);
}

static __always_inline long opened_fd(struct pt_regs *regs, enum opened_by by, long ret)
{
	return by == MAP_EXECUTABLE ? (int)regs->r8 : ret;
}

static __always_inline enum write_kind write_kind(struct pt_regs *regs, struct task_struct *task)
{
	long number = regs->orig_ax;

	if (is_compat(task))
		switch (number) {
		case 4: case 146: case 181: case 334: case 379: /* write, writev, pwrite64, pwritev, pwritev2 */
			return WRITES_FIRST;
		case 187: case 239: /* sendfile, sendfile64 */
			return COPIES_FIRST;
		case 313: case 377: /* splice, copy_file_range */
			return COPIES_THIRD;
		case 93: case 194: /* ftruncate, ftruncate64 */
			return TRUNCATES;
		case 324:
			return ALLOCATES;
		case 54:
			return CLONES;
		case 192: /* mmap2 */
			return MAPS;
		case 92: case 193: case 248: case 425: case 426: /* truncate, truncate64, io_submit, io_uring_* */
			return UNSEEN;
		default:
			return NO_WRITE;
		}
	switch (number) {
	case 1: case 18: case 20: case 296: case 328: /* write, pwrite64, writev, pwritev, pwritev2 */
		return WRITES_FIRST;
	case 40: /* sendfile */
		return COPIES_FIRST;
	case 275: case 326: /* splice, copy_file_range */
		return COPIES_THIRD;
	case 77:
		return TRUNCATES;
	case 285:
		return ALLOCATES;
	case 16:
		return CLONES;
	case 9: /* mmap */
		return MAPS;
	case 76: case 209: case 425: case 426: /* truncate, io_submit, io_uring_setup, io_uring_enter */
		return UNSEEN;
	default:
		return NO_WRITE;
	}
}

static __always_inline struct arguments arguments(struct pt_regs *regs, struct task_struct *task)
{
	if (is_compat(task))
		return (struct arguments){ regs->bx, regs->cx, regs->dx, regs->si, regs->di };
	return (struct arguments){ regs->di, regs->si, regs->dx, regs->r10, regs->r8 };
}

/* creat(2), of either table, truncates without a flag. */
static __always_inline bool is_creat(struct pt_regs *regs, struct task_struct *task)
{
	return regs->orig_ax == (is_compat(task) ? 8 : 85);
}

#define OPENAT2 437
static __always_inline bool is_openat2(struct pt_regs *regs)
{
	return regs->orig_ax == OPENAT2;
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
	case 63:
		return READ_FD;
	case 25:
		return CONTROL_FD;
	case 24: /* dup3 */
		return COPY_FD;
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

static __always_inline enum write_kind write_kind(struct pt_regs *regs, struct task_struct *task)
{
	switch (regs->syscallno) {
	case 64: case 66: case 68: case 70: case 287: /* write, writev, pwrite64, pwritev, pwritev2 */
		return WRITES_FIRST;
	case 71: /* sendfile */
		return COPIES_FIRST;
	case 76: case 285: /* splice, copy_file_range */
		return COPIES_THIRD;
	case 46:
		return TRUNCATES;
	case 47:
		return ALLOCATES;
	case 29:
		return CLONES;
	case 222: /* mmap */
		return MAPS;
	case 45: case 2: case 425: case 426: /* truncate, io_submit, io_uring_setup, io_uring_enter */
		return UNSEEN;
	default:
		return NO_WRITE;
	}
}

/* regs[0] has the result by now. */
static __always_inline struct arguments arguments(struct pt_regs *regs, struct task_struct *task)
{
	return (struct arguments){ regs->orig_x0, regs->regs[1], regs->regs[2], regs->regs[3], regs->regs[4] };
}

static __always_inline bool is_creat(struct pt_regs *regs, struct task_struct *task)
{
	return false;
}

#define OPENAT2 437
static __always_inline bool is_openat2(struct pt_regs *regs)
{
	return regs->syscallno == OPENAT2;
}

#endif

static __always_inline bool is_shared(unsigned long flags)
{
	return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
}

/* The change that a call which gave `ret` made; WROTE_NOTHING if it changed no bytes. */
static __always_inline struct write_call write_call(struct pt_regs *regs, struct task_struct *task, long ret)
{
	enum write_kind kind = write_kind(regs, task);
	struct arguments with;

	if (kind == NO_WRITE || ret < 0 || (ret == 0 && kind <= COPIES_THIRD))
		return (struct write_call){};
	with = arguments(regs, task);
	switch (kind) {
	case UNSEEN:
		return (struct write_call){ .is_unseen = true };
	case WRITES_FIRST:
		return (struct write_call){ WROTE_WRITE, with.first };
	case COPIES_FIRST:
		return (struct write_call){ WROTE_COPY, with.first };
	case COPIES_THIRD:
		return (struct write_call){ WROTE_COPY, with.third };
	case TRUNCATES:
		return (struct write_call){ WROTE_TRUNCATE, with.first };
	case ALLOCATES:
		return (struct write_call){ with.second == FALLOC_FL_KEEP_SIZE ? WROTE_NOTHING : WROTE_ALLOCATE,
					    with.first };
	case CLONES:
		return (struct write_call){ with.second == FICLONE || with.second == FICLONERANGE ? WROTE_COPY :
													  WROTE_NOTHING,
					    with.first };
	case MAPS:
		return (struct write_call){ with.third & PROT_WRITE && is_shared(with.fourth) &&
							    !(with.fourth & MAP_ANONYMOUS) ?
						    WROTE_MAPPING :
						    WROTE_NOTHING,
					    with.fifth };
	default:
		return (struct write_call){};
	}
}

/* Whether an open emptied the file. openat2 has its flags in struct open_how, as the first member. */
static __always_inline bool opened_to_truncate(struct pt_regs *regs, enum opened_by by, struct task_struct *task)
{
	struct arguments with = arguments(regs, task);
	__u64 flags = by == OPEN_AT_FIRST ? with.second : with.third;

	if (by == OPEN_NAMELESS)
		return false;
	if (is_creat(regs, task))
		return true;
	if (is_openat2(regs))
		bpf_probe_read_user(&flags, sizeof(flags), (void *)with.third);
	return flags & O_TRUNC;
}

/* The file of a descriptor of the current task, from files->fdt; 0 if there is none. Read directly as
 * far as the verifier knows the types: a helper for each pointer would cost more than a write(2). */
static __always_inline struct file *file_of_fd(struct task_struct *task, long fd)
{
	struct fdtable *table = task->files->fdt;
	struct file **files = table->fd, *file = 0;

	if (fd < 0 || fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

#endif
