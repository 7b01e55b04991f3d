/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * The records that the kernel side hands to the sensor. Fixed-size types only, no implicit
 * padding: driftline/sensor/bpf/records.py decodes the same layout, and
 * tests/sensor/test_layout.py compares the two through the object's BTF.
 *
 * A record is a fixed head followed by `data`: byte strings laid end to end in the order of
 * the head's length fields. Paths are the names of their components, leaf first, each ended
 * by a NUL: they are found by walking up and turned around in user space.
 */
#ifndef DRIFTLINE_H
#define DRIFTLINE_H

#define ANCESTORS 8
#define COMM_LEN 16
#define FS_TYPE_LEN 16
#define ARGS_MAX 4096
#define DATA_MAX 16384 /* a power of two: offsets are masked with it */

enum record_type {
	RECORD_EXEC = 1,
	RECORD_EXIT = 2,
	RECORD_CGROUP_MKDIR = 3,
	RECORD_CGROUP_RMDIR = 4,
	RECORD_OPEN = 5,
};

enum record_flag {
	PATH_TRUNCATED = 1 << 0,    /* deeper or longer than the walk goes */
	ARGS_TRUNCATED = 1 << 1,
	ARGS_UNREADABLE = 1 << 2,
	HAS_TTY = 1 << 3,
	SECURE_EXEC = 1 << 4,       /* setuid, setgid or file capabilities took effect */
	BLOCKED = 1 << 5,           /* killed here, before its first instruction */
	DENIED = 1 << 6,            /* the exec failed with EPERM; the rest tells of who tried */
	SHEBANG = 1 << 7,           /* what was denied is a script */
};

/* What was run: bits of the masks below. */
enum subject {
	SUBJECT_BINARY = 1 << 0,
	SUBJECT_SCRIPT = 1 << 1,
	SUBJECT_LIBRARY = 1 << 2,
	SUBJECT_LOADER = 1 << 3,
};

/* Why a record or a part of one was lost. Index of the `losses` map. */
enum loss {
	LOSS_EXEC_RING_FULL = 0,
	LOSS_FILE_RING_FULL = 1,
	LOSS_ARGS_UNREADABLE = 2,
	LOSS_PATH_TRUNCATED = 3,
	LOSS_NO_SCRATCH = 4,
	LOSS_BLOCK_FAILED = 5,      /* the signal could not be sent */
	LOSS_MAX = 6,
};

struct settings {
	__u32 host_mnt_ns;          /* inode of the node's own mount namespace */
	__u32 watch_hosts;          /* 1: the node's own processes too */
	__u32 own_tgid;             /* the sensor, which never reports itself */
	__u32 pad;
	__u64 seed;                 /* of the path hashes: no container can foresee a collision */
};

struct cgroup_ref {
	__u64 id;
	__u64 hierarchy;            /* 0: cgroup v2; ids are unique in their hierarchy only */
};

struct file_key {
	__u64 inode;
	__u64 device;               /* the kernel's dev_t */
};

struct process_key {
	__u64 start;                /* CLOCK_BOOTTIME, ns */
	__u64 tgid;
};

/* Where a container starts: its root file system and its first process. */
struct container_root {
	__u32 device;
	__u32 pad;
	struct process_key first;
};

enum block_flag {
	HAS_LONG_PATHS = 1 << 0,    /* the image has paths beyond what is hashed */
	HAS_DIRECTORIES = 1 << 1,   /* an allow list names directories */
};

/* What to block in a container. Each mask has the bits of the subjects it holds for; the rule
 * that decides may be another for each. */
struct block_policy {
	__u32 set;                  /* of its `allowed` and `proofs` entries */
	__u32 image;                /* of its `image_files` entries; 0: there is no index yet */
	__u16 block;
	__u16 closed;               /* what is not proven innocent is blocked */
	__u16 first;                /* the first process is not exempt */
	__u16 undecidable;          /* the allow list asks for what only user space can tell */
	__u16 relocated;            /* the allow list exempts image content under other paths */
	__u16 flags;
	__u32 pad;
};

enum hash_kind {
	HASH_NAME = 1,              /* of a file, without its folder */
	HASH_PATH = 2,
	HASH_DIRECTORY = 3,         /* with all below it */
	HASH_SIZE = 4,              /* no hash, but a size in bytes */
};

/* Key of `allowed` and `image_files`. */
struct hash_key {
	__u64 hash;
	__u32 owner;                /* set or image */
	__u32 kind;
};

struct killed_key {
	__u64 inode;
	__u64 tgid;
};

struct proof_key {
	struct file_key file;
	__u32 set;
	__u32 pad;
};

/* What user space found out of a file; worth something while the file stays as it was. */
struct proof {
	__u64 ctime;
	__u64 size;
	__u32 innocent;             /* masks by subject */
	__u32 guilty;
};

struct record_head {
	__u64 time;                 /* CLOCK_BOOTTIME, ns */
	__u32 length;               /* of the whole record */
	__u16 type;
	__u16 flags;
	struct cgroup_ref cgroup;
	__u64 start;                /* CLOCK_BOOTTIME of the thread group leader's fork, ns */
	__u32 tgid;
	__u32 pid;
	__u32 mnt_ns;
	__u32 root_device;          /* of the container's root, the kernel's dev_t; 0: not known */
};

struct file_writer {
	__u64 time;                 /* 0: nobody seen */
	__u64 start;
	__u32 tgid;
	__u32 pad;
	char comm[COMM_LEN];
};

struct file_facts {
	__u64 inode;
	__u64 size;
	__u64 ctime;                /* CLOCK_REALTIME, ns */
	__u64 magic;
	__u32 device;               /* the kernel's dev_t: major << 20 | minor */
	__u32 mode;
	__u32 nlink;
	__u32 lowers;               /* overlay: layers below that hold it */
	__u32 upper;                /* overlay: 1 if it has an upper dentry */
	__u32 pad;
	char fs_type[FS_TYPE_LEN];
	struct file_writer writer;
};

struct ancestor {
	__u64 start;
	__u32 tgid;
	__u32 pad;
	char comm[COMM_LEN];
};

struct exec_record {
	struct record_head head;
	struct file_facts file;
	__u32 uid;
	__u32 gid;
	__u32 euid;
	__u32 login_uid;
	__u32 session_id;
	__u32 ns_pid;
	__u32 pid_ns;
	__u32 argc;
	__u64 args_length;          /* before truncation */
	char comm[COMM_LEN];
	struct ancestor ancestors[ANCESTORS];
	__u16 fs_path_length;
	__u16 path_length;
	__u16 filename_length;
	__u16 interp_length;
	__u16 args_stored;
	__u16 cwd_length;
	__u32 cursor;               /* the writer's own; ends as the length of data */
	char data[];
};

struct exit_record {
	struct record_head head;
	__s32 exit_code;            /* as wait(2) gives it */
	__u32 pad;
};

struct cgroup_record {
	struct record_head head;
	__u32 path_length;
	__u32 cursor;
	char data[];
};

struct open_record {
	struct record_head head;
	struct file_facts file;
	__u16 fs_path_length;
	__u16 path_length;
	__u16 name_length;          /* the path as the system call was given it */
	__u16 pad;
	__u32 cursor;
	__u32 pad2;
	char data[];
};

#endif
