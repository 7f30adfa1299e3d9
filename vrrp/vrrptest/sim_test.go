package vrrptest

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var (
	simHours = flag.Float64("sim.hours", envHours(2000), "simulated hours of TestSimulation (or EDGEKEEPER_SIM_HOURS)")
	simSeed  = flag.Uint64("sim.seed", 1, "first seed of TestSimulation; with -sim.hours=0 only this seed runs")
)

// envHours is EDGEKEEPER_SIM_HOURS, where it is set.
func envHours(hours float64) float64 {
	if h, err := strconv.ParseFloat(os.Getenv("EDGEKEEPER_SIM_HOURS"), 64); err == nil {
		return h
	}
	return hours * raceShare
}

// TestSimulation runs seed after seed, one on each processor. A failure prints
// its seed; repeat it with
//
//	go test ./vrrp/vrrptest -run TestSimulation -sim.hours=0 -sim.seed=N
func TestSimulation(t *testing.T) {
	hours := *simHours
	if testing.Short() {
		hours /= 10
	}
	workers := runtime.GOMAXPROCS(0)
	if hours == 0 {
		workers = 1
	}
	var (
		mu     sync.Mutex
		total  Report
		seed   = *simSeed
		failed error
		done   bool
		wg     sync.WaitGroup
	)
	start := time.Now()
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				mine, stop := seed, done
				seed++
				mu.Unlock()
				if stop {
					return
				}
				r, err := Run(Options{Seed: mine})
				mu.Lock()
				total.Add(r)
				failed = errors.Join(failed, err)
				done = done || err != nil || total.Simulated.Hours() >= hours
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
	t.Logf("%.0f simulated hours, %d steps, %d adverts, %d transitions, %d faults, %d changes of configuration (%d routers followed while they ran), %d calms, %d takeovers, %d by a guardian, in %s",
		total.Simulated.Hours(), total.Steps, total.Adverts, total.Transitions, total.Faults, total.Reconfigure, total.InPlace, total.Calms,
		total.Takeovers, total.Guarded, time.Since(start).Round(time.Millisecond))
}

// TestDeterministic: a seed is a run.
func TestDeterministic(t *testing.T) {
	for seed := uint64(1); seed < 20; seed++ {
		a, errA := Run(Options{Seed: seed, Intervals: 1000})
		b, errB := Run(Options{Seed: seed, Intervals: 1000})
		if a != b || errA != nil || errB != nil {
			t.Errorf("seed %d: %+v, %v and then %+v, %v", seed, a, errA, b, errB)
		}
	}
}

// TestSeedRepeats: the seed in a violation shows the same violation with the
// same trace.
func TestSeedRepeats(t *testing.T) {
	opt := Options{Flaw: FlawKeepsAddresses}
	var first *Violation
	for opt.Seed = 1; first == nil; opt.Seed++ {
		_, err := Run(opt)
		first, _ = errors.AsType[*Violation](err)
	}
	opt.Seed = first.Seed
	_, err := Run(opt)
	again, ok := errors.AsType[*Violation](err)
	if !ok || again.Error() != first.Error() {
		t.Errorf("%v\nand again\n%v", first, err)
	}
	for _, want := range []string{"routers, version", "calm", "MASTER", first.What.Error()} {
		if !strings.Contains(first.Error(), want) {
			t.Errorf("no %q in the trace:\n%v", want, first)
		}
	}
}

// TestClock: what a clock shows, and when it shows it.
func TestClock(t *testing.T) {
	var c clock
	for i, ppm := range []int64{0, usualPPM, -usualPPM, faultPPM, -faultPPM, 1, -1} {
		now := time.Duration(i) * time.Hour
		before := c.read(now)
		c.set(now, ppm)
		if c.read(now) != before {
			t.Errorf("%d ppm: the clock jumps", ppm)
		}
		for d := time.Duration(1); d < time.Hour; d = d*3 + 1 {
			at := c.when(before + d)
			if c.read(at) < before+d || c.read(at-2) >= before+d {
				t.Errorf("%d ppm: %s comes at %s, which shows %s", ppm, before+d, at, c.read(at))
			}
			if got := lasts(d, ppm) + now - at; got < -2 || got > 2 {
				t.Errorf("%d ppm: %s lasts %s", ppm, d, lasts(d, ppm))
			}
		}
	}
}

// TestHears: the LAN delivers to a machine what vrrp.Codec.Decode lets through.
func TestHears(t *testing.T) {
	seen := map[bool]int{}
	for seed := uint64(1); seed < 300; seed++ {
		s := newSim(Options{Seed: seed})
		for _, r := range s.routers {
			if s.rng.IntN(2) == 0 {
				s.adopt(drawSite(s.rng))
			}
			s.configure(r)
			r.machine = newKeepalived(r.cfg)
			if s.rng.IntN(4) == 0 && r.peers != 0 {
				r.peers &^= 1 << s.rng.IntN(len(s.routers))
			}
			r.cfg.Peers = nil
			for i, peer := range s.routers {
				if r.peers>>i&1 != 0 {
					r.cfg.Peers = append(r.cfg.Peers, peer.source)
				}
			}
			if r.peers == 0 && s.site.unicast {
				r.cfg.Peers = nil
			}
		}
		a, b := s.routers[0], s.routers[1]
		if got, want := b.hears(a), decodes(t, a, b); got != want {
			t.Errorf("seed %d: heard %v, decoded %v: %+v, %+v", seed, got, want, a.cfg, b.cfg)
		}
		seen[b.hears(a)]++
	}
	if seen[true] < 20 || seen[false] < 20 {
		t.Errorf("heard and not: %v", seen)
	}
}

// decodes asks the codecs whether an advert of a gets through to b.
func decodes(t *testing.T, a, b *router) bool {
	t.Helper()
	out, err := vrrp.NewCodec(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	in, err := vrrp.NewCodec(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	to := a.cfg.Group()
	if a.cfg.Unicast() {
		if a.peers>>b.id&1 == 0 {
			return false
		}
		to = b.source
	}
	raw := out.Encode(epoch, a.source, to, 100)
	ip := raw[:20]
	var advert vrrp.Advert
	return in.Decode(epoch, &advert, vrrp.Packet{
		Source: netip.AddrFrom4([4]byte(ip[12:16])), Destination: to, TTL: 255, Protocol: 112, Payload: raw[20:],
	}) == nil
}

func BenchmarkSimulation(b *testing.B) {
	var total Report
	seed := uint64(0)
	for b.Loop() {
		seed++
		r, err := Run(Options{Seed: seed})
		if err != nil {
			b.Fatal(err)
		}
		total.Add(r)
	}
	b.ReportMetric(total.Simulated.Hours()/b.Elapsed().Seconds(), "hours/s")
	b.ReportMetric(float64(total.Steps)/b.Elapsed().Seconds(), "steps/s")
}
