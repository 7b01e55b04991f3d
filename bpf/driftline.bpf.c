/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Programs that report what containers execute, load and open, and that block by policy. BTF
 * tracepoints (Linux 5.8) suffice, so that the object loads where kprobes, fentry and LSM programs
 * are refused; deny_exec (LSM) is loaded only where the kernel allows it.
 */
#include "lib/kernel.h"
#include "driftline.h"
#include "lib/block.h"
#include "lib/file.h"
#include "lib/interpreter.h"
#include "lib/maps.h"
#include "lib/script.h"
#include "lib/shell.h"
#include "lib/syscall.h"
#include "lib/task.h"
#include "lib/writers.h"

/* Counts by cgroup, so that user space can say which container has a gap. The record that was lost
 * gives its space for a new entry. */
static __always_inline void count_lost_exec(struct cgroup_ref *cgroup, struct task_struct *task, void *record)
{
	struct cgroup_loss *known = bpf_map_lookup_elem(&losses_by_cgroup, cgroup), *first = record;

	count_loss(LOSS_EXEC_RING_FULL);
	if (known) {
		__sync_fetch_and_add(&known->count, 1);
		return;
	}
	first->count = 1;
	first->cursor = first->pad = 0;
	append_cgroup_path(first, cgroup_of(task), CGROUP_PATH_MAX);
	/* Another CPU may have made the entry meanwhile. */
	if (bpf_map_update_elem(&losses_by_cgroup, cgroup, first, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&losses_by_cgroup, cgroup);
		if (known)
			__sync_fetch_and_add(&known->count, 1);
	}
}

/* A task is in a container if its mount namespace is not the node's, or if its cgroup is a known
 * container's (it may have left the mount namespace, but not the cgroup). */
static __always_inline bool in_container(struct task_struct *task, struct cgroup_ref *cgroup)
{
	return mnt_ns(task) != settings.host_mnt_ns || bpf_map_lookup_elem(&containers, cgroup);
}

/* The sensor never reports itself: its own reads would report endlessly. */
static __always_inline bool watched(struct task_struct *task, struct cgroup_ref *cgroup)
{
	return (settings.watch_hosts || in_container(task, cgroup)) && BPF_CORE_READ(task, tgid) != settings.own_tgid;
}

static __always_inline void fill_head(struct record_head *head, __u16 type, struct task_struct *task,
				      struct cgroup_ref *cgroup)
{
	struct container_root *root = root_of(task);

	head->time = bpf_ktime_get_boot_ns();
	head->type = type;
	head->flags = 0;
	head->cgroup = *cgroup;
	head->mnt_ns = mnt_ns(task);
	head->root_device = root ? root->device : 0;
	head->start = BPF_CORE_READ(task, group_leader, start_boottime);
	head->tgid = BPF_CORE_READ(task, tgid);
	head->pid = BPF_CORE_READ(task, pid);
}

/* The first exec in a container's own mount namespace is its entry point. No program of the
 * container has run before it and could have changed the root. BPF_NOEXIST keeps the first value. */
static __always_inline void learn_root(struct task_struct *task, struct cgroup_ref *cgroup)
{
	struct container_root root = { .first = process_key(task) };

	if (mnt_ns(task) == settings.host_mnt_ns || root_of(task))
		return;
	root.device = BPF_CORE_READ(task, fs, root.mnt, mnt_sb, s_dev);
	bpf_map_update_elem(&roots, cgroup, &root, BPF_NOEXIST);
}

/* The first exec of a process that the runtime placed into a running container begins a session: its
 * parent is outside of every container, and it is not the container's own first process. In the node's
 * pid namespace (hostPID), orphans of the container get such a parent too: no session is known there. */
static __always_inline void learn_session(struct exec_record *record, struct task_struct *task)
{
	struct process_key key = process_key(task), *session = bpf_map_lookup_elem(&sessions, &key);
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct container_root *root = root_of(task);
	struct cgroup_ref above = cgroup_ref(cgroup_of(parent));

	record->session = session ? *session : (struct process_key){};
	if (session || !root || is_first_process(root, task) || !BPF_CORE_READ(task, thread_pid, level) ||
	    mnt_ns(task) == settings.host_mnt_ns || in_container(parent, &above))
		return;
	record->session = key;
	bpf_map_update_elem(&sessions, &key, &key, BPF_ANY);
}

/* bprm->filename differs from bprm->interp if the file was reached by a "#!" line or binfmt_misc
 * (fs/exec.c): then bprm->file is the interpreter. Otherwise its name decides. */
static __always_inline __u32 learn_interpreter(struct file *file, const char *filename, const char *interp)
{
	struct file_key key = key_of(file);
	__u32 kinds = kinds_by_name(BPF_CORE_READ(file, f_path.dentry, d_name.name));

	if (!kinds && filename != interp)
		kinds = OPENS_CODE;
	if (kinds)
		bpf_map_update_elem(&interpreters, &key, &kinds, BPF_ANY);
	return kinds;
}

static __always_inline void read_creds(struct exec_record *record, struct task_struct *task)
{
	record->uid = BPF_CORE_READ(task, cred, uid.val);
	record->gid = BPF_CORE_READ(task, cred, gid.val);
	record->euid = BPF_CORE_READ(task, cred, euid.val);
	record->login_uid = record->session_id = -1;
	if (bpf_core_field_exists(task->loginuid)) { /* CONFIG_AUDIT */
		record->login_uid = BPF_CORE_READ(task, loginuid.val);
		record->session_id = BPF_CORE_READ(task, sessionid);
	}
}

#define EPERM 1

/* Append a kernel string with its NUL; gives its length. A macro: the record types differ. */
#define append_string(record, from, most) ({                                                     \
	__u32 _offset = CURSOR(record);                                                          \
	long _length = 0;                                                                        \
	if (_offset < DATA_MAX)                                                                  \
		_length = bpf_probe_read_kernel_str(AT(record, _offset), most, from);            \
	if (_length < 0)                                                                         \
		_length = 0;                                                                     \
	CURSOR(record) = _offset + _length;                                                      \
	(__u16)_length;                                                                          \
})

/* argv as the kernel laid it out at exec: strings with their NULs, from arg_start to arg_end. The
 * read does not fault pages in, so it can fail; such records are counted. */
static __always_inline void append_args(struct exec_record *record, struct task_struct *task)
{
	unsigned long start = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	__u32 offset = CURSOR(record);
	__u64 length = end - start;

	record->args_length = length;
	record->args_stored = 0;
	if (length > ARGS_MAX) {
		length = ARGS_MAX;
		record->head.flags |= ARGS_TRUNCATED;
	}
	if (offset >= DATA_MAX || bpf_probe_read_user(AT(record, offset), length, (void *)start)) {
		record->head.flags |= ARGS_UNREADABLE;
		count_loss(LOSS_ARGS_UNREADABLE);
		return;
	}
	record->args_stored = length;
	CURSOR(record) = offset + length;
}

static __always_inline void append_cwd(struct exec_record *record, struct task_struct *task)
{
	__u32 start = CURSOR(record);

	append_mount_path(record, BPF_CORE_READ(task, fs, pwd.mnt), BPF_CORE_READ(task, fs, pwd.dentry));
	record->cwd_length = CURSOR(record) - start;
}

/* The path of a cgroup that the sensor does not know as a container's: the record of its creation may
 * be late or lost, and the cgroup gone before the sensor looks. */
static __always_inline void append_cgroup(struct exec_record *record, struct task_struct *task,
					  struct cgroup_ref *cgroup)
{
	__u32 start = CURSOR(record);

	record->cgroup_length = 0;
	if (bpf_map_lookup_elem(&containers, cgroup))
		return;
	append_cgroup_path(record, cgroup_of(task), DATA_MAX);
	record->cgroup_length = CURSOR(record) - start;
}

/* For the verifier: the length of a record, bounded by the scratch space. */
static __always_inline __u32 bounded(__u32 length)
{
	return length > RECORD_SIZE ? RECORD_SIZE : length;
}

/* Devices, pipes and directories hold no code. */
static __always_inline bool is_regular(struct file *file)
{
	return (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFREG;
}

/* The part of an open_record that needs only the file. */
static __always_inline void read_opened(struct open_record *record, struct file *file, struct task_struct *task,
					 struct cgroup_ref *cgroup)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	fill_head(&record->head, RECORD_OPEN, task, cgroup);
	read_facts(&record->file, file);
	read_writer(&record->file, BPF_CORE_READ(file, f_inode));
	read_ancestors(record->ancestors, task);
	record->program = exe ? key_of(exe) : (struct file_key){};
	CURSOR(record) = 0;
	if (!append_paths(record, file)) {
		record->head.flags |= PATH_TRUNCATED;
		count_loss(LOSS_PATH_TRUNCATED);
	}
}

/* `flags` has READ_AS_CODE for a file that is certainly run; of others user space decides, and the
 * kernel side blocks the script argument alone. */
static __always_inline void report_open(struct file *file, struct task_struct *task, struct cgroup_ref *cgroup,
					const char *name, __u16 flags)
{
	struct open_record *record = take_scratch(SCRATCH_FILE);
	struct candidate candidate = {};
	__u32 offset, length;
	long stored = 0;

	if (!record)
		return;
	read_opened(record, file, task, cgroup);
	record->head.flags |= flags;
	offset = CURSOR(record);
	if (name && offset < DATA_MAX)
		stored = bpf_probe_read_user_str(AT(record, offset), 4096, name);
	record->name_length = stored > 0 ? stored : 0;
	CURSOR(record) = offset + record->name_length;
	if (is_candidate(&candidate, task, file, SUBJECT_SCRIPT, ALL_RULES) &&
	    (flags & READ_AS_CODE || is_script_argument((__u64)name)) &&
	    is_blocked(&candidate, record, SCRATCH_FILE, task) && kill_current())
		record->head.flags |= BLOCKED;
	length = bounded(sizeof(*record) + CURSOR(record));
	record->head.length = length;
	if (bpf_ringbuf_output(&file_ring, record, length, 0))
		count_loss(LOSS_FILE_RING_FULL);
}

/* Code on standard input is known at the exec: no open of the interpreter shows it. */
static __always_inline void report_stdin(struct task_struct *task, struct cgroup_ref *cgroup, __u32 kinds)
{
	struct file *file = file_of_fd(task, 0);
	__u16 flags = ON_STDIN;

	if (!file || !is_regular(file) || is_image_file(file, root_of(task)))
		return;
	if (takes_stdin(kinds & (MOVES_CODE | READS_CODE_WHOLE)))
		flags |= READ_AS_CODE;
	report_open(file, task, cgroup, 0, flags);
}

/* Fires when the new program is loaded and before its first instruction (fs/exec.c, exec_binprm), so
 * a SIGKILL sent here is delivered before user space runs. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct cgroup_ref cgroup = cgroup_ref(cgroup_of(task));
	struct candidate candidate = {};
	struct exec_record *record;
	bool may_block;
	__u32 length, kinds;

	if (!watched(task, &cgroup))
		return 0;
	learn_root(task, &cgroup);
	kinds = learn_interpreter(bprm->file, bprm->filename, bprm->interp);
	may_block = is_candidate(&candidate, task, bprm->file, SUBJECT_BINARY, ALL_RULES);
	record = take_scratch(SCRATCH_EXEC);
	if (!record)
		return 0;

	fill_head(&record->head, RECORD_EXEC, task, &cgroup);
	read_facts(&record->file, bprm->file);
	read_writer(&record->file, BPF_CORE_READ(bprm, file, f_inode));
	if (!is_image_file(bprm->file, root_of(task)))
		remember_executed(&record->file, record->head.time);
	read_creds(record, task);
	read_ns_pid(record, task);
	read_ancestors(record->ancestors, task);
	learn_session(record, task);
	record->argc = bprm->argc;
	BPF_CORE_READ_INTO(&record->comm, task, comm);
	if (BPF_CORE_READ(task, signal, tty))
		record->head.flags |= HAS_TTY;
	if (BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec))
		record->head.flags |= SECURE_EXEC;

	CURSOR(record) = 0;
	if (!append_paths(record, bprm->file)) {
		record->head.flags |= PATH_TRUNCATED;
		count_loss(LOSS_PATH_TRUNCATED);
	}
	record->filename_length = append_string(record, bprm->filename, 4096);
	record->interp_length = append_string(record, bprm->interp, NAME_MAX_LEN);
	append_args(record, task);
	append_cwd(record, task);
	append_cgroup(record, task, &cgroup);
	if (may_block && is_blocked(&candidate, record, SCRATCH_EXEC, task) && kill_current())
		record->head.flags |= BLOCKED;

	length = bounded(sizeof(*record) + CURSOR(record));
	record->head.length = length;
	if (bpf_ringbuf_output(&exec_ring, record, length, 0))
		count_lost_exec(&cgroup, task, record);
	if (kinds && !(record->head.flags & BLOCKED))
		report_stdin(task, &cgroup, kinds);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct process_key key = process_key(parent), *session = bpf_map_lookup_elem(&sessions, &key);
	struct process_key of_child = {};

	if (!session || BPF_CORE_READ(child, tgid) == key.tgid) /* a thread */
		return 0;
	of_child = process_key(child);
	bpf_map_update_elem(&sessions, &of_child, session, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct process_key key = process_key(task);
	struct cgroup_ref cgroup = {};
	struct exit_record record = {};

	if (BPF_CORE_READ(task, signal, live.counter) != 0) /* other threads of the group still run */
		return 0;
	bpf_map_delete_elem(&sessions, &key);
	cgroup = cgroup_ref(cgroup_of(task));
	if (!watched(task, &cgroup))
		return 0;
	fill_head(&record.head, RECORD_EXIT, task, &cgroup);
	record.head.length = sizeof(record);
	record.exit_code = BPF_CORE_READ(task, exit_code);
	if (bpf_ringbuf_output(&exec_ring, &record, sizeof(record), 0))
		count_loss(LOSS_EXIT_RING_FULL);
	return 0;
}

/* In exec_ring, so that a container's cgroup comes before its first exec. */
static __always_inline int report_cgroup(struct cgroup *cgroup, const char *path, __u16 type)
{
	struct cgroup_record *record = take_scratch(SCRATCH_EXEC);
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup_ref ref = cgroup_ref(cgroup);
	__u32 length;

	if (!record)
		return 0;
	fill_head(&record->head, type, task, &ref);
	CURSOR(record) = 0;
	record->path_length = append_string(record, path, 4096);
	length = bounded(sizeof(*record) + CURSOR(record));
	record->head.length = length;
	if (bpf_ringbuf_output(&exec_ring, record, length, 0))
		count_loss(LOSS_CGROUP_RING_FULL);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	return report_cgroup(cgroup, path, RECORD_CGROUP_MKDIR);
}

static __always_inline void forget_cgroup(struct cgroup *cgroup)
{
	struct cgroup_ref ref = cgroup_ref(cgroup);

	bpf_map_delete_elem(&roots, &ref);
	bpf_map_delete_elem(&containers, &ref);
	bpf_map_delete_elem(&blocking, &ref);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	forget_cgroup(cgroup);
	return report_cgroup(cgroup, path, RECORD_CGROUP_RMDIR);
}

/* In exec_ring, in order with the exec events of the same process. */
static __always_inline void send_denied(struct open_record *record, const char *name, struct cgroup_ref *cgroup,
					struct task_struct *task)
{
	__u32 length;

	record->name_length = append_string(record, name, 4096);
	length = bounded(sizeof(*record) + CURSOR(record));
	record->head.length = length;
	if (bpf_ringbuf_output(&exec_ring, record, length, 0))
		count_lost_exec(cgroup, task, record);
}

/* The perf event of a mapping has no facts of the file, and the file may be gone when the sensor looks. */
static __always_inline void remember_mapped(struct file *file, struct task_struct *task, struct open_record *record)
{
	struct mapped_key key = { BPF_CORE_READ(file, f_inode, i_ino), BPF_CORE_READ(task, tgid) };

	read_facts(&record->file, file);
	read_writer(&record->file, BPF_CORE_READ(file, f_inode));
	bpf_map_update_elem(&mapped, &key, &record->file, BPF_ANY);
}

/* A library runs its first instruction after mmap(2) has returned, so a signal at its exit is early
 * enough. The perf event of the mapping reports the load; nothing is sent here. */
static __always_inline void check_mapping(struct file *file, struct task_struct *task, struct cgroup_ref *cgroup)
{
	struct candidate candidate = {};
	struct open_record *record;

	if (is_image_file(file, root_of(task)))
		return;
	record = take_scratch(SCRATCH_FILE);
	if (!record)
		return;
	remember_mapped(file, task, record);
	if (!is_candidate(&candidate, task, file, mapped_subjects(task), ALL_RULES))
		return;
	read_opened(record, file, task, cgroup);
	if (is_blocked(&candidate, record, SCRATCH_FILE, task) && kill_current())
		remember_killed(task, file);
}

/* A file that the node's sensor writes is of no interest, and its own writes must not report endlessly. */
static __always_inline int check_write(struct pt_regs *regs, struct task_struct *task, long ret)
{
	struct write_call call = write_call(regs, task, ret);
	struct file *file;

	if (call.is_unseen)
		remember_unseen_write(bpf_ktime_get_boot_ns());
	if (call.operation == WROTE_NOTHING || task->tgid == settings.own_tgid)
		return 0;
	file = file_of_fd(task, call.fd);
	if (file && is_regular(file))
		remember_writer(file, task, call.operation);
	return 0;
}

/* A created file was empty before; any other that is truncated here is taken for one with content. */
static __always_inline void check_open_to_write(struct file *file, struct task_struct *task, bool truncates)
{
	remember_opener(file, task);
	if (truncates && !(BPF_CORE_READ(file, f_mode) & FMODE_CREATED))
		remember_writer(file, task, WROTE_TRUNCATE);
}

/* At the exit of a system call its arguments are still in pt_regs and the file is open, so no
 * program at its entry and no map of calls in flight is needed. Calls through io_uring do not pass
 * here. Most calls end at the comparison of their number. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum opened_by by = opened_by(regs, task);
	struct cgroup_ref cgroup;
	struct file *file;
	__u32 kinds;

	if (by == NOT_AN_OPEN)
		return check_write(regs, task, ret);
	if (ret < 0 || task->tgid == settings.own_tgid)
		return 0;
	if (by == COPY_FD || by == CONTROL_FD) {
		follow_copy(task, regs, by, ret, BY_SENSOR);
		return 0;
	}
	file = by == READ_FD ? code_just_read(task, regs, BY_SENSOR) : file_of_fd(task, opened_fd(regs, by, ret));
	if (!file || !is_regular(file))
		return 0;
	if (by != MAP_EXECUTABLE && by != READ_FD && BPF_CORE_READ(file, f_mode) & FMODE_WRITE) {
		check_open_to_write(file, task, opened_to_truncate(regs, by, task));
		return 0;
	}
	cgroup = cgroup_ref(cgroup_of(task));
	if (!watched(task, &cgroup))
		return 0;
	if (by == MAP_EXECUTABLE) {
		check_write(regs, task, ret);
		check_mapping(file, task, &cgroup);
		return 0;
	}
	kinds = interpreter_kinds(task);
	if (!kinds || is_image_file(file, root_of(task)))
		return 0;
	if (by != READ_FD)
		follow(task, file, ret, kinds, BY_SENSOR);
	if (by == READ_FD || kinds & OPENS_CODE)
		report_open(file, task, &cgroup, by == READ_FD ? 0 : open_name(regs, by, task), by == READ_FD ? READ_AS_CODE : 0);
	return 0;
}

/* Where the kernel runs BPF LSM programs: execve(2) fails with EPERM, which the caller survives,
 * unlike a signal. The hook runs for a script first and then for its interpreter. If no scratch
 * space is free, the exec passes here and on_exec decides. */
SEC("lsm/bprm_check_security")
int BPF_PROG(deny_exec, struct linux_binprm *bprm, int refused)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool is_script = bprm->buf[0] == '#' && bprm->buf[1] == '!';
	struct cgroup_ref cgroup = cgroup_ref(cgroup_of(task));
	struct candidate candidate = {};
	struct open_record *record;

	if (refused ||
	    !is_candidate(&candidate, task, bprm->file, is_script ? SUBJECT_SCRIPT : SUBJECT_BINARY, ALL_RULES))
		return refused;
	record = borrow_scratch(SCRATCH_DENY);
	if (!record)
		return 0;
	read_opened(record, bprm->file, task, &cgroup);
	if (is_blocked(&candidate, record, SCRATCH_DENY, task)) {
		record->head.flags |= DENIED | (is_script ? SHEBANG : 0);
		send_denied(record, bprm->filename, &cgroup, task);
		refused = -EPERM;
	}
	give_back(record);
	return refused;
}

/* The guards enforce rules with failClosed, and report nothing. The sensor pins them to bpffs while
 * such rules are in force, so that they keep blocking when the sensor is gone. */
static __always_inline void guard(struct file *file, struct task_struct *task, __u16 subjects)
{
	struct cgroup_ref cgroup = cgroup_ref(cgroup_of(task));
	struct candidate candidate = {};
	struct open_record *record;

	if (!is_candidate(&candidate, task, file, subjects, CLOSED_RULES))
		return;
	record = take_scratch(SCRATCH_GUARD);
	if (!record)
		return;
	read_opened(record, file, task, &cgroup);
	if (is_blocked(&candidate, record, SCRATCH_GUARD, task))
		kill_current();
}

/* Whether the opened file is the script argument of an interpreter. Any other file that a shell opens
 * may turn out to be code when it is read. */
static __always_inline bool is_opened_script(struct file *file, struct task_struct *task, long fd, const char *name)
{
	__u32 kinds = interpreter_kinds(task);

	if (!kinds)
		return false;
	follow(task, file, fd, kinds, BY_GUARD);
	return is_script_argument((__u64)name);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(guard_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct cgroup_ref cgroup = cgroup_ref(cgroup_of(task));
	struct file *input = file_of_fd(task, 0);
	__u32 kinds;

	/* Of containers that start after the sensor has ended. */
	learn_root(task, &cgroup);
	kinds = learn_interpreter(bprm->file, bprm->filename, bprm->interp);
	guard(bprm->file, task, SUBJECT_BINARY);
	if (kinds && input && is_regular(input) && takes_stdin(kinds & (MOVES_CODE | READS_CODE_WHOLE)))
		guard(input, task, SUBJECT_SCRIPT);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(guard_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	forget_cgroup(cgroup);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(guard_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum opened_by by = opened_by(regs, task);
	struct file *file;

	if (by == NOT_AN_OPEN || ret < 0 || !has_rules(task))
		return 0;
	if (by == COPY_FD || by == CONTROL_FD) {
		follow_copy(task, regs, by, ret, BY_GUARD);
		return 0;
	}
	file = by == READ_FD ? code_just_read(task, regs, BY_GUARD) : file_of_fd(task, opened_fd(regs, by, ret));
	if (!file || !is_regular(file))
		return 0;
	if (by == MAP_EXECUTABLE)
		guard(file, task, mapped_subjects(task));
	else if (by == READ_FD || is_opened_script(file, task, ret, open_name(regs, by, task)))
		guard(file, task, SUBJECT_SCRIPT);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
