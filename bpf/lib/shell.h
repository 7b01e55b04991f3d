/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Files that a shell reads as code. A shell opens its script, a start file, a file named by `.` and
 * the input of a redirection (`< file`) with the same system call; what it does next tells them
 * apart, and comes before the first byte is run:
 *
 * - dash, ash (busybox), zsh, mksh and ksh copy the descriptor of code to 10 or higher
 *   (fcntl F_DUPFD), out of the script's reach; a redirection copies it to the number in the script.
 * - bash copies the descriptor of a script to the highest one, at most 255 (general.c,
 *   move_to_high_fd), and reads start files and those of `.` whole, in one read(2) of the file's size
 *   (builtins/evalfile.c). So does a script without "#!" that execve(2) refused with ENOEXEC.
 *
 * Measured with strace on bash 5.2, dash 0.5.12, busybox 1.35, zsh 5.9, mksh 59c, ksh93u+m 1.0.4.
 */
#ifndef DRIFTLINE_SHELL_H
#define DRIFTLINE_SHELL_H

#include "interpreter.h"
#include "maps.h"
#include "script.h"
#include "syscall.h"

#define HIGH_FD_MAX 256  /* bash: general.c */
#define HIGH_FDS 16      /* descriptors below the highest that bash may find in use */
#define MOVED_FD 10      /* descriptors from here on belong to the shell itself */
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* The pinned guard follows the same descriptors as the sensor's program, each in entries of its own. */
enum follower { BY_SENSOR, BY_GUARD };

struct followed_key {
	__u32 tgid;
	__u16 fd;
	__u16 follower;
};

struct followed_file {
	struct file_key file;
	__u32 kinds; /* enum interpreter_kind, of the shell */
	__u32 pad;
};

/* Descriptors that a shell opened and has not yet used. Written and deleted here; the least recently
 * used go when full, and with them the recognition of that file. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct followed_key);
	__type(value, struct followed_file);
} followed SEC(".maps");

static __always_inline struct followed_key followed_key(struct task_struct *task, long fd, enum follower by)
{
	return (struct followed_key){ BPF_CORE_READ(task, tgid), fd, by };
}

/* An interactive bash reads its history and the settings of readline as it reads code. Its commands
 * come from a terminal: whoever types them needs no file. */
static __always_inline bool is_terminal_data(struct task_struct *task, struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	__u32 zero = 0;
	struct words *of = bpf_map_lookup_elem(&words, &zero);
	__u64 last = 0;
	long length;

	if (!of || !BPF_CORE_READ(task, signal, tty))
		return false;
	length = bpf_probe_read_kernel_str(of->name, WORD_LEN, name);
	if (length < (long)sizeof(last) || bpf_probe_read_kernel(&last, sizeof(last), name + length - sizeof(last)))
		return false;
	return last == WORD('h', 'i', 's', 't', 'o', 'r', 'y', 0) || last == WORD('i', 'n', 'p', 'u', 't', 'r', 'c', 0);
}

static __always_inline void follow(struct task_struct *task, struct file *file, long fd, __u32 kinds,
				   enum follower by)
{
	struct followed_key key = followed_key(task, fd, by);
	struct followed_file value = { key_of(file), kinds };

	if (kinds & (MOVES_CODE | READS_CODE_WHOLE) && !is_terminal_data(task, file))
		bpf_map_update_elem(&followed, &key, &value, BPF_ANY);
}

static __always_inline bool is_highest(struct task_struct *task, long fd)
{
	unsigned long most = BPF_CORE_READ(task, signal, rlim[RLIMIT_NOFILE].rlim_cur);

	return fd > 2 && fd + HIGH_FDS >= (most < HIGH_FD_MAX ? most : HIGH_FD_MAX);
}

/* A copied descriptor: follow the copy if it is how this shell treats code, else the file is data. */
static __always_inline void follow_copy(struct task_struct *task, struct pt_regs *regs, enum opened_by by, long fd,
					enum follower follower)
{
	struct followed_key key = followed_key(task, (int)arguments(regs, task).first, follower);
	struct followed_file *found = bpf_map_lookup_elem(&followed, &key), file;
	int command = by == CONTROL_FD ? (int)arguments(regs, task).second : -1;
	bool is_code;

	if (!found || (by == CONTROL_FD && command != F_DUPFD && command != F_DUPFD_CLOEXEC))
		return;
	file = *found;
	is_code = by == CONTROL_FD ? file.kinds & MOVES_CODE && fd >= MOVED_FD :
				     file.kinds & READS_CODE_WHOLE && is_highest(task, fd);
	bpf_map_delete_elem(&followed, &key);
	key.fd = fd;
	if (is_code)
		bpf_map_update_elem(&followed, &key, &file, BPF_ANY);
}

/* The file that a read(2) of a shell has read as code; 0: it is data, or not followed. */
static __always_inline struct file *code_just_read(struct task_struct *task, struct pt_regs *regs,
						   enum follower follower)
{
	struct followed_key key = followed_key(task, (int)arguments(regs, task).first, follower);
	struct followed_file *found = bpf_map_lookup_elem(&followed, &key);
	struct file_key now = {};
	struct file *file;

	if (!found)
		return 0;
	file = file_of_fd(task, key.fd);
	if (file)
		now = key_of(file);
	if (now.inode != found->file.inode || now.device != found->file.device) {
		bpf_map_delete_elem(&followed, &key); /* the descriptor was closed and used again */
		return 0;
	}
	if (key.fd < MOVED_FD && !(found->kinds & READS_CODE_WHOLE &&
				   arguments(regs, task).third == (unsigned long)BPF_CORE_READ(file, f_inode, i_size)))
		return 0;
	bpf_map_delete_elem(&followed, &key);
	return file;
}

#endif
