/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Settings, ring buffers, maps and scratch space shared by the programs.
 */
#ifndef DRIFTLINE_MAPS_H
#define DRIFTLINE_MAPS_H

#include "kernel.h"
#include "task.h"
#include "../driftline.h"

/* Written by the sensor before the load. The only constant, so it makes up all of .rodata. */
const volatile struct settings settings = {};

/* Records of execs, exits and cgroups, in their order: a container's cgroup comes before its first
 * exec. Written here, read by the sensor; when full, the record is dropped and counted in `losses`. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* two seconds of 2,000 execs a second */
} exec_ring SEC(".maps");

/* Records of files that interpreters open. A separate ring, so that they cannot displace execs. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} file_ring SEC(".maps");

/* Losses by reason (enum loss). Counted here, read by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* Lost exec records by cgroup, with its path, so that a gap can be attributed to its container even
 * if the record of the cgroup was lost as well. The sensor reads and deletes; the least recently used
 * go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cgroup_ref);
	__type(value, struct cgroup_loss);
} losses_by_cgroup SEC(".maps");

/* Cgroup -> root and first process of its container. Set here at a container's first exec in its own
 * mount namespace, by the sensor for containers that ran before; deleted with the cgroup. When full,
 * files of further containers count as outside the image's overlay: more is reported, never less. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, struct container_root);
} roots SEC(".maps");

/* Cgroups of containers, set by the sensor. They identify tasks in a container's cgroup that run in
 * the node's mount namespace, by nsenter or an escape; other tasks are identified by their mount
 * namespace. Deleted with the cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, __u32);
} containers SEC(".maps");

/* Facts of files other than unchanged image files at their executable mapping. Written here, read by
 * the sensor on the perf event of the mapping; the least recently used go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct mapped_key);
	__type(value, struct file_facts);
} mapped SEC(".maps");

/* Process -> first process of its exec session: of the process that the runtime placed into a running
 * container. Inherited at fork, so that a daemon that is handed to the container's first process
 * stays in its session; deleted at exit. The least recently used go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_key);
	__type(value, struct process_key);
} sessions SEC(".maps");

/* Names of interpreters -> kinds (enum interpreter_kind). Written by the sensor at its start, from
 * driftline/verdict/interpreters.py. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct interpreter_name);
	__type(value, __u32);
} interpreter_names SEC(".maps");

/* Files that are interpreters -> kinds (enum interpreter_kind), learned at their exec; the sensor adds
 * those of processes that ran before it. The least recently used go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct file_key);
	__type(value, __u32);
} interpreters SEC(".maps");

#define RECORD_SIZE 24576 /* the longest record; in scratch space, since the BPF stack has 512 bytes */

#define PATH_DEPTH 32 /* components of a path that are hashed at most */

/* Lies behind the longest record, in the same scratch space, and is never sent. */
struct path_hashes {
	char record[RECORD_SIZE - (PATH_DEPTH + 4) * sizeof(__u64)];
	__u64 upwards[PATH_DEPTH]; /* hash of the path, of its directory, of the parent of that, ... */
	__u64 name;  /* hash of the last component */
	__u64 whole; /* hash of the path */
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
	struct cgroup_loss loss;
	char bytes[RECORD_SIZE];
};

/* Space to build records in: one for each CPU and use (enum scratch_of). */
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

/* LSM programs can be preempted, and another of them may run on the same CPU: the second gets 0. */
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
