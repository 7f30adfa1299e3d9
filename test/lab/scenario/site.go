package scenario

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/director"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
	"github.com/edgekeeper/edgekeeper/test/lab/traffic"
)

// Site is a site under a scenario: its verbs end the scenario when they fail.
type Site struct {
	*site.Site
	Sampler *site.Sampler
	Load    *traffic.Load // of StartLoad, nil before
	Webs    map[string]*site.Proc
	t       *T
	load    *site.Proc
	temp    string
	rate    float64
	// patience is how long a request of the load waits for its answer.
	patience time.Duration

	loadBegan time.Time
}

// self is the lab's own binary: the first process of a guest has no path any more.
const self = "/proc/self/exe"

// Port is the port of the site's web service.
const Port = 80

// Site builds a fresh site and starts sampling who holds the virtual address.
// The end of the scenario removes it, and fails a scenario whose sampler broke.
func (t *T) Site(o site.Options) *Site {
	o.Out, o.Log = t.out, t.Logf
	raw, err := site.New(o)
	t.OK(err)
	s := &Site{Site: raw, t: t, Webs: make(map[string]*site.Proc)}
	t.Cleanup(func() {
		if err := raw.Close(); err != nil {
			t.Errorf("%v", err)
		}
		os.RemoveAll(s.temp)
	})
	s.temp, err = os.MkdirTemp("/run", "edgekeeper-lab-") // sockets and state: not on the results share
	t.OK(err)
	s.Sampler, err = raw.Sample()
	t.OK(err)
	t.Cleanup(func() {
		if err := s.Sampler.Stop(); err != nil {
			t.Errorf("sampler: %v", err)
		}
		samples, widest := s.Sampler.Quality()
		t.Logf("sampler: %d samples, widest distance %s", samples, widest.Round(time.Millisecond))
		if widest > coarse {
			t.Measure("caution, a busy machine", "samples were up to %s apart; times are no better than that", widest.Round(time.Millisecond))
		}
		t.File("holders.txt", s.Holders())
		if t.Failed() {
			s.showState()
		}
	})
	return s
}

// coarse is the distance of samples from which on a report says so.
const coarse = 250 * time.Millisecond

// Holders lists when which director got and lost the virtual address.
func (s *Site) Holders() string {
	var b strings.Builder
	for _, c := range s.Sampler.Changes() {
		verb := "loses"
		if c.Holds {
			verb = "gets"
		}
		fmt.Fprintf(&b, "%s (%.3f s) %s %s %s\n", c.At.Format("15:04:05.000"), c.At.Sub(s.t.began).Seconds(), c.Host, verb, s.VIP.Addr())
	}
	return b.String()
}

// showState prints what a failed scenario left: tables, holders, and traffic.
func (s *Site) showState() {
	for _, h := range s.Directors() {
		table, err := h.IPVS()
		text := fmt.Sprintf("%+v", table)
		const most = 2000
		if len(text) > most {
			text = text[:most] + " …"
		}
		s.t.say("%s: IPVS table %s (%v)", h.Name, text, err)
	}
	s.t.say("virtual address on %v; it went so:\n%s", s.Sampler.Holders(), s.Holders())
	if s.Load != nil {
		s.t.say("traffic of the last 10 s: %s", s.Load.Window(time.Now().Add(-10*time.Second), time.Now()))
	}
}

// Temp returns a folder in memory for sockets and state of this scenario.
func (s *Site) Temp() string { return s.temp }

// VS is the address of the virtual server.
func (s *Site) VS() netip.AddrPort { return netip.AddrPortFrom(s.VIP.Addr(), Port) }

// Real is the address of a real server.
func (s *Site) Real(web string) netip.AddrPort {
	return netip.AddrPortFrom(s.Host(web).Addr.Addr(), Port)
}

// StartWeb starts the web server of one host, again if it was stopped.
func (s *Site) StartWeb(web string) {
	p, err := s.Start(s.Host(web), site.Command{Name: "web", Args: []string{self, "web", "-name", web}})
	s.t.OK(err)
	s.Webs[web] = p
	s.t.Within(10*time.Second, web+" answers", func() bool {
		return s.Get(s.Host(web), s.Real(web).String()) == web
	})
}

// StartWebs prepares every web host for direct routing and starts its web
// server. With agent, edgekeeper's real-server agent prepares the host, else
// the lab does what an administrator would do by hand.
func (s *Site) StartWebs(agent bool) {
	for _, h := range s.Site.Webs() {
		if agent {
			_, err := s.Start(h, site.Command{Name: "realserver",
				Args: []string{s.t.Binary(Edgekeeper), "realserver", "-vip", s.VIP.Addr().String()}})
			s.t.OK(err)
			s.t.Within(10*time.Second, "virtual address on lo of "+h.Name, func() bool {
				ok, err := h.Has("lo", s.VIP.Addr())
				s.t.OK(err)
				return ok
			})
		} else {
			s.t.OK(h.RealServer(s.VIP.Addr()))
		}
		s.StartWeb(h.Name)
	}
}

// Get asks an address from a host, once, and returns the name of the server
// that answered, or "".
func (s *Site) Get(from *site.Host, addr string) (name string) {
	err := from.Do(func() (err error) {
		name, err = traffic.Request(addr, time.Second)
		return err
	})
	if err != nil {
		return ""
	}
	return name
}

// StartLoad starts the client's traffic through the virtual address: rate new
// connections per second, 0 for the default, that wait a second for an answer.
func (s *Site) StartLoad(rate float64) { s.StartPatientLoad(rate, time.Second) }

// StartPatientLoad is StartLoad with another time to wait.
func (s *Site) StartPatientLoad(rate float64, patience time.Duration) {
	if rate == 0 {
		rate = DefaultRate
	}
	var err error
	s.Load, s.rate, s.patience, s.loadBegan = new(traffic.Load), rate, patience, time.Now()
	s.load, err = s.Start(s.Client(), site.Command{Name: "client", Stdout: s.Load,
		Args: []string{self, "client", "-target", s.VS().String(), "-rate", fmt.Sprint(rate), "-timeout", patience.String()}})
	s.t.OK(err)
}

// DefaultRate is the load in connections per second, which a guest without
// hardware virtualization on two cores keeps up with.
const DefaultRate = 50

// StopLoad ends the traffic, waits for the last answers, and counts it per
// phase. It fails the scenario when the client could not keep its rate.
func (s *Site) StopLoad() {
	s.t.OK(s.load.Stop(s.patience + 5*time.Second))
	s.t.OK(s.Load.Err())
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	for i := range s.t.result.Phases {
		p := &s.t.result.Phases[i]
		if p.From.Before(s.loadBegan) {
			continue // of an earlier part of the scenario
		}
		w := s.Load.Window(p.From, p.To)
		p.Traffic, p.Sent, p.Lost = w.String(), len(w), w.Lost()
	}
	all := s.Load.Window(time.Time{}, time.Time{})
	if len(all) > 1 {
		if got := float64(len(all)) / all[len(all)-1].Sent.Sub(all[0].Sent).Seconds(); got < 0.8*s.rate {
			s.t.result.Measures = append(s.t.result.Measures, Measure{"load", fmt.Sprintf("only %.0f of %.0f requests per second were sent", got, s.rate)})
		}
	}
}

// holdSilence is how long a held connection may be silent before it counts as
// broken: a restart of the director costs an election, and TCP's retransmission
// timer has doubled a few times by then.
const holdSilence = 20 * time.Second

// Hold opens one long connection through the virtual address; the returned
// load gets a line per line received, and one result at the end.
func (s *Site) Hold(length time.Duration) *traffic.Load {
	l := new(traffic.Load)
	_, err := s.Start(s.Client(), site.Command{Name: "client-hold", Stdout: l,
		Args: []string{self, "client", "-target", s.VS().String(), "-hold", length.String(), "-timeout", holdSilence.String()}})
	s.t.OK(err)
	s.t.Within(5*time.Second, "the long connection carries data", func() bool { return len(l.Window(time.Time{}, time.Time{})) > 0 })
	return l
}

// Served waits until the client has had an answer from every named web server
// to requests sent after now, and returns how long the first one took.
func (s *Site) Served(limit time.Duration, webs ...string) time.Duration {
	since := time.Now()
	var first time.Duration
	s.t.Within(limit, "the client reaches "+strings.Join(webs, " and "), func() bool {
		shares := s.Load.Window(since, time.Time{}).Shares()
		if first == 0 && len(shares) > 0 {
			first = time.Since(since)
		}
		for _, w := range webs {
			if shares[w] == 0 {
				return false
			}
		}
		return true
	})
	return first
}

// Holder waits until exactly the named host holds the virtual address.
func (s *Site) Holder(limit time.Duration, host string) time.Duration {
	return s.t.Within(limit, "the virtual address is on "+host, func() bool {
		return slices.Equal(s.Sampler.Holders(), []string{host})
	})
}

// Nobody waits until no director holds the virtual address.
func (s *Site) Nobody(limit time.Duration) time.Duration {
	return s.t.Within(limit, "the virtual address is on no director", func() bool { return len(s.Sampler.Holders()) == 0 })
}

// Weight returns a real server's weight in a director's IPVS table, -1 when it
// is not there.
func (s *Site) Weight(director, web string) int {
	w, ok, err := s.Host(director).Weight(s.VS(), s.Real(web))
	s.t.OK(err)
	if !ok {
		return -1
	}
	return w
}

// WaitWeight waits until a real server has a weight in a director's table, -1
// for not there, and returns how long that took.
func (s *Site) WaitWeight(limit time.Duration, director, web string, weight int) time.Duration {
	return s.t.Within(limit, fmt.Sprintf("weight of %s on %s is %d", web, director, weight), func() bool {
		return s.Weight(director, web) == weight
	})
}

// Director is a director process on a host of the site.
type Director struct {
	*site.Proc
	Config director.Config
	Driver director.Driver
	args   []string
	s      *Site
	host   *site.Host
}

// Director writes the configuration of a director on d1 or d2, as site B has
// it, changed by mods. It does not start it.
func (s *Site) Director(host string, driver director.Driver, mods ...func(*director.Config)) *Director {
	d := &Director{Driver: driver, s: s, host: s.Host(host)}
	d.Config = director.Config{
		RouterID: "lvs1", Priority: 100, VRID: 51, Secret: "5525", VIP: s.VIP, Label: "eth0:0", Advert: time.Second, Interface: "eth0",
		Service: s.VS(), Scheduler: "wrr", Check: director.QuickCheck, OnFailure: "drain",
		StateDir: filepath.Join(s.temp, host, "state"), Socket: filepath.Join(s.temp, host, "director.sock"),
	}
	if host == "d2" {
		d.Config.RouterID, d.Config.Priority = "lvs2", 90
	}
	for _, h := range s.Site.Webs() {
		d.Config.Real = append(d.Config.Real, director.Real{Addr: s.Real(h.Name), Weight: 1})
	}
	for _, m := range mods {
		m(&d.Config)
	}
	d.Rewrite()
	return d
}

// Rewrite writes the configuration again, after a change to Config.
func (d *Director) Rewrite() {
	args, err := d.Driver.Write(filepath.Join(d.s.Out(), d.host.Name), &d.Config)
	d.s.t.OK(err)
	d.args = args
}

// Start starts the director.
func (d *Director) Start() {
	p, err := d.s.Start(d.host, site.Command{Name: d.Driver.Name(), Args: d.args})
	d.s.t.OK(err)
	d.Proc = p
}

// StopLimit is how long a director may take to hand over.
const StopLimit = 5 * time.Second

// Stop stops the director with SIGTERM; it must end with status 0 in time.
func (d *Director) Stop() { d.s.t.OK(d.Proc.Stop(StopLimit)) }

// CLI runs an edgekeeper command against the director's socket and returns its output.
func (d *Director) CLI(args ...string) string {
	out, err := d.TryCLI(args...)
	d.s.t.OK(err)
	return out
}

// TryCLI is CLI that returns the error.
func (d *Director) TryCLI(args ...string) (string, error) {
	cmd := append([]string{d.s.t.Binary(Edgekeeper), args[0], "-socket", d.Config.Socket}, args[1:]...)
	return d.s.Site.Run(d.host, cmd...)
}

// Status is the part of edgekeeper status -json that scenarios judge.
type Status struct {
	IPVS struct {
		InSync  bool `json:"in_sync"`
		Adopted struct {
			Services int `json:"services"`
			Servers  int `json:"servers"`
			Ops      int `json:"ops"`
		} `json:"adopted"`
		Drift     int    `json:"drift"`
		LastDrift string `json:"last_drift"`
		Sync      struct {
			State string `json:"state"`
			Error string `json:"error"`
		} `json:"connection_sync"`
	} `json:"ipvs"`
	KV struct {
		Rejected []string `json:"rejected"`
	} `json:"kv"`
}

// Status asks the director for its status.
func (d *Director) Status() (s Status) {
	d.s.t.OK(json.Unmarshal([]byte(d.CLI("status", "-json")), &s))
	return s
}

// Args returns the command that runs the director.
func (d *Director) Args() []string { return d.args }

// StopWeb kills the web server of a host.
func (s *Site) StopWeb(web string) error {
	if err := s.Webs[web].Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.Webs[web].Done()
	return nil
}
