// Package instance drives one vrrp.Machine: it connects the protocol with a
// socket (Conn) and with the host's addresses (Host).
//
// # Wiring
//
// What an agent does for one virtual router on interface eth0:
//
//	cfg := vrrp.Config{Name: "VI_1", VRID: 51, Priority: 100, Addresses: …}
//	host, err := vip.Open(vip.Config{Name: cfg.Name, Interface: "eth0",
//		Addresses: cfg.Addresses, Excluded: cfg.Excluded, StateFile: …, Logger: log})
//	runner, err := instance.New(instance.Config{
//		VRRP: cfg,
//		Dial: func() (instance.Conn, error) {
//			return socket.Open(socket.Config{Interface: "eth0", VRRP: cfg})
//		},
//		Host:      host,
//		Logger:    log,
//		OnRole:    func(r instance.Role) { … },    // e.g. a send to the agent's loop
//		OnTrouble: func(t instance.Trouble) { … },
//	})
//	err = runner.Run(ctx) // blocks; on cancel resigns, takes the addresses off
//	err = host.Close()    // after Run
//
// Before any of this, vip.Cleanup removes what a killed predecessor left.
//
// # What runs
//
// Run is the loop; it locks its goroutine to a thread and does adverts,
// addresses and announcements only. Beside it run one goroutine that reads the
// socket, one that watches the interface, one that looks out for other holders
// of the addresses (Config.Lookout), and one that calls OnRole and OnTrouble, in
// order. Run waits for all of them. The loop never waits for a
// callback, a lock held by a caller, or a log reader; the slog handler passed in
// must not block.
//
// Order on becoming master: one advert, then the addresses, then the routes and
// rules that go with them, then the announcements, then OnRole. Where another router may still hold the addresses
// a claim comes before: an advert, and then the wait for that router's priority 0
// or for vrrp.Config.ClaimWait. State and role are BACKUP until then, and
// Status.Claiming is set.
//
// Order on leaving for a better router: rules, routes and addresses off, then
// priority 0, then OnRole. On our own account: priority 0, rules, routes and
// addresses off, then OnRole.
//
// # The guard
//
// While master, the loop has a Guard armed (Config.Guard, package guardian has
// one): from right before the addresses are installed until right after they are
// off. A process that dies in between leaves the rest to it.
//
// # Sync groups
//
// A Group drives several Runners in one loop, on one thread, so that they are
// masters together at every moment (package vrrp says why):
//
//	group, err := instance.NewGroup(instance.GroupConfig{Name: "G", Members: []*instance.Runner{a, b}})
//	err = group.Run(ctx) // in place of the members' Run
//
// Sockets, hosts, guards and callbacks are the members' own; the callbacks of all
// come from one goroutine, each member's state before that of the group.
//
// # Another configuration
//
// Runner.Reconfigure exchanges what vrrp.Config.Reconfigurable allows, and the
// Host, in the loop and between two events. As a master the order is: the advert
// that tells, the addresses of the new form, off with those that are left over
// (vip.Host.Succeed), announcements. So a lease begins with an advert here too,
// and an advert that does not leave puts off the rest until one does. What the
// Watch and the Lookout of before still report does not count.
//
// # Leases
//
// The addresses carry a kernel lifetime (vrrp.Config.LeaseTime) that is renewed
// after each advert that was sent, by this loop alone, and never before an
// advert or instead of one. After the renewal the clock is read again; if the
// step was held up for so long that a backup may have taken over, the addresses
// come off at once. A process that is killed, stopped or hangs therefore loses
// its addresses without anyone's help before a backup of the same priority
// takes over.
package instance
