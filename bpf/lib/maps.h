/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What the programs share: settings, rings, tables, scratch space.
 */
#ifndef DRIFTLINE_MAPS_H
#define DRIFTLINE_MAPS_H

#include "kernel.h"
#include "task.h"
#include "../driftline.h"

/* Written by the sensor before the load; the only constant, so it is all of .rodata. */
const volatile struct settings settings = {};

/* Execs, exits and cgroups, in their order: a container's cgroup comes before its first exec.
 * Written here, read by the sensor; when full, the record is counted in `losses`. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* two seconds of 2,000 execs a second */
} exec_ring SEC(".maps");

/* Files that interpreters open. A ring of its own, so that they cannot crowd out execs. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} file_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* Lost exec records by cgroup, so that a gap names its container. The sensor reads and
 * deletes; the oldest go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cgroup_ref);
	__type(value, __u64);
} losses_by_cgroup SEC(".maps");

/* Cgroup -> where its container starts. Set here at a container's first exec in its own mount
 * namespace; for those that ran before, by the sensor; deleted with the cgroup. When full,
 * files of further containers count as not of the image's overlay, so more are reported, none
 * fewer. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, struct container_root);
} roots SEC(".maps");

/* The cgroups of containers, told by the sensor: for who runs there in the node's own mount
 * namespace, by nsenter or an escape. All others in containers are told by their namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, __u32);
} containers SEC(".maps");

/* Who last opened a file for writing. Rename, link and unlink keep the inode, so they keep
 * its writer too. Written and read here; the oldest go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct file_key);
	__type(value, struct file_writer);
} writers SEC(".maps");

/* Program files that are interpreters, from the exec that showed them; the sensor adds those
 * that ran before it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct file_key);
	__type(value, __u32);
} interpreters SEC(".maps");

#define RECORD_SIZE 24576 /* the longest record; scratch space, since the stack has 512 bytes */

#define PATH_DEPTH 32 /* components of a path that are hashed */

/* Lies behind the longest data a record is given, and is not sent with it. */
struct path_hashes {
	char record[RECORD_SIZE - (PATH_DEPTH + 4) * sizeof(__u64)];
	__u64 upwards[PATH_DEPTH]; /* of the path, of its folder, of that one's folder ... */
	__u64 name;
	__u64 whole;
	__u32 count;
	__u32 is_lent;
	__u32 pad[2];
};

union scratch {
	struct path_hashes hashes;
	struct exec_record exec;
	struct exit_record exit;
	struct cgroup_record cgroup;
	struct open_record open;
	char bytes[RECORD_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, union scratch);
} scratch_space SEC(".maps");

enum scratch_of { SCRATCH_EXEC, SCRATCH_FILE, SCRATCH_GUARD, SCRATCH_DENY };

static __always_inline void count_loss(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &reason);

	if (count)
		*count += 1;
}

static __always_inline void *take_scratch(__u32 of)
{
	void *record = bpf_map_lookup_elem(&scratch_space, &of);

	if (!record)
		count_loss(LOSS_NO_SCRATCH);
	return record;
}

/* LSM programs can be preempted, and another of them run on the same CPU: who comes second gets
 * nothing. */
static __always_inline void *borrow_scratch(__u32 of)
{
	union scratch *scratch = take_scratch(of);

	return scratch && !__sync_lock_test_and_set(&scratch->hashes.is_lent, 1) ? scratch : 0;
}

static __always_inline void give_back(void *scratch)
{
	__sync_lock_test_and_set(&((union scratch *)scratch)->hashes.is_lent, 0);
}

static __always_inline struct container_root *root_of(struct task_struct *task)
{
	struct cgroup_ref at;

	return nearest(&roots, task, &at);
}

#endif
