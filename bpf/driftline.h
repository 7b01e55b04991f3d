/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Records that the BPF programs send to the sensor, and the values of the maps that both share.
 * Fixed-size types only, no implicit padding: driftline/sensor/bpf/records.py decodes the same
 * layout, and tests/sensor/test_layout.py compares the two through the object's BTF.
 *
 * A record is a fixed head followed by `data`: byte strings end to end, in the order of the
 * head's length fields. A path is the names of its components, leaf first, each with a NUL: the
 * programs walk up the dentries, and user space reverses the order.
 */
#ifndef DRIFTLINE_H
#define DRIFTLINE_H

#define ANCESTORS 8
#define COMM_LEN 16
#define FS_TYPE_LEN 16
#define ARGS_MAX 4096
#define DATA_MAX 16384 /* a power of two: offsets are masked with it */
#define CGROUP_PATH_MAX 1024 /* a power of two, as DATA_MAX */

enum record_type {
	RECORD_EXEC = 1,
	RECORD_EXIT = 2,
	RECORD_CGROUP_MKDIR = 3,
	RECORD_CGROUP_RMDIR = 4,
	RECORD_OPEN = 5,
};

enum record_flag {
	PATH_TRUNCATED = 1 << 0,    /* deeper than WALK_STEPS, or longer than `data` */
	ARGS_TRUNCATED = 1 << 1,
	ARGS_UNREADABLE = 1 << 2,
	HAS_TTY = 1 << 3,
	SECURE_EXEC = 1 << 4,       /* setuid, setgid or file capabilities took effect */
	BLOCKED = 1 << 5,           /* killed here, before its first instruction */
	DENIED = 1 << 6,            /* the exec failed with EPERM; the record is of the task that tried */
	SHEBANG = 1 << 7,           /* the denied file is a script */
	READ_AS_CODE = 1 << 8,      /* the file is certainly run (lib/shell.h, takes_stdin) */
	ON_STDIN = 1 << 9,          /* standard input of an interpreter at its exec */
};

/* Kind of executed file, as DriftSubject: bits of the masks below. */
enum subject {
	SUBJECT_BINARY = 1 << 0,
	SUBJECT_SCRIPT = 1 << 1,
	SUBJECT_LIBRARY = 1 << 2,
	SUBJECT_LOADER = 1 << 3,
};

/* How a program runs files as code: value of the maps `interpreters` and `interpreter_names`. */
enum interpreter_kind {
	OPENS_CODE = 1 << 0,        /* its opened files are reported: user space knows which are code */
	MOVES_CODE = 1 << 1,        /* a shell that copies the descriptor of code to 10 or higher */
	READS_CODE_WHOLE = 1 << 2,  /* a shell like bash */
};

#define INTERPRETER_NAME_LEN 16

/* Name of a program without its version, padded with NULs: python, php, bash. */
struct interpreter_name {
	char name[INTERPRETER_NAME_LEN];
};

/* Reason for the loss of a record or of a part of one. Index of the `losses` map. */
enum loss {
	LOSS_EXEC_RING_FULL = 0,
	LOSS_FILE_RING_FULL = 1,
	LOSS_ARGS_UNREADABLE = 2,
	LOSS_PATH_TRUNCATED = 3,
	LOSS_NO_SCRATCH = 4,
	LOSS_BLOCK_FAILED = 5,      /* the signal could not be sent */
	LOSS_EXIT_RING_FULL = 6,    /* the end of a process, in exec_ring */
	LOSS_CGROUP_RING_FULL = 7,  /* a cgroup created or removed, in exec_ring */
	LOSS_MAX = 8,
};

struct settings {
	__u32 host_mnt_ns;          /* inode of the node's own mount namespace */
	__u32 watch_hosts;          /* 1: report the node's own processes as well */
	__u32 own_tgid;             /* the sensor, which never reports itself */
	__u32 pad;
	__u64 seed;                 /* mixed into path hashes, so that no container can construct a collision */
};

struct cgroup_ref {
	__u64 id;
	__u64 hierarchy;            /* 0: cgroup v2; an id is unique within its hierarchy only */
};

struct file_key {
	__u64 inode;
	__u64 device;               /* the kernel's dev_t */
};

/* Key of a file that no later file can have. */
struct inode_key {
	__u64 inode;
	__u32 device;               /* the kernel's dev_t */
	__u32 generation;
};

struct process_key {
	__u64 start;                /* CLOCK_BOOTTIME, ns */
	__u64 tgid;
};

/* A container's root file system and first process. */
struct container_root {
	__u32 device;               /* s_dev of the root's superblock, the kernel's dev_t */
	__u32 pad;
	struct process_key first;
};

enum block_flag {
	HAS_LONG_PATHS = 1 << 0,    /* the image has paths longer than PATH_HASHED */
	HAS_DIRECTORIES = 1 << 1,   /* an allow list names directories */
};

/* Policy of one container. Each mask has the bits (enum subject) for which it holds; different
 * rules may decide for different subjects. */
struct block_policy {
	__u32 set;                  /* number of its entries in `allowed` and `verdict_cache` */
	__u32 image;                /* number of its entries in `image_files`; 0: no index yet */
	__u16 block;                /* subjects that the rules block */
	__u16 closed;               /* failClosed: blocked also while no verdict is known */
	__u16 first;                /* the container's first process is not exempt */
	__u16 undecidable;          /* the allow list has conditions that only user space can evaluate */
	__u16 relocated;            /* the allow list exempts image content under other paths */
	__u16 flags;
	__u32 pad;
};

enum hash_kind {
	HASH_NAME = 1,              /* of a file, without its folder */
	HASH_PATH = 2,
	HASH_DIRECTORY = 3,         /* and everything below it */
	HASH_SIZE = 4,              /* the hash field holds a size in bytes */
};

/* Key of `allowed` and `image_files`. */
struct hash_key {
	__u64 hash;
	__u32 owner;                /* `set` or `image` of struct block_policy */
	__u32 kind;
};

/* A file in the memory of a process. */
struct mapped_key {
	__u64 inode;
	__u64 tgid;
};

struct verdict_key {
	struct file_key file;
	__u32 set;
	__u32 pad;
};

/* Verdict of user space on a file; valid while ctime and size are unchanged. */
struct cached_verdict {
	__u64 ctime;
	__u64 size;
	__u32 trusted;              /* mask of subjects (enum subject) for which it may run */
	__u32 untrusted;            /* mask of subjects for which it is blocked */
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

/* Change of a file's bytes. */
enum write_operation {
	WROTE_NOTHING = 0,          /* opened for writing */
	WROTE_WRITE = 1,            /* write(2) and its relatives */
	WROTE_TRUNCATE = 2,         /* ftruncate(2), or O_TRUNC of a file that existed */
	WROTE_ALLOCATE = 3,         /* fallocate(2) */
	WROTE_MAPPING = 4,          /* mapped shared and writable: the time is that of mmap(2) */
	WROTE_COPY = 5,             /* copy_file_range, sendfile, splice, FICLONE */
};

struct file_writer {
	__u64 time;                 /* CLOCK_BOOTTIME, ns; 0: none seen */
	struct process_key process;
	struct cgroup_ref cgroup;
	__u64 exec_id;              /* number of execs of the process before (self_exec_id) */
	__u64 size;                 /* of the file after the change */
	__u32 mnt_ns;
	__u32 operation;            /* enum write_operation */
	char comm[COMM_LEN];
};

/* A process between two of its execs. */
struct program_key {
	struct process_key process;
	__u64 exec_id;
};

#define WRITER_ARGS_MAX 256

struct writer_args {
	__u64 length;               /* of all arguments; at most WRITER_ARGS_MAX are stored */
	char data[WRITER_ARGS_MAX];
};

struct file_facts {
	__u64 inode;
	__u64 size;
	__u64 ctime;                /* CLOCK_REALTIME, ns */
	__u64 magic;                /* s_magic of the superblock */
	__u32 device;               /* the kernel's dev_t: major << 20 | minor */
	__u32 mode;
	__u32 nlink;
	__u32 lowers;               /* overlay: number of lower layers that have the file */
	__u32 upper;                /* overlay: 1 if it has an upper dentry */
	__u32 pad;
	char fs_type[FS_TYPE_LEN];
	struct inode_key key;       /* of the file that holds the bytes */
	struct file_writer writer;  /* last change of its bytes */
	struct file_writer opener;  /* last open for writing */
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
	__u32 login_uid;            /* audit loginuid; -1: unset */
	__u32 session_id;           /* audit session; -1: unset */
	__u32 ns_pid;               /* pid in its own pid namespace */
	__u32 pid_ns;               /* inode number of that namespace */
	__u32 argc;
	__u64 args_length;          /* bytes of argv before truncation */
	char comm[COMM_LEN];
	struct process_key session; /* first process of its exec session; zeros: of the container itself */
	struct ancestor ancestors[ANCESTORS];
	__u16 fs_path_length;       /* path from the superblock's root */
	__u16 path_length;          /* path through mounts, from the namespace's root */
	__u16 filename_length;      /* bprm->filename */
	__u16 interp_length;        /* bprm->interp */
	__u16 args_stored;
	__u16 cwd_length;
	__u16 cgroup_length;        /* path of the cgroup, from its hierarchy's root; 0: a known container's */
	__u16 pad;
	__u32 cursor;               /* write position; finally the length of data */
	__u32 pad2;
	char data[];
};

struct exit_record {
	struct record_head head;
	__s32 exit_code;            /* as wait(2) gives it */
	__u32 pad;
};

/* Lost exec records of one cgroup. */
struct cgroup_loss {
	__u64 count;
	__u32 cursor;               /* length of data: the path of the cgroup, leaf first */
	__u32 pad;
	char data[CGROUP_PATH_MAX];
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
	struct ancestor ancestors[ANCESTORS];
	struct file_key program;    /* of the task: a fork that executed nothing has its parent's */
	__u16 fs_path_length;
	__u16 path_length;
	__u16 name_length;          /* path argument of the system call */
	__u16 pad;
	__u32 cursor;
	__u32 pad2;
	char data[];
};

#endif
