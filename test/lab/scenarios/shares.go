package scenarios

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "shares", Doc: "each scheduler gives the shares that it promises; persistence sticks, one_packet does not, thresholds cap",
		Needs: []scenario.Need{scenario.Edgekeeper}, Run: distribution,
	})
}

// sharesVIP is the address of all virtual servers here; each has a port.
const sharesVIP = "10.54.0.1"

// Addresses that the client has besides its own: 64 in each of two networks.
const sharesClients = 64

func sharesClient(i int) string {
	return fmt.Sprintf("10.61.%d.%d", i/sharesClients, 1+i%sharesClients)
}

// bench is the site of shares: requests that the client makes, by who answered.
type bench struct {
	t      *scenario.T
	client *site.Host
	held   []net.Conn
}

// each asks n times.
func (b *bench) each(addr string, n int) map[string]int {
	seen := map[string]int{}
	for range n {
		seen[askFrom(b.client, "", "tcp", addr)]++
	}
	return seen
}

// hold opens n connections and keeps them.
func (b *bench) hold(addr string, n int) map[string]int {
	seen := map[string]int{}
	for range n {
		c, err := dial(b.client, "tcp", "", addr, time.Minute)
		if err != nil {
			seen[""]++
			continue
		}
		b.held = append(b.held, c)
		seen[hear(c, false)]++
	}
	return seen
}

// clients asks once from each of the first n addresses of the client, and again:
// the answer must be the same.
func (b *bench) clients(addr string, n int) map[string]int {
	seen := map[string]int{}
	for i := range n {
		first := askFrom(b.client, sharesClient(i), "tcp", addr)
		if again := askFrom(b.client, sharesClient(i), "tcp", addr); again != first {
			b.t.Errorf("%s: client %s went to %q, and then to %q", addr, sharesClient(i), first, again)
		}
		seen[first]++
	}
	return seen
}

// datagrams sends n datagrams on one socket.
func (b *bench) datagrams(addr string, n int) map[string]int {
	seen := map[string]int{}
	c, err := dial(b.client, "udp", "", addr, time.Minute)
	b.t.OK(err)
	defer func() { _ = c.Close() }()
	for range n {
		b.t.OK(c.SetDeadline(time.Now().Add(2 * time.Second)))
		seen[hear(c, true)]++
	}
	return seen
}

// distribution asks one virtual server for each scheduler, and some more.
func distribution(t *scenario.T) {
	s := t.Site(site.Options{})
	b := &bench{t: t, client: s.Host("client")}
	t.Cleanup(func() {
		for _, c := range b.held {
			_ = c.Close()
		}
	})
	webs := []string{"w1", "w2"}
	command(t, s, "d1", "ip route add local 10.54.0.0/24 dev lo")
	command(t, s, "client", "ip route add 10.54.0.0/24 via 61.139.2.2")
	for i := range 2 * sharesClients {
		t.OK(b.client.AddAddr("lo", netip.PrefixFrom(netip.MustParseAddr(sharesClient(i)), 32), ""))
	}
	for _, w := range webs {
		command(t, s, w, "ip addr add "+sharesVIP+"/32 dev lo")
	}
	for _, h := range append(webs, "d1") {
		command(t, s, h, "ip route add 10.61.0.0/16 via 61.139.2.6")
	}
	type balance struct {
		name   string
		pool   string // more of the virtual server
		w1, w2 string // more of the real servers
		ask    func(addr string) map[string]int
		want   map[string]int // answers, within slack of each
		slack  int
	}
	each := func(n int) func(string) map[string]int { return func(a string) map[string]int { return b.each(a, n) } }
	hold := func(n int) func(string) map[string]int { return func(a string) map[string]int { return b.hold(a, n) } }
	clients := func(n int) func(string) map[string]int {
		return func(a string) map[string]int { return b.clients(a, n) }
	}
	const light, heavy = "weight = 1", "weight = 3"
	cases := []balance{
		{"rr", "", light, heavy, each(40), map[string]int{"w1": 20, "w2": 20}, 1},
		{"wrr", "", light, heavy, each(40), map[string]int{"w1": 10, "w2": 30}, 1},
		{"wrr", "", "weight = 65535", "weight = 65535", each(20), map[string]int{"w1": 10, "w2": 10}, 1},
		{"wrr", "", "weight = 0", heavy, each(10), map[string]int{"w2": 10}, 0},
		// Those that count connections are asked with ones that stay open.
		{"lc", "", light, heavy, hold(40), map[string]int{"w1": 20, "w2": 20}, 1},
		{"wlc", "", light, heavy, hold(40), map[string]int{"w1": 10, "w2": 30}, 1},
		{"sed", "", light, heavy, hold(40), map[string]int{"w1": 10, "w2": 30}, 2},
		{"nq", "", light, heavy, hold(40), map[string]int{"w1": 10, "w2": 30}, 2},
		{"fo", "", light, heavy, each(10), map[string]int{"w2": 10}, 0},                                         // the heaviest alone
		{"ovf", "", light, heavy, hold(6), map[string]int{"w1": 2, "w2": 4}, 0},                                 // the heaviest until it has more connections than weight
		{"dh", "", light, heavy, nil, nil, 0},                                                                   // by the virtual address: one of them
		{"lblc", "", light, heavy, nil, nil, 0},                                                                 // the same
		{"lblcr", "", light, heavy, nil, nil, 0},                                                                // the same
		{"sh", "", light, heavy, clients(64), map[string]int{"w1": 16, "w2": 48}, 10},                           // by the client's address
		{"mh", "", light, heavy, clients(64), map[string]int{"w1": 16, "w2": 48}, 10},                           // the same
		{"sh", `scheduler_flags = ["sh-port"]`, light, light, each(40), map[string]int{"w1": 20, "w2": 20}, 15}, // and its port
		{"mh", `scheduler_flags = ["mh-port"]`, light, light, each(40), map[string]int{"w1": 20, "w2": 20}, 15},
	}
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "router_id = \"d1\"\nstate_dir = %q\ncontrol {\n  socket = %q\n}\nipvs {\n  tcp_fin_timeout = \"1s\"\n}\n", s.Temp()+"/d1", s.Temp()+"/d1.sock")
	port, pools := 7000, 0
	add := func(network, scheduler, more, w1, w2 string) (addr string) {
		port++
		pools++
		addr = fmt.Sprintf("%s:%d", sharesVIP, port)
		fmt.Fprintf(&hcl, "virtual_server \"v%d\" {\n  address = %q\n  protocol = %q\n  scheduler = %q\n  %s\n  real_server \"61.139.2.4:%d\" {\n    %s\n  }\n  real_server \"61.139.2.5:%d\" {\n    %s\n  }\n}\n",
			port, addr, network, scheduler, more, port, w1, port, w2)
		for _, w := range webs {
			if network == "udp" {
				answering(t, s.Host(w), network, addr)
			} else {
				staying(t, s.Host(w), addr)
			}
		}
		return addr
	}
	var addrs []string
	for _, c := range cases {
		addrs = append(addrs, add("tcp", c.name, c.pool, c.w1, c.w2))
	}
	sticky := add("tcp", "rr", `persistence = "1m"`, light, light)
	network := add("tcp", "rr", "persistence = \"1m\"\n  persistence_granularity = 24", light, light)
	onePacket := add("udp", "rr", "one_packet = true", light, light)
	perFlow := add("udp", "rr", "", light, light)
	const everyPort = "10.54.0.2"
	pools++
	fmt.Fprintf(&hcl, "virtual_server \"every\" {\n  address = %q\n  scheduler = \"rr\"\n  persistence = \"1m\"\n  real_server \"61.139.2.4\" {}\n  real_server \"61.139.2.5\" {}\n}\n", everyPort+":0")
	for _, w := range webs {
		command(t, s, w, "ip addr add "+everyPort+"/32 dev lo")
		for _, port := range []int{6001, 6002} {
			staying(t, s.Host(w), fmt.Sprintf("%s:%d", everyPort, port))
		}
	}
	capped := add("tcp", "wlc", "", "upper_threshold = 3\n    lower_threshold = 2", "upper_threshold = 2")

	d1 := s.Host("d1")
	before := command(t, s, "d1", "ipvsadm -Ln --timeout")
	p, err := s.Start(d1, site.Command{Name: "edgekeeper", Args: []string{t.Binary(scenario.Edgekeeper), "director", "-config", t.File("shares.hcl", hcl.String())}})
	t.OK(err)
	t.Within(slow, "the table is complete", func() bool {
		list, err := d1.IPVS()
		t.OK(err)
		return len(list) == pools && !slices.ContainsFunc(list, func(v site.Service) bool { return len(v.Dests) != 2 })
	})

	t.Phase("schedulers", func() {
		for i, c := range cases {
			what := strings.TrimSpace(c.name + " " + c.pool)
			if c.ask == nil {
				if got := b.each(addrs[i], 10); len(got) != 1 || got[""] > 0 {
					t.Errorf("%s: answers from %v, want all from one", what, got)
				}
				continue
			}
			got := c.ask(addrs[i])
			t.Measure(fmt.Sprintf("%s, web 1 %s, web 2 %s", what, c.w1, c.w2), "%v", got)
			for w, want := range c.want {
				if d := got[w] - want; d < -c.slack || d > c.slack {
					t.Errorf("%s: %d of %v went to %s, want %d within %d", what, got[w], got, w, want, c.slack)
				}
			}
			for w := range maps.Keys(got) {
				if _, ok := c.want[w]; !ok {
					t.Errorf("%s: %d answers from %q, want none", what, got[w], w)
				}
			}
		}
	})
	t.Phase("persistence", func() {
		if got := b.each(sticky, 10); len(got) != 1 || got[""] > 0 {
			t.Errorf("persistence: one client was sent to %v", got)
		}
		if got := b.clients(sticky, 8); got["w1"] != 4 || got["w2"] != 4 {
			t.Errorf("persistence: 8 new clients were sent to %v, want 4 to each", got)
		}
		first, second := b.clients(network, sharesClients), askFrom(b.client, sharesClient(sharesClients), "tcp", network)
		if len(first) != 1 || first[second] > 0 {
			t.Errorf("persistence by /24: one network was sent to %v, another to %q, want one web server each", first, second)
		}
	})
	t.Phase("every port", func() {
		seen := map[string]bool{}
		for i := range 4 {
			one, two := askFrom(b.client, sharesClient(i), "tcp", everyPort+":6001"), askFrom(b.client, sharesClient(i), "tcp", everyPort+":6002")
			if one == "" || one != two {
				t.Errorf("client %s: port 6001 went to %q, port 6002 to %q", sharesClient(i), one, two)
			}
			seen[one] = true
		}
		if len(seen) != 2 {
			t.Errorf("four clients went to %v, want both web servers", seen)
		}
	})
	t.Phase("connections", func() { b.listed(s, addrs[slices.IndexFunc(cases, func(c balance) bool { return c.name == "lc" })]) })
	t.Phase("one_packet", func() {
		if got := b.datagrams(onePacket, 10); got["w1"] != 5 || got["w2"] != 5 {
			t.Errorf("one_packet: the datagrams of one socket went to %v, want 5 to each", got)
		}
		if got := b.datagrams(perFlow, 10); len(got) != 1 || got[""] > 0 {
			t.Errorf("without one_packet the datagrams of one socket went to %v, want all to one", got)
		}
	})
	t.Phase("thresholds", func() {
		if got := b.hold(capped, 5); got["w1"] != 3 || got["w2"] != 2 {
			t.Errorf("thresholds of 3 and 2: 5 connections went to %v", got)
		}
		full := b.held[len(b.held)-5:]
		if who := askFrom(b.client, "", "tcp", capped); who != "" {
			t.Errorf("above both thresholds %s got a connection", who)
		}
		for _, c := range full {
			_ = c.Close()
		}
		// The entries go tcp_fin_timeout after the end; then there is room.
		t.Measure("connections again after they ended", "%s", ms(t.Within(slow, "there is room again", func() bool {
			return askFrom(b.client, "", "tcp", capped) != ""
		})))
	})
	t.Phase("timeouts", func() {
		out := command(t, s, "d1", t.Binary(scenario.Edgekeeper)+" status -socket "+s.Temp()+"/d1.sock")
		if !strings.Contains(out, "tcp fin 1s") {
			t.Errorf("status does not show the timeout that was set:\n%s", out)
		}
		t.OK(p.Stop(scenario.StopLimit))
		if after := command(t, s, "d1", "ipvsadm -Ln --timeout"); after != before {
			t.Errorf("timeouts after the stop %q, were %q", after, before)
		}
	})
}

// listed compares the connections that are held to a virtual server, as
// `connections` picks them, with what ipvsadm -Lnc shows.
func (b *bench) listed(s *scenario.Site, virtual string) {
	t := b.t
	stranger := sharesClient(2*sharesClients - 1)
	c, err := dial(b.client, "tcp", stranger, virtual, time.Minute)
	t.OK(err)
	b.held = append(b.held, c)
	if hear(c, false) == "" {
		t.Errorf("client %s was not answered", stranger)
	}
	// rows are the lines with words that begin so, each as client, virtual server
	// and real server.
	rows := func(text string, words ...string) (out []string) {
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.EqualFold(f[0], "tcp") && !slices.ContainsFunc(words, func(w string) bool {
				return !slices.ContainsFunc(f, func(x string) bool { return strings.HasPrefix(x, w) })
			}) {
				out = append(out, strings.Join(f[len(f)-3:], " "))
			}
		}
		slices.Sort(out)
		return out
	}
	client := b.client.Addr.Addr().String()
	for _, c := range []struct {
		flags       string
		words       []string // that a line of ipvsadm has
		least, most int
	}{
		{"-virtual " + virtual, []string{virtual}, 41, 41},
		{"-virtual v" + virtual[strings.LastIndexByte(virtual, ':')+1:] + " -state established", []string{virtual, "ESTABLISHED"}, 41, 41},
		{"-virtual " + virtual + " -server 61.139.2.4", []string{virtual, "61.139.2.4:"}, 20, 21},
		{"-client " + client + " -virtual " + virtual, []string{client + ":", virtual}, 40, 40},
		{"-client " + stranger, []string{stranger + ":"}, 1, 1},
	} {
		var ours, theirs []string
		// A connection that ends between two pieces of the kernel's list hides another
		// one from whoever reads it.
		t.Within(slow, "connections "+c.flags+" shows what ipvsadm -Lnc shows", func() bool {
			ours = rows(command(t, s, "d1", t.Binary(scenario.Edgekeeper)+" connections -socket "+s.Temp()+"/d1.sock "+c.flags))
			theirs = rows(command(t, s, "d1", "ipvsadm -Lnc"), c.words...)
			return slices.Equal(ours, theirs)
		})
		if n := len(ours); n < c.least || n > c.most {
			t.Errorf("connections %s shows %d, want %d to %d", c.flags, n, c.least, c.most)
		}
	}
}

// staying makes a host answer connections with its name, and keep them until the
// client ends them.
func staying(t *scenario.T, h *site.Host, addr string) {
	t.OK(h.Do(func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", h.Name, err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = c.Close() }()
					if _, err := c.Write([]byte(h.Name)); err == nil {
						_, _ = c.Read(make([]byte, 1)) // until the client ends it
					}
				}()
			}
		}()
		return nil
	}))
}
