/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tp_btf/sched_process_fork, _exec, _exit, cgroup_attach_task: children inherit the selection before they run their first
 * instruction; user space hears of what it must decide (paths, cgroups). Since 5.5.
 */

static __always_inline void report_process(struct scratch *s, u8 change, u32 tgid, u32 parent, bool selected)
{
	struct clew_event_process *e = &s->event.process;

	__builtin_memset(e, 0, sizeof(*e));
	e->type = CLEW_EVENT_PROCESS;
	e->change = change;
	e->tgid = tgid;
	e->parent_tgid = parent;
	e->selected = selected;
	e->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP))
		lose(s, CLEW_LOSS_PROCESS_EVENT, 1);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(tp_btf__sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	struct clew_runtime_layout *layout, layout_copy;
	struct clew_process *p, copy;
	struct scratch *s;

	if (parent_tgid == child_tgid || !maybe_selected(parent_tgid))
		return 0;
	p = bpf_map_lookup_elem(&processes, &parent_tgid);
	s = scratch_of(SCRATCH_PROCESS);
	if (!p || !s)
		return 0;
	copy = *p;
	copy.tls_coming = copy.tls_since_ns || copy.tls_coming;
	copy.tls_since_ns = 0; /* probes are not inherited */
	copy.tls = 0;
	copy.tls_shared = 0;
	copy.tls_told = 0;
	copy.tls_told_ns = 0;
	layout = copy.runtime ? bpf_map_lookup_elem(&runtimes, &parent_tgid) : NULL;
	if (layout) { /* the child has the same memory */
		layout_copy = *layout;
		if (bpf_map_update_elem(&runtimes, &child_tgid, &layout_copy, BPF_ANY))
			copy.runtime = CLEW_RUNTIME_NONE;
	}
	if (bpf_map_update_elem(&processes, &child_tgid, &copy, BPF_ANY))
		lose(s, CLEW_LOSS_PROCESS_MAP, 1);
	mark_filter(child_tgid);
	report_process(s, CLEW_PROCESS_FORK, child_tgid, parent_tgid, true);
	return 0;
}

static __always_inline bool is_wanted(struct linux_binprm *binary)
{
	struct file *file = BPF_CORE_READ(binary, file);
	struct clew_executable executable = {};
	struct clew_executable_name name = {};

	executable.inode = BPF_CORE_READ(file, f_inode, i_ino);
	executable.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	if (bpf_map_lookup_elem(&wanted_executables, &executable))
		return true;
	bpf_probe_read_kernel_str(name.name, sizeof(name.name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return bpf_map_lookup_elem(&wanted_names, &name) != NULL;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_btf__sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	u32 tgid = task->tgid;
	struct clew_process *p = maybe_selected(tgid) ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
	bool selected = p != NULL;
	struct scratch *s;

	if (!selected && !watch_exec)
		return 0;
	s = scratch_of(SCRATCH_PROCESS);
	if (!s)
		return 0;
	if (!selected && is_wanted(binary)) {
		struct clew_process fresh = {.selected_by = CLEW_SELECTED_RULE};

		fresh.rule = leave_new_programs ? CLEW_RULE_LEAVE : CLEW_RULE_THREADS;
		selected = bpf_map_update_elem(&processes, &tgid, &fresh, BPF_ANY) == 0;
		if (selected)
			mark_filter(tgid);
		else
			lose(s, CLEW_LOSS_PROCESS_MAP, 1);
	}
	if (p) {
		p->serves = 0;
		p->own_answers = 0;
		if (!(p->tls & CLEW_TLS_AWAITED)) {
			p->tls_since_ns = 0;
			p->tls = 0;
			p->tls_coming = 0;
		}
		p->tls &= ~CLEW_TLS_AWAITED;
		p->tls_told = 0;
		p->tls_told_ns = 0;
		p->rule = !leave_new_programs ? CLEW_RULE_THREADS : p->rule == CLEW_RULE_AWAITED ? CLEW_RULE_UNKNOWN : CLEW_RULE_LEAVE;
		p->once = 0;
	}
	if (p && p->runtime) {
		p->runtime = CLEW_RUNTIME_NONE;
		bpf_map_delete_elem(&runtimes, &tgid);
	}
	report_process(s, CLEW_PROCESS_EXEC, tgid, 0, selected);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_btf__sched_process_exit, struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct scratch *s;

	if (task->signal->live.counter > 0 || !maybe_selected(tgid))
		return 0;
	if (!bpf_map_lookup_elem(&processes, &tgid))
		return 0;
	bpf_map_delete_elem(&processes, &tgid);
	bpf_map_delete_elem(&runtimes, &tgid);
	s = scratch_of(SCRATCH_PROCESS);
	if (s)
		report_process(s, CLEW_PROCESS_EXIT, tgid, 0, false);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tp_btf__cgroup_attach_task, struct cgroup *destination, const char *path, struct task_struct *task, bool threadgroup)
{
	struct scratch *s = scratch_of(SCRATCH_PROCESS);

	if (s && watch_cgroup)
		report_process(s, CLEW_PROCESS_CGROUP, task->tgid, 0, false);
	return 0;
}
