//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

// ErrNoIPVS is returned by Open when the kernel has no IPVS and none could be
// loaded.
var ErrNoIPVS = errors.New("this kernel has no IPVS: run `modprobe ip_vs` on the host, or boot a kernel with CONFIG_IP_VS")

// Config are the options of a Driver. The zero value is good.
type Config struct {
	// NoModules leaves kernel modules alone: neither ip_vs nor ip_vs_SCHEDULER
	// is loaded. The kernel may still load a scheduler by itself.
	NoModules bool
	// Log takes one line for each module loaded. Nil discards.
	Log *slog.Logger
}

// Driver is a connection to the kernel's IPVS. Its methods may be called from
// many goroutines; the kernel does one request at a time.
type Driver struct {
	cfg  Config
	dial func() (ipvs.Client, error)
	pipe func() (*pipe, error)
	load func(ctx context.Context, module string) error

	mu     sync.Mutex
	client ipvs.Client     // single requests
	bulk   *pipe           // changes and dumps; nil after a failure, to be opened again
	proven map[string]bool // modules that the kernel has had
	last   lvs.Observed    // reading of the table

	syncMu sync.Mutex // apart, so that a change of role waits for no long Apply
	sync   *genetlink.Conn
}

// Open connects to IPVS, loading the module ip_vs where that is allowed and
// needed. The error is ErrNoIPVS when there is none to be had, and
// fs.ErrPermission without CAP_NET_ADMIN. Close the Driver after use.
func Open(ctx context.Context, cfg Config) (*Driver, error) {
	d := &Driver{cfg: cfg, dial: ipvs.New, pipe: openPipe, load: LoadModule}
	if err := d.open(ctx); err != nil {
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	var err error
	if d.sync, err = genetlink.Dial(nil); err != nil {
		return nil, errors.Join(fmt.Errorf("open IPVS: %w", err), d.Close())
	}
	return d, nil
}

func (d *Driver) open(ctx context.Context) error {
	if d.cfg.Log == nil {
		d.cfg.Log = slog.New(slog.DiscardHandler)
	}
	c, err := d.dial()
	if errors.Is(err, fs.ErrNotExist) {
		// The generic netlink family is missing, so the module is.
		if d.cfg.NoModules {
			return ErrNoIPVS
		}
		if lerr := d.load(ctx, "ip_vs"); lerr != nil {
			return fmt.Errorf("%w (%w)", ErrNoIPVS, lerr)
		}
		d.cfg.Log.Info("loaded kernel module", "module", "ip_vs")
		if c, err = d.dial(); errors.Is(err, fs.ErrNotExist) {
			return ErrNoIPVS
		}
	}
	if err != nil {
		return err
	}
	// Any request but finding the family needs CAP_NET_ADMIN: ask now, so that a
	// director without it says so when it starts.
	if _, err := c.Info(); err != nil {
		return errors.Join(fmt.Errorf("read IPVS version: %w", err), closeClient(c))
	}
	p, err := d.pipe()
	if err != nil {
		return errors.Join(err, closeClient(c))
	}
	d.client, d.bulk, d.proven = c, p, map[string]bool{}
	return nil
}

// Close ends the connection. The kernel's table stays.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := errors.Join(closeClient(d.client), d.bulk.close())
	if d.sync != nil {
		err = errors.Join(err, d.sync.Close())
	}
	return err
}

// closeClient closes what New gave, whose interface does not show that it can be.
func closeClient(c ipvs.Client) error {
	if cl, ok := c.(io.Closer); ok {
		return cl.Close()
	}
	return nil
}

// Version returns the version of the kernel's IPVS, such as "1.2.1", and the
// size of its connection hash table.
func (d *Driver) Version() (version string, buckets uint32, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := d.client.Info()
	if err != nil {
		return "", 0, fmt.Errorf("read IPVS version: %w", err)
	}
	v := info.Version
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]), info.ConnectionTableSize, nil
}

// Table reads the whole table: one dump of the virtual servers, then one of the
// real servers of each. It is not a snapshot; what somebody changes in between
// may or may not be in it. What is as it was at the last reading is the same memory,
// so nobody may write to its lists. Who puts another list of the same content into
// the maps, before the next reading, gets that one from then on.
func (d *Driver) Table(ctx context.Context) (lvs.Observed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, err := d.table(ctx)
	if errors.Is(err, unix.ENOENT) {
		// Not an empty table (see absent): the family itself is gone, because
		// somebody unloaded ip_vs. It comes back under another number.
		if rerr := d.reopen(ctx); rerr != nil {
			return lvs.Observed{}, fmt.Errorf("%w, and %w", err, rerr)
		}
		o, err = d.table(ctx)
	}
	return o, err
}

func (d *Driver) reopen(ctx context.Context) error {
	old, bulk := d.client, d.bulk
	if err := d.open(ctx); err != nil {
		return fmt.Errorf("open IPVS again: %w", err)
	}
	return errors.Join(closeClient(old), bulk.close())
}

// ready opens the socket of changes and dumps again after a failure.
func (d *Driver) ready() error {
	if d.bulk != nil {
		return nil
	}
	p, err := d.pipe()
	if err != nil {
		return fmt.Errorf("open IPVS again: %w", err)
	}
	d.bulk = p
	return nil
}

// drop gives up a socket that may still hold answers to what was asked before.
func (d *Driver) drop() {
	_ = d.bulk.close() // it failed already
	d.bulk = nil
}

func (d *Driver) table(ctx context.Context) (lvs.Observed, error) {
	if err := d.ready(); err != nil {
		return lvs.Observed{}, err
	}
	o, err := d.bulk.table(ctx, d.last)
	if err != nil {
		d.drop()
		return o, err
	}
	d.last = o
	return o, nil
}

// Timeouts returns the kernel's connection timeouts.
func (d *Driver) Timeouts() (lvs.Timeouts, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.client.Config()
	if err != nil {
		return lvs.Timeouts{}, fmt.Errorf("read IPVS timeouts: %w", err)
	}
	return lvs.Timeouts{
		TCP:    time.Duration(c.TCPTimeout) * time.Second,
		TCPFin: time.Duration(c.TCPFinTimeout) * time.Second,
		UDP:    time.Duration(c.UDPTimeout) * time.Second,
	}, nil
}

// SetTimeouts sets the kernel's connection timeouts, rounded up to whole
// seconds; a zero leaves that one as it is. They hold for the whole network
// namespace, and for connections that see a packet from now on.
func (d *Driver) SetTimeouts(t lvs.Timeouts) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := ipvs.Config{TCPTimeout: seconds(t.TCP), TCPFinTimeout: seconds(t.TCPFin), UDPTimeout: seconds(t.UDP)}
	if err := d.client.SetConfig(c); err != nil {
		return fmt.Errorf("set IPVS timeouts: %w", err)
	}
	return nil
}

func seconds(d time.Duration) uint32 {
	return uint32((d + time.Second - 1) / time.Second)
}
