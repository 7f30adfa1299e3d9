package guardian

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/socket"
	"github.com/edgekeeper/edgekeeper/vrrp/vip"
)

// kernel is the real Kernel.
type kernel struct {
	lock   *os.File
	parent int // pidfd; -1 where the kernel has none (before Linux 5.3)
}

func (k *kernel) Begin(lock string, parent int) error {
	f, err := takeLock(lock)
	if err != nil {
		return err
	}
	k.lock = f
	k.parent, err = unix.PidfdOpen(parent, 0)
	switch {
	case errors.Is(err, unix.ENOSYS):
		k.parent = -1
	case err != nil:
		return fmt.Errorf("watch director %d: %w", parent, err)
	}
	// Asked after the pidfd was opened, so that it is not somebody else's.
	if os.Getppid() != parent {
		return fmt.Errorf("our parent is %d, not the director %d", os.Getppid(), parent)
	}
	return nil
}

// Ended polls the pidfd. Without one the end of the socket has to do.
func (k *kernel) Ended(limit time.Duration) bool {
	if k.parent < 0 {
		return true
	}
	deadline := time.Now().Add(limit)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(k.parent), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0 && err == nil
	}
}

// router is the real Prepared.
type router struct {
	host    *vip.Host
	sender  *socket.Sender // nil: no packets, or no socket
	packets []Packet
}

func (k *kernel) Prepare(a Arm) (Prepared, error) {
	cfg := vip.Config{Name: a.Instance, Interface: a.Interface, Routes: a.Routes, Rules: a.Rules, NoAccept: a.NoAccept, Passive: true}
	for _, name := range a.VMACs {
		cfg.VMACs = append(cfg.VMACs, vip.VMAC{Name: name})
	}
	for _, addr := range a.Addresses {
		cfg.Addresses = append(cfg.Addresses, vrrp.Address{Prefix: addr.Prefix, Device: addr.Device})
	}
	host, err := vip.Open(cfg)
	if err != nil {
		return nil, err
	}
	r := &router{host: host}
	if len(a.Packets) == 0 {
		return r, nil
	}
	sender, err := socket.OpenSender(a.Interface, a.Source, a.unicastTTL())
	if err != nil {
		return r, fmt.Errorf("can take addresses off, but not send priority 0: %w", err)
	}
	r.sender, r.packets = sender, a.Packets
	return r, nil
}

func (r *router) Release() error { return r.host.Remove() }

func (r *router) Renew(packets []Packet) { r.packets = packets }

func (r *router) Resign() error {
	if r.sender == nil { // Prepare has said so
		return nil
	}
	var errs []error
	for _, p := range r.packets {
		errs = append(errs, r.sender.Send(p.Data, p.To))
	}
	return errors.Join(errs...)
}

func (r *router) Close() {
	_ = r.host.Close()
	if r.sender != nil {
		_ = r.sender.Close()
	}
}
