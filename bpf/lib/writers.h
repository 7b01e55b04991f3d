/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Processes that changed the bytes of a file. An open for writing changes none and is kept apart.
 */
#ifndef DRIFTLINE_WRITERS_H
#define DRIFTLINE_WRITERS_H

#include "file.h"
#include "kernel.h"
#include "maps.h"
#include "task.h"

/* Last change of each file by a process outside of the node's mount namespace. Rename, link and
 * unlink keep the inode, and thereby its writer. Written and read here; the least recently used go
 * when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct inode_key);
	__type(value, struct file_writer);
} writers SEC(".maps");

/* The same by processes of the node: apart, so that unpacking an image displaces no writer of a
 * container. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct inode_key);
	__type(value, struct file_writer);
} node_writers SEC(".maps");

/* Last open for writing of each file, by any process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct inode_key);
	__type(value, struct file_writer);
} openers SEC(".maps");

/* Arguments of processes that wrote or opened for writing, as they were then. Written here, read by
 * the sensor; the least recently used go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct program_key);
	__type(value, struct writer_args);
} writer_args SEC(".maps");

/* Empty arguments, to begin a new entry from: too long for the BPF stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct writer_args);
} new_args SEC(".maps");

/* Executed file -> time since which no change was seen. Set at exec, deleted by a change, so that a
 * later chmod can be told from a change of bytes. The least recently used go when full: then nothing
 * is proven. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct inode_key);
	__type(value, __u64);
} unwritten SEC(".maps");

/* Time of the last call that may have changed a file unseen: truncate(2), whose file cannot be told at
 * its exit, asynchronous I/O, io_uring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unseen_write SEC(".maps");

/* The file that holds the bytes: on overlayfs the one in the upper layer. The superblock of an overlay
 * ends with its container, and the next one gets its device number. The generation is random or
 * counted for each new inode (i_generation in ext4, xfs, btrfs, tmpfs), so a reused inode number is
 * another key. */
static __always_inline struct inode_key inode_key(struct inode *inode)
{
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct dentry *upper = 0;

	if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_MAGIC)
		upper = upper_dentry(inode);
	if (upper) {
		inode = BPF_CORE_READ(upper, d_inode);
		sb = BPF_CORE_READ(inode, i_sb);
	}
	return (struct inode_key){ BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(sb, s_dev),
				   BPF_CORE_READ(inode, i_generation) };
}

static __always_inline void remember_args(struct task_struct *task, const struct file_writer *writer)
{
	struct program_key key = { writer->process, writer->exec_id };
	unsigned long start = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	struct writer_args *args;
	__u32 zero = 0;
	__u64 length;

	if (bpf_map_lookup_elem(&writer_args, &key))
		return;
	args = bpf_map_lookup_elem(&new_args, &zero);
	if (!args)
		return;
	args->length = end - start;
	length = *(volatile __u64 *)&args->length; /* read again: the verifier follows one register then */
	if (length > WRITER_ARGS_MAX)
		length = WRITER_ARGS_MAX;
	if (bpf_probe_read_user(args->data, length, (void *)start))
		return;
	bpf_map_update_elem(&writer_args, &key, args, BPF_ANY);
}

static __always_inline void fill_writer(struct file_writer *writer, struct task_struct *task, __u32 operation)
{
	writer->time = bpf_ktime_get_boot_ns();
	writer->process = process_key(task);
	writer->cgroup = cgroup_ref(cgroup_of(task));
	writer->exec_id = BPF_CORE_READ(task, self_exec_id);
	writer->mnt_ns = mnt_ns(task);
	writer->operation = operation;
	bpf_get_current_comm(writer->comm, sizeof(writer->comm));
}

static __always_inline bool is_same_program(const struct file_writer *writer, struct task_struct *task)
{
	return writer->process.tgid == task->tgid && writer->process.start == task->group_leader->start_boottime &&
	       writer->exec_id == task->self_exec_id;
}

static __always_inline void remember_executed(const struct file_facts *file, __u64 time)
{
	bpf_map_update_elem(&unwritten, &file->key, &time, BPF_NOEXIST);
}

static __always_inline void remember_unseen_write(__u64 time)
{
	__u32 zero = 0;

	bpf_map_update_elem(&unseen_write, &zero, &time, BPF_ANY);
}

/* A second write of the same program updates its entry in place, which costs least. A truncation or
 * allocation that keeps the size has changed no byte. */
static __always_inline void remember_writer(struct file *file, struct task_struct *task, __u32 operation)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct inode_key key = inode_key(inode);
	void *map = task->nsproxy->mnt_ns->ns.inum == settings.host_mnt_ns ? (void *)&node_writers : (void *)&writers;
	struct file_writer *known = bpf_map_lookup_elem(map, &key), writer = {};
	__u64 size = BPF_CORE_READ(inode, i_size);

	if (known && (operation == WROTE_TRUNCATE || operation == WROTE_ALLOCATE) && known->size == size)
		return;
	if (bpf_map_lookup_elem(&unwritten, &key))
		bpf_map_delete_elem(&unwritten, &key);
	if (known && is_same_program(known, task)) {
		known->time = bpf_ktime_get_boot_ns();
		known->size = size;
		known->operation = operation;
		return;
	}
	fill_writer(&writer, task, operation);
	writer.size = size;
	remember_args(task, &writer);
	bpf_map_update_elem(map, &key, &writer, BPF_ANY);
}

static __always_inline void remember_opener(struct file *file, struct task_struct *task)
{
	struct inode_key key = inode_key(BPF_CORE_READ(file, f_inode));
	struct file_writer opener = {};

	fill_writer(&opener, task, WROTE_NOTHING);
	remember_args(task, &opener);
	bpf_map_update_elem(&openers, &key, &opener, BPF_ANY);
}

/* The later of the changes by a container and by the node; all zeros if none was seen. */
static __always_inline void read_writer(struct file_facts *facts, struct inode *inode)
{
	struct inode_key key = inode_key(inode);
	struct file_writer *writer = bpf_map_lookup_elem(&writers, &key);
	struct file_writer *of_node = bpf_map_lookup_elem(&node_writers, &key);
	struct file_writer *opener = bpf_map_lookup_elem(&openers, &key);

	if (!writer || (of_node && of_node->time > writer->time))
		writer = of_node;
	facts->key = key;
	__builtin_memset(&facts->writer, 0, sizeof(facts->writer));
	__builtin_memset(&facts->opener, 0, sizeof(facts->opener));
	if (writer)
		facts->writer = *writer;
	if (opener)
		facts->opener = *opener;
}

#endif
