package config

// Process says what the kernel is asked to do for the director.
type Process struct {
	RealtimePriority int  // SCHED_FIFO of the VRRP loops' threads, 1 to 99; 0: none
	LockMemory       bool // keep all memory in RAM
}

var processType = &blockType{
	name: "process", single: true,
	doc: "What the kernel is asked to do so that the VRRP loops are not late. What it refuses is an event and in `status`, and the director goes on without. See [Lateness](operations.md#lateness).",
	args: []argument{
		{name: "realtime_priority", kind: number, def: "0", lo: 0, hi: 99, doc: "Realtime priority (`SCHED_FIFO`) of the thread of each VRRP loop, and of no other thread; needs `CAP_SYS_NICE` or `RLIMIT_RTPRIO`. 0: none. keepalived's `vrrp_rt_priority`."},
		{name: "lock_memory", kind: boolean, def: "false", doc: "Keep all memory of the director in RAM (`mlockall`), so that nothing of it is swapped out; needs `CAP_IPC_LOCK` or an unlimited `RLIMIT_MEMLOCK`. Memory that the director no longer needs is not given back then. keepalived's `vrrp_no_swap`."},
	},
	sample: `process {
  realtime_priority = 50
  lock_memory       = true
}`,
}

func (c *checker) process() Process {
	b := c.orEmpty("process")
	return Process{RealtimePriority: int(b.num("realtime_priority")), LockMemory: b.flag("lock_memory")}
}
