/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether to block. Theory: what may be blocked is decided before it runs, from tables that
 * the sensor compiled from the drift rules of each container (driftline/sensor/enforcement/blocking.py).
 * An untouched image file is never a candidate. Of the others, those certainly not the image's
 * are blocked: they lie outside its tree, or on a path it does not have, or have another size.
 * What could still turn out to be the image's bytes (copied up, or put back in its place) is
 * let go unless the rule fails closed; user space reads it, and its proof serves the next time.
 */
#ifndef DRIFTLINE_BLOCK_H
#define DRIFTLINE_BLOCK_H

#include "file.h"
#include "kernel.h"
#include "maps.h"
#include "task.h"

#define PATH_HASHED 1024 /* bytes; what the verifier follows */
#define SIGKILL 9
#define TICK_NS 10000000 /* USER_HZ is 100 */
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* The emergency switch: 0 lets everything run. Written by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} armed SEC(".maps");

/* A container's cgroup -> what to block there. One value, replaced whole, names all other
 * entries that belong to it: no exec sees half a policy. Written by the sensor; deleted with
 * the cgroup. When full, the sensor is told, and the container stays without. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_ref);
	__type(value, struct block_policy);
} blocking SEC(".maps");

/* What allow lists name, by subject. Written and deleted by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct hash_key);
	__type(value, __u32);
} allowed SEC(".maps");

/* The files of images: hash of path -> size; and their sizes alone. Written and deleted by
 * the sensor. When full, the image counts as not indexed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4194304);
	__type(key, struct hash_key);
	__type(value, __u64);
} image_files SEC(".maps");

/* What the sensor found out. The oldest go when full: then it is found out once more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct proof_key);
	__type(value, struct proof);
} proofs SEC(".maps");

/* Processes killed for a file they mapped, for who reports the mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct killed_key);
	__type(value, __u32);
} killed SEC(".maps");

enum rules { ALL_RULES, CLOSED_RULES };

/* What is judged: pointers into one record, so that few arguments tell it all. */
struct suspect {
	const struct block_policy *policy;
	const struct container_root *root;
	const struct file_facts *file;
	const struct path_hashes *hashes;
	__u32 scratch; /* whose record holds `file` and, from `data`, its paths */
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

static __always_inline bool has_rules(struct task_struct *task)
{
	return is_armed() && mnt_ns(task) != settings.host_mnt_ns;
}

static __always_inline __u64 join_hash(__u64 above, __u64 component)
{
	return (above ^ component) * FNV_PRIME;
}

/* Hash the components of the leaf-first path in a scratch record (FNV-1a), as
 * driftline/sensor/bpf/path_hash.py does. Returns whether all of it was. A global function, as the
 * next one: the verifier follows it once and not for each caller. Hence the scalars. */
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

/* Join the components' hashes from the root down: all folders' and the whole path's. */
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

static __always_inline bool hash_of(struct suspect *of, __u32 start, __u32 length)
{
	bool is_whole = hash_components(of->scratch, of->data + start, length) && !of->truncated;

	join_path(of->scratch);
	return is_whole;
}

static __always_inline bool is_allowed_as(struct suspect *of, __u64 hash, __u32 kind)
{
	struct hash_key key = { hash, of->policy->set, kind };
	__u32 *subjects = bpf_map_lookup_elem(&allowed, &key);

	return subjects && (*subjects & of->subjects);
}

static __always_inline bool is_in_allowed_directory(struct suspect *of)
{
	if (!(of->policy->flags & HAS_DIRECTORIES))
		return false;
	for (int i = 1; i < PATH_DEPTH; i++)
		if (i < of->hashes->count && is_allowed_as(of, of->hashes->upwards[i], HASH_DIRECTORY))
			return true;
	return false;
}

static __always_inline bool is_allowed(struct suspect *of)
{
	bool is_whole = hash_of(of, of->fs_path_length, of->path_length);

	return is_allowed_as(of, of->hashes->name, HASH_NAME) ||
	       (is_whole && (is_allowed_as(of, of->hashes->whole, HASH_PATH) || is_in_allowed_directory(of)));
}

static __always_inline const struct proof *proof_of(struct suspect *of)
{
	struct proof_key key = { { of->file->inode, of->file->device }, of->policy->set };
	struct proof *proof = bpf_map_lookup_elem(&proofs, &key);

	return proof && proof->ctime == of->file->ctime && proof->size == of->file->size ? proof : 0;
}

static __always_inline bool image_has(struct suspect *of, __u64 hash, __u32 kind)
{
	struct hash_key key = { hash, of->policy->image, kind };
	__u64 *size = bpf_map_lookup_elem(&image_files, &key);

	return size && *size == of->file->size;
}

/* Could the image have this very file at this very path? */
static __always_inline bool may_be_identical(struct suspect *of)
{
	if (!of->policy->image || of->file->magic != OVERLAYFS_MAGIC)
		return true;
	if (!hash_of(of, 0, of->fs_path_length))
		return of->policy->flags & HAS_LONG_PATHS;
	return image_has(of, of->hashes->whole, HASH_PATH);
}

static __always_inline bool may_be_innocent(struct suspect *of)
{
	const struct block_policy *policy = of->policy;
	bool in_tree = of->file->device == of->root->device;

	if (policy->undecidable & of->subjects)
		return true;
	if (policy->relocated & of->subjects && (!policy->image || image_has(of, of->file->size, HASH_SIZE)))
		return true;
	return in_tree && of->file->nlink && may_be_identical(of);
}

/* The sensor knows the start of a process that ran before it to the clock tick only. */
static __always_inline bool is_first_process(struct suspect *of, struct task_struct *task)
{
	struct process_key key = process_key(task);

	return key.tgid == of->root->first.tgid && key.start - of->root->first.start < TICK_NS;
}

/* The decision, once it is known that the rules block such a subject. */
static __always_inline bool is_guilty(struct suspect *of, struct task_struct *task)
{
	const struct block_policy *policy = of->policy;
	const struct proof *proof = proof_of(of);

	if (!(policy->first & of->subjects) && is_first_process(of, task))
		return false;
	if (proof && proof->innocent & of->subjects)
		return false;
	if (is_allowed(of))
		return false;
	if (proof && proof->guilty & of->subjects)
		return true;
	return policy->closed & of->subjects || !may_be_innocent(of);
}

static __always_inline bool is_blocked_by(const struct block_policy *policy, enum rules rules, __u16 subjects)
{
	__u16 mask = policy->block & subjects;

	if (rules == CLOSED_RULES)
		mask &= policy->closed;
	return mask && mask == subjects;
}

/* Whether a file may have to be blocked: the quick question, before its path is read. Where the
 * container's root is not known yet, it is its first process that is about to start. */
static __always_inline bool is_suspect(struct suspect *of, struct task_struct *task, struct file *file, __u16 subjects,
				       enum rules rules)
{
	struct cgroup_ref at;

	of->subjects = subjects;
	of->policy = has_rules(task) ? nearest(&blocking, task, &at) : 0;
	if (!of->policy || !is_blocked_by(of->policy, rules, subjects))
		return false;
	of->root = root_of(task);
	return of->root && !is_image_file(file, of->root);
}

/* The decision, with the facts and paths of exec_record or open_record. */
#define is_blocked(of, record, from, task) ({                                                    \
	(of)->file = &(record)->file;                                                            \
	(of)->hashes = (void *)(record);                                                         \
	(of)->scratch = from;                                                                    \
	(of)->data = (record)->data - (char *)(record);                                          \
	(of)->fs_path_length = (record)->fs_path_length;                                         \
	(of)->path_length = (record)->path_length;                                               \
	(of)->truncated = (record)->head.flags & PATH_TRUNCATED;                                 \
	is_guilty(of, task);                                                                     \
})

static __always_inline bool kill_current(void)
{
	if (bpf_send_signal(SIGKILL) == 0)
		return true;
	count_loss(LOSS_BLOCK_FAILED);
	return false;
}

static __always_inline void remember_killed(struct task_struct *task, struct file *file)
{
	struct killed_key key = { BPF_CORE_READ(file, f_inode, i_ino), BPF_CORE_READ(task, tgid) };
	__u32 one = 1;

	bpf_map_update_elem(&killed, &key, &one, BPF_ANY);
}

/* What ld.so maps may be the program it was given or a library of it: blocked in the kernel
 * only where the rules block both. */
static __always_inline __u16 mapped_subjects(struct task_struct *task)
{
	char name[4] = {};

	bpf_probe_read_kernel(name, 3, BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	return name[0] == 'l' && name[1] == 'd' && (name[2] == '-' || name[2] == '.') ?
		       SUBJECT_LIBRARY | SUBJECT_LOADER : SUBJECT_LIBRARY;
}

#endif
