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
	"github.com/mdlayher/netlink"
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
	load func(ctx context.Context, module string) error

	mu     sync.Mutex
	client ipvs.Client
}

// Open connects to IPVS, loading the module ip_vs where that is allowed and
// needed. The error is ErrNoIPVS when there is none to be had, and
// fs.ErrPermission without CAP_NET_ADMIN. Close the Driver after use.
func Open(ctx context.Context, cfg Config) (*Driver, error) {
	d := &Driver{cfg: cfg, dial: ipvs.New, load: LoadModule}
	if err := d.open(ctx); err != nil {
		return nil, fmt.Errorf("open IPVS: %w", err)
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
	d.client = c
	return nil
}

// Close ends the connection. The kernel's table stays.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return closeClient(d.client)
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
// may or may not be in it.
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
	old := d.client
	if err := d.open(ctx); err != nil {
		return fmt.Errorf("open IPVS again: %w", err)
	}
	return closeClient(old)
}

func (d *Driver) table(ctx context.Context) (lvs.Observed, error) {
	services, err := d.client.Services()
	if err != nil && !absent(err) {
		return lvs.Observed{}, fmt.Errorf("read virtual servers: %w", err)
	}
	out := lvs.Observed{
		Table:    make(lvs.Table, len(services)),
		Dests:    make(map[lvs.DestID]lvs.Stats, len(services)),
		Services: make(map[lvs.Key]lvs.Stats, len(services)),
	}
	for _, s := range services {
		if err := ctx.Err(); err != nil {
			return lvs.Observed{}, fmt.Errorf("read real servers: %w", err)
		}
		svc := fromService(s.Service)
		dests, err := d.client.Destinations(s.Service)
		if err != nil && !absent(err) {
			return lvs.Observed{}, fmt.Errorf("read real servers of %s: %w", svc.Key, err)
		}
		sum := fromStats(s.Stats, s.Stats64)
		pool := make([]lvs.Dest, 0, len(dests))
		for _, e := range dests {
			dst := fromDest(e.Destination)
			st := fromStats(e.Stats, e.Stats64)
			st.Active, st.Inactive, st.Persistent = e.ActiveConnections, e.InactiveConnections, e.PersistentConnections
			out.Dests[lvs.DestID{Key: svc.Key, Addr: dst.Addr}] = st
			sum.Active += st.Active
			sum.Inactive += st.Inactive
			sum.Persistent += st.Persistent
			pool = append(pool, dst)
		}
		out.Table[svc.Key] = lvs.NewPool(svc, pool...)
		out.Services[svc.Key] = sum
	}
	return out, nil
}

// absent reports whether err is the client's way to say "none": a bare
// fs.ErrNotExist of its own. The kernel's ENOENT also satisfies
// errors.Is(err, fs.ErrNotExist) but comes in an OpError, and it never means an
// empty table.
func absent(err error) bool {
	var op *netlink.OpError
	return errors.Is(err, fs.ErrNotExist) && !errors.As(err, &op)
}

// Apply does the ops in order, one request each, and returns their errors in
// the same places; nil is done. A failed op does not stop those behind it; a
// cancelled ctx does.
func (d *Driver) Apply(ctx context.Context, ops []lvs.Op) []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	errs := make([]error, len(ops))
	for i, op := range ops {
		if err := ctx.Err(); err != nil {
			errs[i] = err
			continue
		}
		err := d.apply(op)
		if errors.Is(err, unix.ENOENT) && !op.Verb.IsDest() && !d.cfg.NoModules && op.Verb != lvs.RemoveService {
			// The kernel asks modprobe for the scheduler by itself, but in its own
			// root; in a container only we may know where the modules are.
			if d.load(ctx, "ip_vs_"+op.Service.Scheduler) == nil {
				d.cfg.Log.Info("loaded kernel module", "module", "ip_vs_"+op.Service.Scheduler)
				err = d.apply(op)
			}
		}
		errs[i] = classify(op, err)
	}
	return errs
}

func (d *Driver) apply(op lvs.Op) error {
	s := toService(op.Service)
	switch op.Verb {
	case lvs.AddService:
		return d.client.CreateService(s)
	case lvs.SetService:
		return d.client.UpdateService(s)
	case lvs.RemoveService:
		return d.client.RemoveService(s)
	case lvs.AddDest:
		return d.client.CreateDestination(s, toDest(op.Dest))
	case lvs.SetDest:
		return d.client.UpdateDestination(s, toDest(op.Dest))
	case lvs.RemoveDest:
		return d.client.RemoveDestination(s, toDest(op.Dest))
	default:
		return fmt.Errorf("%w: verb %s", fs.ErrInvalid, op.Verb)
	}
}

// classify gives the kernel's error the meaning that it has for that op
// (ip_vs_genl_set_cmd and the functions it calls). It is the only place that
// looks at errno values of IPVS.
func classify(op lvs.Op, err error) error {
	var means error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		means = lvs.ErrExists
	case errors.Is(err, unix.ESRCH):
		means = lvs.ErrNoService
	case errors.Is(err, unix.ENOENT) && op.Verb.IsDest():
		means = lvs.ErrNotFound
	case errors.Is(err, unix.ENOENT):
		// The virtual server itself would be ESRCH.
		means = fmt.Errorf("%w: %s (kernel module ip_vs_%[2]s)", lvs.ErrNoScheduler, op.Service.Scheduler)
	}
	op.Reason = ""
	if means == nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, means, err)
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
