package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
)

// nomadDays: from bare Nomad clients to a serving site, and its days.
func nomadDays(t *scenario.T) {
	c := newCluster(t)
	t.Phase("the ten commands", func() { tenCommands(c) })
	c.startLoad(10)
	c.phase("the site serves", 0, func() { c.Served(30*time.Second, "web1", "web2") })
	c.phase("plan of what runs", 0, func() { plans(c) })
	c.phase("three nodes join", 0, func() { join(c) })
	c.phase("scale 2 -> 6", 0, func() { scaleUp(c) })
	c.phase("weight by KV", 0, func() { shift(c) })
	c.phase("scale 6 -> 2", 0, func() { scaleDown(c) })
	c.phase("three nodes leave", 0, func() { leave(c) })
	c.phase("drain of a web node", 0, func() { drainWeb(c) })
	c.phase("drain of the master's node", 1, func() { drainMaster(c) })
	c.phase("the drained node is back", 1, func() {
		c.sh("nomad node drain -disable -yes %s", node("lvs1"))
		c.Holder(time.Minute, "d1")
		c.Served(30*time.Second, c.serving()...)
	})
	c.phase("jobs upgrade", 1, func() { upgrade(c) })
	outages(c)
	c.part(nomadPhase{name: "jobs stop", ends: true}, func() { stopAll(c) })
	c.judge()
	judgeOverlap(t, c.Site, true)
}

func tenCommands(c *cluster) {
	commands := documented(c.t)
	if len(commands) != 10 {
		c.t.Errorf("the page has %d commands", len(commands))
	}
	began := time.Now()
	said := make([]string, 0, len(commands))
	for _, command := range commands {
		if strings.HasPrefix(command, "curl ") { // the checks have to pass first
			c.Holder(time.Minute, "d1")
			c.weights("w1", "w2")
		}
		said = append(said, c.sh("%s", command))
	}
	c.t.Measure("from bare clients to a serving address", "%s", ms(time.Since(began)))
	for i, want := range map[int]string{7: "VI_1 MASTER 100", 8: "web", 9: "VI_1"} {
		if i < len(said) && !strings.Contains(said[i], want) {
			c.t.Errorf("%s does not tell %q:\n%s", commands[i], want, said[i])
		}
	}
}

func plans(c *cluster) {
	for _, job := range []string{"-var vip=61.139.2.1/28 -var secret=5525 director", "-var vip=61.139.2.1 realserver", "-var count=2 web"} {
		if out := c.sh("edgekeeper jobs plan %s", job); !strings.Contains(out, "No changes.") {
			c.t.Errorf("the plan of what runs has changes: %s\n%s", job, out)
		}
	}
}

func join(c *cluster) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	c.t.OK(c.consul.StartAgents(ctx, hosts(c.Site, extraNodes)...))
	c.t.OK(c.nomad.Join(ctx, hosts(c.Site, extraNodes)...))
}

// leave drains the nodes, all at once, and ends their agents.
func leave(c *cluster) {
	var drains strings.Builder
	for _, h := range extraNodes {
		fmt.Fprintf(&drains, "nomad node drain -enable -yes %s & ", node("web"+h[1:]))
	}
	c.sh("%swait", drains.String())
	c.t.OK(c.nomad.Leave(hosts(c.Site, extraNodes)...))
	c.t.OK(c.consul.LeaveAgents(hosts(c.Site, extraNodes)...))
}

func scaleUp(c *cluster) {
	for _, name := range []string{"web3", "web4", "web5", "web6"} {
		c.sh("nomad node meta apply -node-id %s role=web", node(name))
	}
	c.t.Within(time.Minute, "the address is on lo of all web hosts", func() bool {
		for _, h := range c.Site.Site.Webs() {
			if ok, err := h.Has("lo", c.VIP.Addr()); err != nil || !ok {
				return false
			}
		}
		return true
	})
	c.sh("edgekeeper jobs run -var count=6 web")
	c.weights("w1", "w2", "w3", "w4", "w5", "w6")
	c.Served(30*time.Second, "web1", "web2", "web3", "web4", "web5", "web6")
}

// shift gives one server little, then nothing, and then all its share again.
func shift(c *cluster) {
	for _, weight := range []string{"0", "3"} {
		c.sh("consul kv put edgekeeper/weight/web/w1 %s", weight)
		c.WaitWeight(slow, "d1", "w1", int(weight[0]-'0'))
		from := time.Now()
		c.t.Sleep(3 * time.Second)
		shares := c.Load.Window(from, time.Now()).Shares()
		c.t.Measure("answers of six servers, web1 at weight "+weight, "web1 %d of %d", shares["web1"], total(shares))
		if one := shares["web1"]; weight == "0" && one != 0 || weight != "0" && one <= shares["web2"] {
			c.t.Errorf("with weight %s web1 answered %d times: %v", weight, one, shares)
		}
	}
	c.sh("consul kv delete edgekeeper/weight/web/w1")
	c.WaitWeight(slow, "d1", "w1", 1)
}

func total(shares map[string]int) (n int) {
	for _, v := range shares {
		n += v
	}
	return n
}

func scaleDown(c *cluster) {
	c.sh("edgekeeper jobs run -var count=2 web")
	c.Served(30*time.Second, c.serving()...)
}

// drainWeb: the server moves to another node, and the real-server agent stops
// last.
func drainWeb(c *cluster) {
	drained := c.serving()[0]
	host := "w" + strings.TrimPrefix(drained, "web")
	c.sh("nomad node drain -enable -yes %s", node(drained)) // waits until all has stopped
	c.Served(30*time.Second, c.serving()...)
	if ok, err := c.Host(host).Has("lo", c.VIP.Addr()); err != nil || ok || c.Weight("d1", host) > 0 {
		c.t.Errorf("%s is drained and has the address: %t, weight %d (%v)", host, ok, c.Weight("d1", host), err)
	}
	c.sh("nomad node drain -disable -yes %s", node(drained))
}

func drainMaster(c *cluster) {
	at := time.Now()
	c.sh("nomad node drain -enable -yes %s", node("lvs1"))
	c.Holder(time.Minute, "d2")
	c.t.Sleep(time.Second)
	c.t.Measure("longest wait of the client, drain of the master's node", "%s", ms(c.Load.Gap(at, time.Now())))
	c.t.Within(30*time.Second, "the poststop task cleanup ended with exit code 0", func() bool {
		ended, err := c.nomad.Logged("d1", `task=cleanup type=Terminated msg="Exit Code: 0"`)
		c.t.OK(err)
		return ended
	})
}

// upgrade: the address moves once, and both directors run the next release.
func upgrade(c *cluster) {
	before := len(c.Sampler.Changes())
	c.install(scenario.NextEdgekeeper)
	at := time.Now()
	out := c.sh("edgekeeper jobs upgrade 2>&1")
	c.Holder(time.Minute, "d2")
	c.t.Sleep(5 * time.Second) // and it stays there
	c.Holder(time.Second, "d2")
	moves := 0
	for _, change := range c.Sampler.Changes()[before:] {
		if change.Holds {
			moves++
		}
	}
	c.t.Measure("jobs upgrade", "%s, the address moved %d times, longest wait of the client %s", ms(time.Since(at)), moves, ms(c.Load.Gap(at, time.Now())))
	if moves != 1 || !strings.Contains(out, "VI_1 moved once: from lvs1 to lvs2") {
		c.t.Errorf("the address moved %d times:\n%s", moves, out)
	}
	for _, host := range []string{"d1", "d2"} {
		if _, release := c.director(host); release != "next" {
			c.t.Errorf("%s runs release %s", host, release)
		}
	}
}

// outages: nothing happens to the site without Nomad, without Consul, and
// without both.
func outages(c *cluster) {
	length := c.t.DurationParameter("LAB_NOMAD_OUTAGE", time.Minute)
	limit := func() (context.Context, context.CancelFunc) { return context.WithTimeout(c.t.Context(), 3*time.Minute) }
	first, _ := c.director("d1")
	second, _ := c.director("d2")
	webs := c.serving()
	steady := func() bool { return slices.Equal(c.enabled("d2"), webs) }
	killNomad := func() { c.t.OK(c.nomad.Kill()) }
	startNomad := func() {
		ctx, cancel := limit()
		defer cancel()
		c.t.OK(c.nomad.Restart(ctx))
		c.t.Within(2*time.Minute, "Nomad's clients have found their tasks again", func() bool {
			out, err := c.RunEnv(c.Mgmt(), c.env, "/bin/sh", "-c", "edgekeeper jobs status")
			return err == nil && strings.Count(out, "VI_1") == 2
		})
	}
	killConsul := func() { c.t.OK(c.consul.KillAgents()); c.t.OK(c.consul.Kill()) }
	// Agents first: a server that is alone deregisters, as leader, each node whose
	// agent it does not find, and a cluster of several servers is never alone.
	startConsuls := func() {
		ctx, cancel := limit()
		defer cancel()
		c.t.OK(c.consul.RestartAgents())
		startConsul(c.t, c.consul)
		c.t.OK(c.consul.Joined(ctx))
	}
	c.phase("Nomad is killed, and back", 0, func() {
		killNomad()
		c.t.Holds(length, "both web servers at weight 1", steady)
		startNomad()
	})
	c.phase("Consul is killed, and back", 0, func() {
		killConsul()
		c.t.Holds(length, "both web servers at weight 1", steady)
		startConsuls()
		c.t.Holds(5*time.Second, "both web servers at weight 1", steady)
	})
	c.phase("both are killed, and back", 0, func() {
		killNomad()
		killConsul()
		c.t.Holds(length, "both web servers at weight 1", steady)
		startConsuls()
		startNomad()
		c.t.Holds(5*time.Second, "both web servers at weight 1", steady)
	})
	for host, pid := range map[string]int{"d1": first, "d2": second} {
		if now, _ := c.director(host); now != pid {
			c.t.Errorf("the director on %s was started again: process %d, was %d", host, now, pid)
		}
	}
}

// stopAll leaves nothing behind.
func stopAll(c *cluster) {
	for _, job := range []string{"edgekeeper-director", "web", "edgekeeper-realserver"} {
		c.sh("edgekeeper jobs stop %s", job)
	}
	c.Nobody(time.Minute)
	for _, h := range c.Site.Directors() {
		if table, err := h.IPVS(); err != nil || len(table) != 0 {
			c.t.Errorf("%s still has an IPVS table: %+v, %v", h.Name, table, err)
		}
	}
	for _, h := range c.Site.Site.Webs() {
		if ok, err := h.Has("lo", c.VIP.Addr()); err != nil || ok {
			c.t.Errorf("%s still has the address on lo (%v)", h.Name, err)
		}
	}
}
