/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Decision to block a file. It is made before the file runs, from maps that the sensor compiles
 * from the drift rules of each container (driftline/sensor/enforcement/blocking.py).
 *
 * An unchanged image file is never a candidate. Of the other files, those that are certainly not
 * image content are blocked: they lie outside the image's tree, or have a path or a size that the
 * image lacks. A file that may still have the image's bytes (copied up, or restored in place) runs,
 * unless its rule fails closed; user space then hashes it, and its verdict serves the next exec
 * from verdict_cache.
 *
 * Order: exemption of the first process, cached trusted verdict, allow list, cached untrusted
 * verdict, fail closed, image content.
 */
#ifndef DRIFTLINE_BLOCK_H
#define DRIFTLINE_BLOCK_H

#include "file.h"
#include "kernel.h"
#include "maps.h"
#include "task.h"

#define PATH_HASHED 1024 /* bytes of a path; a bounded loop for the verifier */
#define SIGKILL 9
#define TICK_NS 10000000 /* one clock tick of /proc/PID/stat: USER_HZ is 100 (asm-generic/param.h) */
/* FNV-1a, 64 bits (draft-eastlake-fnv) */
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* Emergency switch: 0 disables all blocking. Written by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} armed SEC(".maps");

/* A container's cgroup -> its policy. The key of zeros, which no cgroup has, holds the policy of pods
 * whose cgroups the sensor has not seen, because it lags or has ended. The value holds the numbers of all other entries that belong
 * to it and is replaced as a whole, so no exec sees half a policy. Written by the sensor; deleted
 * with the cgroup. When full, the sensor's update fails and the container has no blocking. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, struct block_policy);
} blocking SEC(".maps");

/* Entries of allow lists -> mask of subjects. Written and deleted by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct hash_key);
	__type(value, __u32);
} allowed SEC(".maps");

/* Files of images: hash of path -> size, and size -> size (HASH_SIZE). Written and deleted by the
 * sensor. When full, the image counts as not indexed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4194304);
	__type(key, struct hash_key);
	__type(value, __u64);
} image_files SEC(".maps");

/* Verdicts of the sensor on files. When full, the least recently used go, and the sensor determines
 * them again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct verdict_key);
	__type(value, struct cached_verdict);
} verdict_cache SEC(".maps");

/* Processes killed for a file they mapped, so that the report of the mapping can say so. Written
 * here, read by the sensor; the oldest go when full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct mapped_key);
	__type(value, __u32);
} killed SEC(".maps");

enum rules { ALL_RULES, CLOSED_RULES };

/* A file that may have to be blocked: pointers into one record and the policy, bundled to
 * keep argument lists short. */
struct candidate {
	const struct block_policy *policy;
	const struct container_root *root;
	const struct file_facts *file;
	const struct path_hashes *hashes;
	__u32 scratch; /* enum scratch_of: the record that holds `file` and, from offset `data`, its paths */
	__u32 data;
	__u32 fs_path_length;
	__u32 path_length;
	__u16 subjects;
	__u16 truncated;
};

static __always_inline bool is_armed(void)
{
	__u32 zero = 0, *value = bpf_map_lookup_elem(&armed, &zero);

	return value && *value;
}

/* Tasks of the node itself are never blocked. */
static __always_inline bool has_rules(struct task_struct *task)
{
	return is_armed() && mnt_ns(task) != settings.host_mnt_ns;
}

static __always_inline __u64 join_hash(__u64 above, __u64 component)
{
	return (above ^ component) * FNV_PRIME;
}

/* Hash the components of the leaf-first path in a scratch record (FNV-1a), as
 * driftline/sensor/bpf/path_hash.py does. Returns whether the whole path was hashed. A global
 * function, like the next: the verifier checks it once instead of at every call, which is why its
 * arguments are scalars. */
__noinline int hash_components(__u32 of, __u32 start, __u32 length)
{
	union scratch *scratch = bpf_map_lookup_elem(&scratch_space, &of);
	volatile struct path_hashes *hashes;
	__u64 hash = FNV_OFFSET;
	__u32 i;

	if (!scratch)
		return 0;
	hashes = &scratch->hashes;
	hashes->count = 0;
	if (start + length > DATA_MAX)
		return 0;
	for (i = 0; i < PATH_HASHED && i < length; i++) {
		__u8 byte = scratch->bytes[(start + i) & (DATA_MAX - 1)];
		__u32 count = hashes->count;

		if (byte) {
			hash = (hash ^ byte) * FNV_PRIME;
			continue;
		}
		if (count >= PATH_DEPTH)
			return 0;
		hashes->upwards[count] = hash;
		hashes->count = count + 1;
		hash = FNV_OFFSET;
	}
	return i >= length;
}

/* Combine the components' hashes from the root down: one hash for each directory, one for the path. */
__noinline int join_path(__u32 of)
{
	union scratch *scratch = bpf_map_lookup_elem(&scratch_space, &of);
	volatile struct path_hashes *hashes;
	__u64 hash = settings.seed;

	if (!scratch)
		return 0;
	hashes = &scratch->hashes;
	hashes->name = join_hash(hash, hashes->upwards[0]);
	for (int at = PATH_DEPTH - 1; at >= 0; at--) {
		if (at >= hashes->count)
			continue;
		hash = join_hash(hash, hashes->upwards[at]);
		hashes->upwards[at] = hash;
	}
	hashes->whole = hash;
	return 0;
}

static __always_inline bool hash_of(struct candidate *of, __u32 start, __u32 length)
{
	bool is_whole = hash_components(of->scratch, of->data + start, length) && !of->truncated;

	join_path(of->scratch);
	return is_whole;
}

static __always_inline bool is_allowed_as(struct candidate *of, __u64 hash, __u32 kind)
{
	struct hash_key key = { hash, of->policy->set, kind };
	__u32 *subjects = bpf_map_lookup_elem(&allowed, &key);

	return subjects && (*subjects & of->subjects);
}

static __always_inline bool is_in_allowed_directory(struct candidate *of)
{
	if (!(of->policy->flags & HAS_DIRECTORIES))
		return false;
	for (int i = 1; i < PATH_DEPTH; i++)
		if (i < of->hashes->count && is_allowed_as(of, of->hashes->upwards[i], HASH_DIRECTORY))
			return true;
	return false;
}

static __always_inline bool is_allowed(struct candidate *of)
{
	bool is_whole = hash_of(of, of->fs_path_length, of->path_length);

	return is_allowed_as(of, of->hashes->name, HASH_NAME) ||
	       (is_whole && (is_allowed_as(of, of->hashes->whole, HASH_PATH) || is_in_allowed_directory(of)));
}

static __always_inline const struct cached_verdict *cached_verdict_of(struct candidate *of)
{
	struct verdict_key key = { { of->file->inode, of->file->device }, of->policy->set };
	struct cached_verdict *cached = bpf_map_lookup_elem(&verdict_cache, &key);

	return cached && cached->ctime == of->file->ctime && cached->size == of->file->size ? cached : 0;
}

static __always_inline bool image_has(struct candidate *of, __u64 hash, __u32 kind)
{
	struct hash_key key = { hash, of->policy->image, kind };
	__u64 *size = bpf_map_lookup_elem(&image_files, &key);

	return size && *size == of->file->size;
}

/* Whether the image may have this very file at this very path: it has the path, with this size. */
static __always_inline bool may_be_identical(struct candidate *of)
{
	if (!of->policy->image || of->file->magic != OVERLAYFS_MAGIC)
		return true;
	if (!hash_of(of, 0, of->fs_path_length))
		return of->policy->flags & HAS_LONG_PATHS;
	return image_has(of, of->hashes->whole, HASH_PATH);
}

/* Whether user space could still find the file to be image content, or allowed. `nlink` is 0 for a
 * deleted file, which is no longer at any path of the image. */
static __always_inline bool may_be_image_content(struct candidate *of)
{
	const struct block_policy *policy = of->policy;
	bool in_tree = of->file->device == of->root->device;

	if (policy->undecidable & of->subjects)
		return true;
	if (policy->relocated & of->subjects && (!policy->image || image_has(of, of->file->size, HASH_SIZE)))
		return true;
	return in_tree && of->file->nlink && may_be_identical(of);
}

/* For processes started before the sensor, the start is known to the clock tick only (/proc). */
static __always_inline bool is_first_process(const struct container_root *root, struct task_struct *task)
{
	struct process_key key = process_key(task);

	return key.tgid == root->first.tgid && key.start - root->first.start < TICK_NS;
}

/* The decision for a candidate, in the order given at the head of this file. */
static __always_inline bool must_block(struct candidate *of, struct task_struct *task)
{
	const struct block_policy *policy = of->policy;
	const struct cached_verdict *cached = cached_verdict_of(of);

	if (!(policy->first & of->subjects) && is_first_process(of->root, task))
		return false;
	if (cached && cached->trusted & of->subjects)
		return false;
	if (is_allowed(of))
		return false;
	if (cached && cached->untrusted & of->subjects)
		return true;
	return policy->closed & of->subjects || !may_be_image_content(of);
}

/* Whether the policy blocks all subjects that the file may be. */
static __always_inline bool is_blocked_by(const struct block_policy *policy, enum rules rules, __u16 subjects)
{
	__u16 mask = policy->block & subjects;

	if (rules == CLOSED_RULES)
		mask &= policy->closed;
	return mask && mask == subjects;
}

/* Whether the task is in a pod, by its cgroup's path, and its root is an overlay: only there can image
 * files be told from others. Services of the node have mount namespaces of their own as well. */
static __always_inline bool is_in_pod(struct task_struct *task)
{
	struct cgroup *cgroup = cgroup_of(task);

	if (BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_magic) != OVERLAYFS_MAGIC)
		return false;
	for (int i = 0; i < CGROUP_DEPTH; i++) {
		struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);
		char name[8] = {};

		bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(cgroup, kn, name));
		if (*(__u64 *)name == *(__u64 *)"kubepods")
			return true;
		if (!parent)
			return false;
		cgroup = BPF_CORE_READ(parent, cgroup);
	}
	return false;
}

static __always_inline const struct block_policy *policy_of(struct task_struct *task)
{
	struct cgroup_ref at, unknown = {};
	const struct block_policy *policy = nearest(&blocking, task, &at);

	if (policy)
		return policy;
	policy = bpf_map_lookup_elem(&blocking, &unknown);
	return policy && !nearest(&containers, task, &at) && is_in_pod(task) ? policy : 0;
}

/* Whether a file may have to be blocked: the cheap check, before its path is read. An unknown root
 * means that the container's first process is about to start, which is exempt. */
static __always_inline bool is_candidate(struct candidate *of, struct task_struct *task, struct file *file, __u16 subjects,
				       enum rules rules)
{
	of->subjects = subjects;
	of->policy = has_rules(task) ? policy_of(task) : 0;
	if (!of->policy || !is_blocked_by(of->policy, rules, subjects))
		return false;
	of->root = root_of(task);
	return of->root && !is_image_file(file, of->root);
}

/* Decide with the facts and paths of an exec_record or open_record. A macro: the types differ. */
#define is_blocked(of, record, from, task) ({                                                    \
	(of)->file = &(record)->file;                                                            \
	(of)->hashes = (void *)(record);                                                         \
	(of)->scratch = from;                                                                    \
	(of)->data = (record)->data - (char *)(record);                                          \
	(of)->fs_path_length = (record)->fs_path_length;                                         \
	(of)->path_length = (record)->path_length;                                               \
	(of)->truncated = (record)->head.flags & PATH_TRUNCATED;                                 \
	must_block(of, task);                                                                     \
})

/* bpf_send_signal signals the current task; the signal is delivered on return to user space. */
static __always_inline bool kill_current(void)
{
	if (bpf_send_signal(SIGKILL) == 0)
		return true;
	count_loss(LOSS_BLOCK_FAILED);
	return false;
}

static __always_inline void remember_killed(struct task_struct *task, struct file *file)
{
	struct mapped_key key = { BPF_CORE_READ(file, f_inode, i_ino), BPF_CORE_READ(task, tgid) };
	__u32 one = 1;

	bpf_map_update_elem(&killed, &key, &one, BPF_ANY);
}

/* Subjects of an executable mapping. A file mapped by ld.so, run as a program, may be the program
 * given to it or a library: the kernel blocks it only where the rules block both. */
static __always_inline __u16 mapped_subjects(struct task_struct *task)
{
	char name[4] = {};

	bpf_probe_read_kernel(name, 3, BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	return name[0] == 'l' && name[1] == 'd' && (name[2] == '-' || name[2] == '.') ?
		       SUBJECT_LIBRARY | SUBJECT_LOADER : SUBJECT_LIBRARY;
}

#endif
