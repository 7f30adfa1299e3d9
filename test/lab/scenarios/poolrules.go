package scenarios

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/catalog"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "pool-rules", Doc: "slow start, fallback, sorry server, quorum with hysteresis, panic, the mass-removal hold, a drain that ends with its connection, and a scheduler that the kernel lacks, each with traffic",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: poolRules,
	})
}

// Ports of the pools of pool-rules, on one virtual address.
const (
	portSlow = 7100 + iota
	portFallback
	portQuorum
	portPanic
	portHold
	portDrain
	portMissing
	portEnd
)

const rulesVIP = "10.55.0.1"

// rules is the site of pool-rules.
type rules struct {
	t      *scenario.T
	s      *scenario.Site
	d1     *site.Host
	client *site.Host
	socket string
	files  catalog.Files
	webs   map[string]map[int]*backend // by host and port
}

const rulesHCL = `router_id = "d1"
state_dir = "%[1]s"
control {
  socket = "%[1]s.sock"
}
file_catalog {
  path = "%[2]s"
}
`

// rulesPool is one virtual server: its name, port, and what stands in it besides
// address and check.
func rulesPool(name string, port int, scheduler, more string) string {
	return fmt.Sprintf(`virtual_server %q {
  address    = "%s:%d"
  scheduler  = %q
  on_failure = "drain"
  %s
  check "http" {
    path     = "/health"
    interval = "1s"
    timeout  = "1s"
    retries  = 1
    retry_delay = "100ms"
  }
}
`, name, rulesVIP, port, scheduler, strings.TrimSpace(more))
}

func poolRules(t *scenario.T) {
	s := t.Site(site.Options{Webs: 4})
	r := &rules{t: t, s: s, d1: s.Host("d1"), client: s.Host("client"), socket: s.Temp() + "/d1.sock",
		files: catalog.Files{Dir: filepath.Join(s.Temp(), "catalog")}, webs: map[string]map[int]*backend{}}
	command(t, s, "d1", "ip route add local 10.55.0.0/24 dev lo")
	command(t, s, "client", "ip route add 10.55.0.0/24 via 61.139.2.2")
	var real []string // addresses of the web servers, without port
	for _, h := range s.Site.Webs() {
		command(t, s, h.Name, "ip addr add "+rulesVIP+"/32 dev lo")
		r.webs[h.Name] = map[int]*backend{}
		for port := portSlow; port < portEnd; port++ {
			r.webs[h.Name][port] = serve(t, h, port)
		}
		real = append(real, h.Addr.Addr().String())
	}
	for _, w := range []string{"w1", "w2"} {
		r.register(w, portHold)
	}
	for _, w := range []string{"w3", "w4"} {
		r.register(w, portDrain)
	}
	servers := func(more string, list ...int) (out string) {
		for _, i := range list {
			out += fmt.Sprintf("real_server %q {\n    %s\n  }\n  ", real[i-1], more)
		}
		return out
	}
	hcl := fmt.Sprintf(rulesHCL, s.Temp()+"/d1", r.files.Dir) +
		rulesPool("slow", portSlow, "wrr", servers("weight = 100", 1, 2)+"slow_start {\n    window = \"8s\"\n  }") +
		rulesPool("fall", portFallback, "rr", servers("", 1)+"fallback \"far\" {\n    "+servers("", 3)+"\n  }\n  sorry_server \""+real[3]+"\" {}") +
		rulesPool("quorum", portQuorum, "rr", servers("weight = 2", 1, 2, 3)+"quorum = 4\n  hysteresis = 1\n  sorry_server \""+real[3]+"\" {}") +
		rulesPool("panic", portPanic, "rr", servers("", 1, 2, 3)+"panic_threshold = 0.5") +
		rulesPool("hold", portHold, "rr", `service "hold" {}`) +
		rulesPool("drain", portDrain, "rr", "service \"drain\" {}\n  drain_timeout = \"5m\"") +
		rulesPool("missing", portMissing, "twos", servers("", 1, 2))
	_, err := s.Start(r.d1, site.Command{Name: "edgekeeper", Args: []string{t.Binary(scenario.Edgekeeper), "director", "-config", t.File("pool-rules.hcl", hcl)}})
	t.OK(err)
	r.answers(portSlow, "w1", "w2")
	r.answers(portFallback, "w1")
	r.answers(portQuorum, "w1", "w2", "w3")
	r.answers(portPanic, "w1", "w2", "w3")
	r.answers(portHold, "w1", "w2")
	r.answers(portDrain, "w3", "w4")

	t.Phase("a scheduler that the kernel lacks", r.missing)
	t.Phase("fallback and sorry server", func() {
		r.ill("w1", portFallback, true)
		r.answers(portFallback, "w3")
		r.ill("w3", portFallback, true)
		r.answers(portFallback, "w4")
		r.ill("w3", portFallback, false)
		r.answers(portFallback, "w3")
		r.ill("w1", portFallback, false)
		r.answers(portFallback, "w1")
	})
	t.Phase("quorum and hysteresis", func() {
		r.ill("w1", portQuorum, true)
		r.answers(portQuorum, "w2", "w3") // weight 4: below quorum + hysteresis, and not lost
		r.ill("w2", portQuorum, true)
		r.answers(portQuorum, "w4") // weight 2: lost
		r.ill("w2", portQuorum, false)
		r.t.Within(slow, "web 2 is up again", func() bool { return r.pool("quorum").Servers[1].State == "serving" })
		r.answers(portQuorum, "w4") // weight 4: not regained
		r.ill("w1", portQuorum, false)
		r.answers(portQuorum, "w1", "w2", "w3")
	})
	t.Phase("panic", func() {
		r.ill("w1", portPanic, true)
		r.answers(portPanic, "w2", "w3")
		r.ill("w2", portPanic, true)
		r.answers(portPanic, "w1", "w2", "w3")
		if !r.pool("panic").Panic {
			t.Errorf("one of three is healthy, and status knows of no panic")
		}
		r.ill("w1", portPanic, false)
		r.answers(portPanic, "w1", "w3")
	})
	t.Phase("mass removal", func() {
		t.OK(r.files.Deregister("hold-w1"))
		t.OK(r.files.Deregister("hold-w2"))
		t.Within(slow, "the pool is held", func() bool { return r.pool("hold").Held != "" })
		t.Measure("held", "%s", r.pool("hold").Held)
		r.answers(portHold, "w1", "w2")
		r.ill("w1", portHold, true) // the other witness agrees on one
		r.answers(portHold, "w2")
		if r.pool("hold").Held == "" {
			t.Errorf("web 2 is not held any more")
		}
		r.register("w2", portHold)
		t.Within(slow, "the pool is no longer held", func() bool { return r.pool("hold").Held == "" })
		r.answers(portHold, "w2")
	})
	t.Phase("drain", r.drain)
	t.Phase("slow start", r.slow) // the last, so that web 1 has served for longer than the window
}

// register puts the instance of a host into the catalog; the pool's name is the
// service's.
func (r *rules) register(web string, port int) {
	name := map[int]string{portHold: "hold", portDrain: "drain"}[port]
	r.t.OK(r.files.Register(catalog.Service{ID: name + "-" + web, Name: name,
		Addr: netip.AddrPortFrom(r.s.Host(web).Addr.Addr(), uint16(port))}))
}

// ill makes the health check of one web server fail, or succeed again. It answers
// all the same.
func (r *rules) ill(web string, port int, yes bool) { r.webs[web][port].ill.Store(yes) }

// answers waits until requests are answered by all of these web servers and by
// nobody else.
func (r *rules) answers(port int, webs ...string) {
	addr := fmt.Sprintf("%s:%d", rulesVIP, port)
	var seen map[string]int
	began := time.Now()
	for {
		seen = map[string]int{}
		for range 4 * len(webs) {
			seen[r.s.Get(r.client, addr)]++
		}
		ok := len(seen) == len(webs)
		for _, w := range webs {
			ok = ok && seen[w] > 0
		}
		if ok {
			return
		}
		if time.Since(began) > slow {
			r.t.Fatalf("%s is answered by %v, want %v", addr, seen, webs)
		}
		r.t.Sleep(20 * time.Millisecond)
	}
}

// rulesState is the part of status -json that is judged here.
type rulesState struct {
	Name    string `json:"name"`
	Held    string `json:"held"`
	Error   string `json:"error"`
	Panic   bool   `json:"panic"`
	Servers []struct {
		Address string `json:"address"`
		State   string `json:"state"`
		Weight  int    `json:"weight"`
	} `json:"servers"`
}

func (r *rules) pool(name string) (p rulesState) {
	out, err := r.s.Run(r.d1, r.t.Binary(scenario.Edgekeeper), "pools", "-json", "-socket", r.socket, name)
	r.t.OK(err)
	var list []rulesState
	r.t.OK(json.Unmarshal([]byte(out), &list))
	return list[0]
}

// weight is what the kernel has, -1 for none.
func (r *rules) weight(web string, port int) int {
	at := func(host string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)) }
	w, ok, err := r.d1.Weight(at(rulesVIP), at(r.s.Host(web).Addr.Addr().String()))
	r.t.OK(err)
	if !ok {
		return -1
	}
	return w
}

// missing looks at the pool whose scheduler the lab's kernel has no module for.
// The others have answered already.
func (r *rules) missing() {
	if _, err := r.s.Run(r.s.Host("d2"), "ipvsadm", "-A", "-t", "192.0.2.9:80", "-s", "twos"); err == nil {
		r.t.Measure("missing scheduler", "not shown: this kernel has twos")
		r.answers(portMissing, "w1", "w2")
		return
	}
	p := r.pool("missing")
	r.t.Measure("missing scheduler", "%s", p.Error)
	for _, want := range []string{"the kernel has no scheduler twos", "ip_vs_twos"} {
		if !strings.Contains(p.Error, want) {
			r.t.Errorf("the pool's error does not say %q: %q", want, p.Error)
		}
	}
	path := filepath.Join(r.s.Out(), "pool-rules.hcl")
	out, err := r.s.Run(r.d1, "sh", "-c", r.t.Binary(scenario.Edgekeeper)+" validate -live "+path+" 2>&1")
	if err == nil || !strings.Contains(out, "ip_vs_twos") || !strings.Contains(out, path+":") {
		r.t.Errorf("validate -live does not name the module and the place: %v: %s", err, out)
	}
}

// slow lets web 2 come back and watches its weight and its share grow.
func (r *rules) slow() {
	r.ill("w2", portSlow, true)
	r.answers(portSlow, "w1")
	r.ill("w2", portSlow, false)
	steps := []int{0}
	r.t.Within(slow, "web 2 takes connections", func() bool { steps[0] = r.weight("w2", portSlow); return steps[0] > 0 })
	began := time.Now()
	addr := fmt.Sprintf("%s:%d", rulesVIP, portSlow)
	shares := map[bool]map[string]int{true: {}, false: {}} // early or not
	for end := began.Add(30 * time.Second); time.Now().Before(end); {
		w := r.weight("w2", portSlow)
		if steps[len(steps)-1] != w {
			steps = append(steps, w)
		}
		if age := time.Since(began); age < 2*time.Second {
			shares[true][r.s.Get(r.client, addr)]++
		} else if w == 100 {
			break
		}
		r.t.Sleep(20 * time.Millisecond)
	}
	for range 40 {
		shares[false][r.s.Get(r.client, addr)]++
	}
	r.t.Measure("slow start", "weights %v in %s; answers in the first two seconds %v, with the full weight %v", steps, ms(time.Since(began)), shares[true], shares[false])
	for i, w := range steps {
		if i > 0 && w < steps[i-1] {
			r.t.Errorf("the weight went down: %v", steps)
		}
	}
	if len(steps) < 5 || steps[0] > 20 || steps[len(steps)-1] != 100 {
		r.t.Errorf("weights %v, want from a tenth to 100 in steps", steps)
	}
	if early := shares[true]; 3*early["w2"] > early["w1"] {
		r.t.Errorf("web 2 got %v of the first answers, want less than a quarter", early)
	}
	if late := shares[false]; len(late) != 2 || late["w1"] < 18 || late["w2"] < 18 {
		r.t.Errorf("web 2 got %v with its full weight, want one half", late)
	}
}

// drain deregisters web 3 while a client has a connection to it.
func (r *rules) drain() {
	addr := fmt.Sprintf("%s:%d", rulesVIP, portDrain)
	const length = 4 * time.Second
	held := func() (net.Conn, string, <-chan string) {
		c, err := dial(r.client, "tcp", "", addr, time.Minute)
		r.t.OK(err)
		_, err = fmt.Fprintf(c, "GET /hold?for=%s HTTP/1.0\r\nHost: site\r\n\r\n", length)
		r.t.OK(err)
		name, rest := read(r.t, c)
		return c, name, rest
	}
	conn, name, rest := held()
	for range 4 { // the other one was web 4's turn
		if name == "w3" {
			break
		}
		conn, name, rest = held()
	}
	if name != "w3" {
		r.t.Fatalf("no connection went to web 3")
	}
	at := time.Now()
	r.t.OK(r.files.Deregister("drain-w3"))
	r.t.Within(slow, "web 3 has weight 0", func() bool { return r.weight("w3", portDrain) == 0 })
	r.answers(portDrain, "w4")
	var end string
	select {
	case end = <-rest:
	case <-time.After(length + slow):
	}
	if !strings.HasSuffix(end, "w3 to the end") {
		r.t.Errorf("the connection to the draining server ended with %q", end)
	}
	if w := r.weight("w3", portDrain); w != 0 {
		r.t.Errorf("web 3 has weight %d while its last connection is open, want 0", w)
	}
	ended := time.Now()
	r.t.OK(conn.Close())
	gone := r.t.Within(slow, "web 3 is gone", func() bool { return r.weight("w3", portDrain) < 0 })
	r.t.Measure("drain", "the connection went on to its end, %s after the deregistration; the server was gone %s later", ms(ended.Sub(at)), ms(gone))
	r.answers(portDrain, "w4")
}
