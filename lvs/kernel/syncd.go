//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// IPVS_DAEMON_ATTR_*
const (
	daemonState     = 1
	daemonInterface = 2
	daemonID        = 3
	daemonMaxLength = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// syncTimeout bounds the wait for the kernel's answer about daemons.
const syncTimeout = 2 * time.Second

// SyncDaemons lists the connection-synchronization daemons that run, of whoever
// started them: at most one of each state.
func (d *Driver) SyncDaemons(context.Context) ([]lvs.SyncDaemon, error) {
	msgs, err := d.execute(cmdGetDaemon, nil, netlink.Dump)
	if err != nil {
		return nil, fmt.Errorf("list sync daemons: %w", err)
	}
	var out []lvs.SyncDaemon
	for _, m := range msgs {
		err := each(m.Data, func(typ uint16, v []byte) error {
			if typ != attrDaemon {
				return nil
			}
			s, err := decodeDaemon(v)
			out = append(out, s)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list sync daemons: %w", err)
		}
	}
	return out, nil
}

// ApplySync starts or stops a daemon. One to stop that does not run, and one to
// start that runs already, is an error: lvs.ErrNotFound, lvs.ErrExists.
func (d *Driver) ApplySync(_ context.Context, op lvs.SyncOp) error {
	command := uint8(cmdDelDaemon)
	if op.Start {
		command = cmdNewDaemon
	}
	var data attributes
	data.daemon(op)
	_, err := d.execute(command, data, netlink.Acknowledge)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		err = fmt.Errorf("%w: %w", lvs.ErrExists, err)
	case errors.Is(err, unix.ESRCH):
		err = fmt.Errorf("%w: %w", lvs.ErrNotFound, err)
	case errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("there is no interface %s: %w", op.Daemon.Interface, err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		err = fmt.Errorf("interface %s has no address of the group's family: %w", op.Daemon.Interface, err)
	case errors.Is(err, unix.EINVAL):
		err = fmt.Errorf("%w (a table with real servers of another family than their virtual server cannot be synchronized)", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// execute asks for the family's number each time: it changes when the module is
// unloaded and loaded.
func (d *Driver) execute(command uint8, data attributes, flags netlink.HeaderFlags) ([]genetlink.Message, error) {
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	// The answer is there when the request was taken. One that never comes must
	// not keep a director from stopping.
	if err := d.sync.SetDeadline(time.Now().Add(syncTimeout)); err != nil {
		return nil, err
	}
	f, err := d.sync.GetFamily(familyName)
	if err != nil {
		return nil, err
	}
	m := genetlink.Message{Header: genetlink.Header{Command: command, Version: familyVersion}, Data: data}
	return d.sync.Execute(m, f.ID, netlink.Request|flags)
}

func (a *attributes) daemon(op lvs.SyncOp) {
	s := op.Daemon
	at := a.open(attrDaemon)
	a.u32(daemonState, uint32(s.State))
	if op.Start {
		a.text(daemonInterface, s.Interface)
		a.u32(daemonID, uint32(s.ID))
		switch {
		case s.Group.Is4():
			a.addr(daemonGroup, s.Group)
		case s.Group.Is6():
			a.addr(daemonGroup6, s.Group)
		}
		if s.MaxLength != 0 {
			a.u16(daemonMaxLength, s.MaxLength)
		}
		if s.Port != 0 {
			a.u16(daemonPort, s.Port)
		}
		if s.TTL != 0 {
			a.u8(daemonTTL, s.TTL)
		}
	}
	a.close(at)
}

func decodeDaemon(b []byte) (lvs.SyncDaemon, error) {
	var s lvs.SyncDaemon
	var r value
	err := each(b, func(typ uint16, v []byte) error {
		switch typ {
		case daemonState:
			s.State = lvs.SyncState(r.u32(v))
		case daemonInterface:
			s.Interface = text(v)
		case daemonID:
			s.ID = uint8(r.u32(v))
		case daemonMaxLength:
			s.MaxLength = r.u16(v)
		case daemonGroup:
			if r.sized(v, 4) {
				s.Group = netip.AddrFrom4([4]byte(v))
			}
		case daemonGroup6:
			if r.sized(v, 16) {
				s.Group = netip.AddrFrom16([16]byte(v))
			}
		case daemonPort:
			s.Port = r.u16(v)
		case daemonTTL:
			s.TTL = r.u8(v)
		}
		return nil
	})
	if err == nil {
		err = r.err
	}
	return s, err
}
