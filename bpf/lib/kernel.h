/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel types, with only the members that the programs read. CO-RE relocates each access to the
 * layout of the running kernel; types with a ___ suffix ("flavours") describe other versions.
 */
#ifndef DRIFTLINE_KERNEL_H
#define DRIFTLINE_KERNEL_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define OVERLAYFS_MAGIC 0x794c7630
#define S_IFMT 0170000
#define S_IFREG 0100000
#define FMODE_WRITE 2
#define FMODE_CREATED (1 << 20) /* created by this open; linux/fs.h */
#define CGROUP_SUBSYS_MAX 16

typedef _Bool bool;
enum { false, true };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
	struct dentry *s_root;
};

struct inode {
	__u16 i_mode;
	__u32 i_nlink;
	unsigned long i_ino;
	__u32 i_generation;
	long long i_size;
	struct super_block *i_sb;
};

/* i_ctime was split into seconds and nanoseconds in v6.11 (commit 3aa63a569c64), was __i_ctime from
 * v6.6 (commit 13bc24457850) and i_ctime before. */
struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};
struct inode___v6_11 {
	long long i_ctime_sec;
	__u32 i_ctime_nsec;
};
struct inode___v6_6 {
	struct timespec64 __i_ctime;
};
struct inode___v5 {
	struct timespec64 i_ctime;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	void *d_fsdata;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* Overlayfs may be a module without BTF: __upperdentry then is the pointer behind the VFS inode. */
struct ovl_entry {
	unsigned int __numlower;
};
struct ovl_entry___v6_4 {
	unsigned int numlower;
};
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
	struct ovl_entry *oe; /* since v6.5, commit 0af950f57fef; in d_fsdata before */
};

struct kernfs_node {
	__u64 id;
	const char *name;
};

/* parent became __parent in v6.15 (commit 633488947ef6). */
struct kernfs_node___v6_15 {
	struct kernfs_node *__parent;
};
struct kernfs_node___v5 {
	struct kernfs_node *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
};

struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_MAX];
	struct cgroup *dfl_cgrp;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t uid, euid;
	kgid_t gid;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

typedef struct {
	int counter;
} atomic_t;

struct rlimit {
	unsigned long rlim_cur;
};

#define RLIMIT_NOFILE 7 /* asm-generic/resource.h */

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	void *tty;
	struct rlimit rlim[16];
};

struct thread_info {
	__u32 status; /* x86 only */
};

struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	int exit_code;
	__u64 self_exec_id;
	struct task_struct *real_parent, *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct nsproxy *nsproxy;
	const struct cred *cred;
	struct css_set *cgroups;
	struct fs_struct *fs;
	struct files_struct *files;
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct signal_struct *signal;
	kuid_t loginuid;
	unsigned int sessionid;
};

struct linux_binprm {
	struct file *file;
	const char *filename, *interp;
	int argc;
	unsigned int secureexec : 1;
	char buf[256];
};

#pragma clang attribute pop

#endif
