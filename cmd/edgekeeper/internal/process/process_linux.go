// Package process makes the kernel treat this process better than others, so
// that the VRRP loop is not late: realtime scheduling of a thread, memory that
// is not swapped out. Both need privileges, and what is not permitted says so.
// It also measures the pauses of the garbage collector.
package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrNotPermitted: the process lacks the capability or the limit that is named.
var ErrNotPermitted = errors.New("not permitted")

// Realtime gives the calling thread, which the caller has locked, the scheduling
// class SCHED_FIFO with a priority from 1 to 99, or takes it back with 0. Threads
// and processes that it makes do not inherit it.
func Realtime(priority int) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}
	if priority > 0 {
		attr.Policy, attr.Priority, attr.Flags = unix.SCHED_FIFO, uint32(priority), unix.SCHED_FLAG_RESET_ON_FORK
	}
	err := unix.SchedSetAttr(0, &attr, 0)
	if !errors.Is(err, unix.EPERM) {
		if err != nil {
			return fmt.Errorf("set realtime priority %d: %w", priority, err)
		}
		return nil
	}
	var limit unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_RTPRIO, &limit)
	return fmt.Errorf("set realtime priority %d: %w: it needs CAP_SYS_NICE or RLIMIT_RTPRIO of at least that (it is %d), and a control group with a realtime budget", priority, ErrNotPermitted, limit.Cur)
}

// LockMemory keeps all memory of the process, present and future, in RAM, or no
// longer does. Without CAP_IPC_LOCK it needs an unlimited RLIMIT_MEMLOCK: under
// any other limit the Go runtime would end the process when its heap reaches it.
func LockMemory(lock bool) error {
	if !lock {
		if err := unix.Munlockall(); err != nil {
			return fmt.Errorf("unlock memory: %w", err)
		}
		return nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return fmt.Errorf("lock memory: read RLIMIT_MEMLOCK: %w", err)
	}
	if limit.Cur != unix.RLIM_INFINITY && !capable(unix.CAP_IPC_LOCK) {
		return fmt.Errorf("lock memory: %w: it needs CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK (it is %d KiB)", ErrNotPermitted, limit.Cur/1024)
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE); err != nil {
		return fmt.Errorf("lock memory: %w", err)
	}
	return nil
}

// capable reports whether a capability is effective.
func capable(c int) bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}
