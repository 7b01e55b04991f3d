/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Facts of a task: cgroup, namespaces, ancestors.
 */
#ifndef DRIFTLINE_TASK_H
#define DRIFTLINE_TASK_H

#include "kernel.h"

#define CGROUP_DEPTH 16 /* ancestors searched; a bounded loop for the verifier */
#define CGROUP_STEPS 32 /* components of a cgroup's path that are read */
#define CGROUP_NAME_MAX 256

static __always_inline struct cgroup_ref cgroup_ref(struct cgroup *cgroup)
{
	return (struct cgroup_ref){ BPF_CORE_READ(cgroup, kn, id), BPF_CORE_READ(cgroup, root, hierarchy_id) };
}

/* The task's cgroup v2 if that is below the root; else its cgroup in the first v1 hierarchy that has
 * it below the root. Hosts with v1 only leave every task at the root of v2. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *cgroup = BPF_CORE_READ(set, dfl_cgrp);
	void *subsys = (void *)set + bpf_core_field_offset(struct css_set, subsys);
	__u32 count = bpf_core_field_size(struct css_set, subsys) / sizeof(void *);

	for (__u32 i = 0; i < CGROUP_SUBSYS_MAX && i < count && BPF_CORE_READ(cgroup, level) == 0; i++) {
		struct cgroup_subsys_state *css = 0;

		bpf_probe_read_kernel(&css, sizeof(css), subsys + i * sizeof(css));
		if (css)
			cgroup = BPF_CORE_READ(css, cgroup);
	}
	return cgroup;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___v6_15 *v6_15 = (void *)node;
	struct kernfs_node___v5 *v5 = (void *)node;

	return bpf_core_field_exists(v6_15->__parent) ? BPF_CORE_READ(v6_15, __parent) : BPF_CORE_READ(v5, parent);
}

/* Append the names from a cgroup up to the root of its hierarchy, leaf first, to record->data, which
 * has `size` bytes, a power of two. */
#define append_cgroup_path(record, cgroup, size) ({                                              \
	struct kernfs_node *_node = BPF_CORE_READ(cgroup, kn);                                   \
	for (int _step = 0; _step < CGROUP_STEPS; _step++) {                                     \
		struct kernfs_node *_parent = kernfs_parent(_node);                              \
		__u32 _offset = *(volatile __u32 *)&(record)->cursor;                            \
		long _length;                                                                    \
		if (!_parent || _offset > (size) - CGROUP_NAME_MAX)                              \
			break;                                                                   \
		_length = bpf_probe_read_kernel_str(&(record)->data[_offset & ((size) - 1)],     \
						    CGROUP_NAME_MAX, BPF_CORE_READ(_node, name)); \
		if (_length > 0)                                                                 \
			*(volatile __u32 *)&(record)->cursor = _offset + _length;                \
		_node = _parent;                                                                 \
	}                                                                                        \
})

/* The value for the task's cgroup in a map, or for its nearest ancestor in it: a process that creates
 * a cgroup inside its container does not leave the container. Sets *at to the cgroup found. */
#define nearest(map, task, at) ({                                                                \
	struct cgroup *_cgroup = cgroup_of(task);                                                \
	void *_found = 0;                                                                        \
	for (int _i = 0; _i < CGROUP_DEPTH; _i++) {                                              \
		struct cgroup_subsys_state *_parent;                                             \
		*(at) = cgroup_ref(_cgroup);                                                     \
		_found = bpf_map_lookup_elem(map, at);                                           \
		_parent = BPF_CORE_READ(_cgroup, self.parent);                                   \
		if (_found || !_parent)                                                          \
			break;                                                                   \
		_cgroup = BPF_CORE_READ(_parent, cgroup);                                        \
	}                                                                                        \
	_found;                                                                                  \
})

static __always_inline __u32 mnt_ns(struct task_struct *task)
{
	return BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
}

/* A pid can be reused; together with the start time it is unique until reboot. */
static __always_inline struct process_key process_key(struct task_struct *task)
{
	return (struct process_key){ BPF_CORE_READ(task, group_leader, start_boottime), BPF_CORE_READ(task, tgid) };
}

/* The pid in the innermost namespace is the last of struct pid's numbers[] (include/linux/pid.h). */
static __always_inline void read_ns_pid(struct exec_record *record, struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid upid = {};

	bpf_core_read(&upid, sizeof(upid), (void *)pid + bpf_core_field_offset(struct pid, numbers) +
					       level * bpf_core_type_size(struct upid));
	record->ns_pid = upid.nr;
	record->pid_ns = BPF_CORE_READ(upid.ns, ns.inum);
}

/* real_parent, not parent: a debugger becomes the parent of the task it traces (ptrace(2)). */
static __always_inline void read_ancestors(struct ancestor ancestors[ANCESTORS], struct task_struct *task)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	for (int i = 0; i < ANCESTORS; i++) {
		struct task_struct *leader = BPF_CORE_READ(parent, group_leader);

		ancestors[i].tgid = BPF_CORE_READ(leader, tgid);
		ancestors[i].start = BPF_CORE_READ(leader, start_boottime);
		BPF_CORE_READ_INTO(&ancestors[i].comm, leader, comm);
		parent = BPF_CORE_READ(leader, real_parent);
	}
}

#endif
