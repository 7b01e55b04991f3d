/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Facts of a file: inode attributes, layer of an overlay, path.
 */
#ifndef DRIFTLINE_FILE_H
#define DRIFTLINE_FILE_H

#include "kernel.h"
#include "../driftline.h"

#define NAME_MAX_LEN 256
#define WALK_STEPS 64 /* components of a path that are read; a bounded loop for the verifier */

#define CTIME_QUERIED (1U << 31) /* flag in i_ctime_nsec since v6.13: the time was read (I_CTIME_QUERIED, linux/fs.h) */

/* The layout of i_ctime differs by version, see kernel.h. ns since 1970, CLOCK_REALTIME. */
static __always_inline __u64 inode_ctime(struct inode *inode)
{
	struct inode___v6_11 *v6_11 = (void *)inode;
	struct inode___v6_6 *v6_6 = (void *)inode;
	struct inode___v5 *v5 = (void *)inode;

	if (bpf_core_field_exists(v6_11->i_ctime_sec))
		return BPF_CORE_READ(v6_11, i_ctime_sec) * 1000000000ULL +
		       (BPF_CORE_READ(v6_11, i_ctime_nsec) & ~CTIME_QUERIED);
	if (bpf_core_field_exists(v6_6->__i_ctime))
		return BPF_CORE_READ(v6_6, __i_ctime.tv_sec) * 1000000000ULL + BPF_CORE_READ(v6_6, __i_ctime.tv_nsec);
	return BPF_CORE_READ(v5, i_ctime.tv_sec) * 1000000000ULL + BPF_CORE_READ(v5, i_ctime.tv_nsec);
}

/* The file of an overlay in its upper layer; 0 if it is in lower layers alone. It was created, or copied
 * up by a write. Without the BTF of the overlay module, __upperdentry is the pointer behind the VFS
 * inode (fs/overlayfs/ovl_entry.h, struct ovl_inode). */
static __always_inline struct dentry *upper_dentry(struct inode *inode)
{
	struct dentry *upper = 0;

	if (bpf_core_type_exists(struct ovl_inode)) {
		struct ovl_inode *ovl = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);

		return BPF_CORE_READ(ovl, __upperdentry);
	}
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
	return upper;
}

static __always_inline bool on_upper_layer(struct inode *inode)
{
	return upper_dentry(inode) != 0;
}

/* Number of lower layers that have the file. Since v6.5 in ovl_inode.oe, before in d_fsdata. */
static __always_inline __u32 lower_layers(struct inode *inode, struct dentry *dentry)
{
	struct ovl_inode *ovl;
	struct ovl_entry___v6_4 *entry;

	if (!bpf_core_type_exists(struct ovl_inode))
		return 0;
	ovl = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
	if (bpf_core_field_exists(ovl->oe))
		return BPF_CORE_READ(ovl, oe, __numlower);
	entry = BPF_CORE_READ(dentry, d_fsdata);
	return BPF_CORE_READ(entry, numlower);
}

static __always_inline void read_facts(struct file_facts *facts, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);

	facts->inode = BPF_CORE_READ(inode, i_ino);
	facts->size = BPF_CORE_READ(inode, i_size);
	facts->ctime = inode_ctime(inode);
	facts->magic = BPF_CORE_READ(sb, s_magic);
	facts->device = BPF_CORE_READ(sb, s_dev);
	facts->mode = BPF_CORE_READ(inode, i_mode);
	facts->nlink = BPF_CORE_READ(inode, i_nlink);
	facts->upper = facts->lowers = facts->pad = 0;
	__builtin_memset(facts->fs_type, 0, FS_TYPE_LEN);
	bpf_probe_read_kernel_str(facts->fs_type, FS_TYPE_LEN, BPF_CORE_READ(sb, s_type, name));
	if (facts->magic == OVERLAYFS_MAGIC) {
		facts->upper = on_upper_layer(inode);
		facts->lowers = lower_layers(inode, BPF_CORE_READ(file, f_path.dentry));
	}
}

static __always_inline struct file_key key_of(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return (struct file_key){ BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev) };
}

/* Whether the file is unchanged image content. Only the container's root overlay counts: on a nested
 * overlay, a dropped file may be in a lower layer as well. */
static __always_inline bool is_image_file(struct file *file, const struct container_root *root)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return root && BPF_CORE_READ(inode, i_sb, s_dev) == root->device &&
	       BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_MAGIC && !on_upper_layer(inode);
}

/* The cursor is in map memory and is read again at each step: the verifier then does not track its
 * range and can prune states; in a register it would follow every possible length. */
#define CURSOR(record) (*(volatile __u32 *)&(record)->cursor)
#define AT(record, offset) (&(record)->data[(offset) & (DATA_MAX - 1)])

/* Append the names from a dentry up to its superblock's root. Gives whether the root was reached. */
#define append_fs_path(record, leaf, top) ({                                                     \
	struct dentry *_dentry = (leaf);                                                         \
	bool _done = false;                                                                      \
	for (int _step = 0; _step < WALK_STEPS; _step++) {                                       \
		struct dentry *_parent = BPF_CORE_READ(_dentry, d_parent);                       \
		__u32 _offset = CURSOR(record);                                                  \
		long _length;                                                                    \
		if (_dentry == (top)) {                                                          \
			_done = true;                                                            \
			break;                                                                   \
		}                                                                                \
		if (_offset > DATA_MAX - NAME_MAX_LEN)                                           \
			break;                                                                   \
		_length = bpf_probe_read_kernel_str(AT(record, _offset), NAME_MAX_LEN,           \
						    BPF_CORE_READ(_dentry, d_name.name));        \
		if (_length > 0)                                                                 \
			CURSOR(record) = _offset + _length;                                      \
		if (_dentry == _parent) { /* a memfd or pipe is its own root, with a name */       \
			_done = true;                                                            \
			break;                                                                   \
		}                                                                                \
		_dentry = _parent;                                                               \
	}                                                                                        \
	_done;                                                                                   \
})

/* Append the names from a dentry through the mounts above it up to its namespace's root, as the
 * kernel's prepend_path does (fs/d_path.c). Gives whether the root was reached. */
#define append_mount_path(record, from_mnt, leaf) ({                                             \
	struct mount *_mount = (void *)(from_mnt) - bpf_core_field_offset(struct mount, mnt);    \
	struct dentry *_dentry = (leaf);                                                         \
	bool _done = false;                                                                      \
	for (int _step = 0; _step < WALK_STEPS; _step++) {                                       \
		struct dentry *_parent = BPF_CORE_READ(_dentry, d_parent);                       \
		__u32 _offset = CURSOR(record);                                                  \
		long _length;                                                                    \
		if (_dentry == BPF_CORE_READ(_mount, mnt.mnt_root)) {                            \
			struct mount *_above = BPF_CORE_READ(_mount, mnt_parent);                \
			if (_above == _mount) {                                                  \
				_done = true;                                                    \
				break;                                                           \
			}                                                                        \
			_dentry = BPF_CORE_READ(_mount, mnt_mountpoint);                         \
			_mount = _above;                                                         \
			continue;                                                                \
		}                                                                                \
		if (_dentry == _parent) { /* in no namespace: memfd, detached mount */           \
			_done = true;                                                            \
			break;                                                                   \
		}                                                                                \
		if (_offset > DATA_MAX - NAME_MAX_LEN)                                           \
			break;                                                                   \
		_length = bpf_probe_read_kernel_str(AT(record, _offset), NAME_MAX_LEN,           \
						    BPF_CORE_READ(_dentry, d_name.name));        \
		if (_length > 0)                                                                 \
			CURSOR(record) = _offset + _length;                                      \
		_dentry = _parent;                                                               \
	}                                                                                        \
	_done;                                                                                   \
})

/* Append a file's path within its superblock (fs_path), then its path through mounts (path). */
#define append_paths(record, file) ({                                                            \
	struct vfsmount *_mnt = BPF_CORE_READ(file, f_path.mnt);                                 \
	struct dentry *_leaf = BPF_CORE_READ(file, f_path.dentry);                               \
	struct dentry *_top = BPF_CORE_READ(file, f_inode, i_sb, s_root);                        \
	__u32 _start = CURSOR(record), _middle;                                                  \
	bool _whole = append_fs_path(record, _leaf, _top);                                       \
	_middle = CURSOR(record);                                                                \
	(record)->fs_path_length = _middle - _start;                                             \
	_whole &= append_mount_path(record, _mnt, _leaf);                                        \
	(record)->path_length = CURSOR(record) - _middle;                                        \
	_whole;                                                                                  \
})

#endif
