package conflict

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// Config says whose addresses are looked for, and where.
type Config struct {
	// Interface carries every address that names no device. Required.
	Interface string
	// VRRP is the virtual router: its addresses, and its authentication. Required.
	VRRP vrrp.Config
	// Source is the source address of adverts, if it is configured.
	Source netip.Addr
	// Interval is the time between probes; 0: none are sent.
	Interval time.Duration
	// Presence is shared by all lookouts of a process. Nil: one of its own.
	Presence *Presence
	// Logger, nil discards.
	Logger *slog.Logger
}

// Times.
const (
	// settle is how long after becoming master the first probe is sent. What is
	// seen before may be of the router that was master until then.
	settle = time.Second
	// look is the time between looks at the host's own addresses.
	look = time.Second
	// again is how soon one MAC is reported again for one address.
	again = time.Second
	// retry is the pause after an interface could not be listened to.
	retry = time.Second
	// passive is how long a conflict lasts that nobody probes for.
	passive = time.Minute
)

// Lookout looks out for one virtual router.
type Lookout struct {
	cfg      Config
	log      *slog.Logger
	devices  []*device
	presence *Presence
	interval atomic.Int64 // between probes
	wake     chan struct{}
	seen     chan instance.Sighting // what the readers saw, for Run to report

	mu      sync.Mutex
	holding bool
	since   time.Time             // of holding
	here    map[netip.Addr]string // addresses on this host while not holding, and their devices
	told    map[sight]time.Time
}

// sight is what is not reported again at once.
type sight struct {
	address netip.Addr
	mac     string
}

// New returns a Lookout. It opens nothing and starts nothing.
func New(cfg Config) (*Lookout, error) {
	if cfg.Interface == "" || len(cfg.VRRP.Addresses) == 0 {
		return nil, errors.New("new lookout: Interface and VRRP are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Presence == nil {
		cfg.Presence = new(Presence)
	}
	w := &Lookout{
		cfg: cfg, log: cfg.Logger.With("instance", cfg.VRRP.Name), presence: cfg.Presence,
		wake: make(chan struct{}, 1), seen: make(chan instance.Sighting, 16), here: map[netip.Addr]string{}, told: map[sight]time.Time{},
	}
	w.interval.Store(int64(cfg.Interval))
	byName := map[string]*device{}
	for _, list := range [][]vrrp.Address{cfg.VRRP.Addresses, cfg.VRRP.Excluded} {
		for _, a := range list {
			name := a.Device
			if name == "" {
				name = cfg.Interface
			}
			d := byName[name]
			if d == nil {
				d = &device{name: name, claim: w.claimed}
				byName[name] = d
				w.devices = append(w.devices, d)
			}
			d.addresses = append(d.addresses, a.Prefix.Addr())
		}
	}
	return w, nil
}

// SetInterval changes the time between probes; 0: none are sent.
func (w *Lookout) SetInterval(d time.Duration) {
	w.interval.Store(int64(d))
	w.nudge()
}

// Quiet implements instance.Lookout: three probes without an answer.
func (w *Lookout) Quiet() time.Duration {
	if d := time.Duration(w.interval.Load()); d > 0 {
		return 3*d + settle
	}
	return passive
}

// Follow implements instance.Lookout.
func (w *Lookout) Follow(holding bool) {
	w.mu.Lock()
	if w.holding != holding {
		w.holding, w.since = holding, time.Now()
		clear(w.here)
		clear(w.told)
	}
	w.mu.Unlock()
	w.nudge()
}

func (w *Lookout) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run implements instance.Lookout. What cannot be listened to is tried again
// and again, so it only returns when ctx has ended.
func (w *Lookout) Run(ctx context.Context, report func(instance.Sighting)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, d := range w.devices {
		wg.Go(func() { w.keep(ctx, "listen on "+d.name, d.listen) })
	}
	if tap := newTap(w.cfg, w.deliver); tap != nil {
		wg.Go(func() { w.keep(ctx, "listen for other authentication", tap.listen) })
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	var probed time.Time
	for {
		if w.due(&probed, time.Now()) {
			holding := w.holds()
			for _, d := range w.devices {
				if err := d.probe(holding); err != nil {
					w.log.Debug("probe", "error", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.lookHere(report)
		case <-w.wake:
		case s := <-w.seen:
			report(s)
		}
	}
}

func (w *Lookout) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.holding
}

// due reports whether it is time to probe.
func (w *Lookout) due(probed *time.Time, now time.Time) bool {
	interval := time.Duration(w.interval.Load())
	w.mu.Lock()
	defer w.mu.Unlock()
	if interval <= 0 || !w.holding && len(w.here) == 0 || w.holding && now.Sub(w.since) < settle {
		return false
	}
	if !probed.Before(w.since) && now.Sub(*probed) < interval {
		return false
	}
	*probed = now
	return true
}

// keep does something again and again until ctx ends; what keeps failing is
// said once.
func (w *Lookout) keep(ctx context.Context, what string, do func(context.Context) error) {
	last := ""
	for ctx.Err() == nil {
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != last {
			last = err.Error()
			w.log.Debug(what, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// deliver hands a sighting to Run. When more wait than can be told, the next
// probe tells it.
func (w *Lookout) deliver(s instance.Sighting) {
	select {
	case w.seen <- s:
	default:
	}
}

// claimed judges a claim to one of our addresses that came in on a device.
func (w *Lookout) claimed(d *device, ip netip.Addr, mac, how string) {
	now := time.Now()
	w.mu.Lock()
	_, here := w.here[ip]
	relevant := here || w.holding && now.Sub(w.since) >= settle
	key := sight{ip, mac}
	if relevant && (now.Sub(w.told[key]) < again || len(w.told) > maxTold) {
		relevant = false
	}
	w.mu.Unlock()
	if !relevant || w.presence.owns(mac) {
		return
	}
	w.mu.Lock()
	w.told[key] = now
	w.mu.Unlock()
	w.deliver(instance.Sighting{Kind: instance.OtherHolder, Address: ip, Device: d.name, MAC: mac, How: how, At: now})
}

// maxTold bounds what forged MACs can make us remember between two changes of
// state.
const maxTold = 256

// lookHere looks for the addresses on this host while they should not be there.
func (w *Lookout) lookHere(report func(instance.Sighting)) {
	w.mu.Lock()
	holding, since := w.holding, w.since
	w.mu.Unlock()
	if holding {
		return
	}
	at, where, err := w.presence.addresses()
	if err != nil {
		w.log.Debug("look for addresses of this host", "error", err)
		return
	}
	for _, d := range w.devices {
		for _, ip := range d.addresses {
			on, there := where[ip]
			w.mu.Lock()
			if w.holding || at.Before(since) || w.since != since {
				w.mu.Unlock()
				return // looked at another state
			}
			_, was := w.here[ip]
			if there {
				w.here[ip] = on
			} else {
				delete(w.here, ip)
			}
			w.mu.Unlock()
			switch {
			case there:
				report(instance.Sighting{Kind: instance.HeldHere, Address: ip, Device: on, At: at})
			case was:
				report(instance.Sighting{Kind: instance.GoneHere, Address: ip, At: at})
			}
		}
	}
}
