// Package kernel speaks to the IPVS of the running Linux kernel: it reads the
// table, applies ops, gets and sets the connection timeouts, lists connections
// and loads the modules that are needed. It has the methods of
// reconcile.Driver.
//
// An empty table is a value here, never an error; an error is never an empty
// table. What the kernel refuses comes back as one of the errors of package lvs
// (ErrExists, ErrNotFound, ErrNoService, ErrNoScheduler) where a caller may
// want to branch on it, with the kernel's own error beneath it.
//
// It works in the network namespace in which Open was called. It needs
// CAP_NET_ADMIN, and CAP_SYS_MODULE to load modules.
package kernel
