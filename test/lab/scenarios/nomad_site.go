package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgekeeper/edgekeeper/test/lab/catalog"
	"github.com/edgekeeper/edgekeeper/test/lab/scenario"
	"github.com/edgekeeper/edgekeeper/test/lab/site"
)

func init() {
	scenario.Register(scenario.Scenario{
		Name: "nomad-days", Doc: "the ten commands of docs/nomad.md bring up a serving site; then everything that is done to one, with traffic, and each request that is lost counted",
		Needs: []scenario.Need{scenario.Edgekeeper, scenario.NextEdgekeeper, scenario.Nomad, scenario.Consul}, Limit: 25 * time.Minute, Extra: true, Run: nomadDays,
	})
}

// cluster is a site of six web hosts with Consul and Nomad, and the shell of
// whoever runs it.
type cluster struct {
	*scenario.Site
	t       *scenario.T
	consul  *catalog.Consul
	nomad   *catalog.Nomad
	env     []string
	program string // path of edgekeeper on every host
	phases  []nomadPhase
	use     site.Use // at the end of the phase before
}

// Web servers run on two of these three nodes, but for the time of scaling.
var (
	webNodes   = []string{"w1", "w2", "w3"}
	extraNodes = []string{"w4", "w5", "w6"}
)

func hosts(s *scenario.Site, names []string) (list []*site.Host) {
	for _, name := range names {
		list = append(list, s.Host(name))
	}
	return list
}

func newCluster(t *scenario.T) *cluster {
	t.PollEvery(100 * time.Millisecond)
	s := t.Site(site.Options{Webs: 6, Sample: addressSample, Aside: true})
	c, err := catalog.NewConsul(s.Site, t.Binary(scenario.Consul), filepath.Join(s.Temp(), "consul"))
	t.OK(err)
	startConsul(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	t.OK(c.StartAgents(ctx, hosts(s, webNodes)...))
	n := nomad(t, s, true, func(n *catalog.Nomad) { n.Bare = true }, slices.Concat(s.Directors(), hosts(s, webNodes))...)
	out := &cluster{Site: s, t: t, consul: c, nomad: n, program: filepath.Join(s.Temp(), "bin", "edgekeeper"), env: []string{
		"NOMAD_ADDR=" + n.Address(), "NOMAD_CLI_NO_COLOR=1", "CONSUL_HTTP_ADDR=" + c.Address(),
		"PATH=" + strings.Join([]string{filepath.Dir(t.Binary(scenario.Edgekeeper)), filepath.Dir(n.Binary), filepath.Dir(c.Binary), os.Getenv("PATH")}, ":"),
		// What differs in the lab from a site where the defaults fit.
		"NOMAD_VAR_binary=" + filepath.Join(s.Temp(), "bin", "edgekeeper"), "NOMAD_VAR_consul=" + c.Address(), "NOMAD_VAR_address=${meta.site_address}",
		"NOMAD_VAR_command=" + t.Lab(), `NOMAD_VAR_args=["web","-name","$${node.unique.name}"]`,
	}}
	out.install(scenario.Edgekeeper)
	return out
}

// install puts a release of edgekeeper where the jobs find it, as a package
// would.
func (c *cluster) install(release scenario.Need) {
	c.t.OK(os.MkdirAll(filepath.Dir(c.program), 0o755))
	c.t.OK(os.Symlink(c.t.Binary(release), c.program+".new"))
	c.t.OK(os.Rename(c.program+".new", c.program))
}

// sh runs a line of a shell, which has to succeed, on the management host; curl
// is for the site's client.
func (c *cluster) sh(format string, args ...any) string {
	line, host := fmt.Sprintf(format, args...), c.Mgmt()
	if strings.HasPrefix(line, "curl ") {
		host = c.Client()
	}
	began := time.Now()
	out, err := c.RunWithin(4*time.Minute, host, c.env, "/bin/sh", "-c", line)
	c.t.Logf("$ %s   (%s)\n%s", line, ms(time.Since(began)), out)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// node is the id of a node in Nomad, to be put into a line for sh.
func node(name string) string {
	return `"$(nomad node status -quiet -filter 'Name == "` + name + `"')"`
}

// weights waits until director 1 serves exactly the named web hosts.
func (c *cluster) weights(webs ...string) {
	for _, h := range c.Site.Site.Webs() {
		if slices.Contains(webs, h.Name) {
			c.WaitWeight(time.Minute, "d1", h.Name, 1)
			continue
		}
		c.t.Within(time.Minute, "director 1 gives "+h.Name+" nothing", func() bool { return c.Weight("d1", h.Name) <= 0 })
	}
}

// enabled lists the web servers that a director gives connections, as they call
// themselves.
func (c *cluster) enabled(director string) (webs []string) {
	table, err := c.Host(director).IPVS()
	c.t.OK(err)
	for _, h := range c.Site.Site.Webs() {
		for _, service := range table {
			if slices.ContainsFunc(service.Dests, func(d site.Dest) bool { return d.Addr == c.Real(h.Name) && d.Weight > 0 }) {
				webs = append(webs, "web"+h.Name[1:])
			}
		}
	}
	return webs
}

// serving waits until both directors have two web servers, the same.
func (c *cluster) serving() (webs []string) {
	c.t.Within(time.Minute, "both directors serve two web servers", func() bool {
		webs = c.enabled("d1")
		return len(webs) == 2 && slices.Equal(webs, c.enabled("d2"))
	})
	return webs
}

// director is the process id of a director of a director, and its release.
func (c *cluster) director(host string) (pid int, release string) {
	out, err := c.Run(c.Host(host), c.t.Binary(scenario.Edgekeeper), "status", "-json")
	c.t.OK(err)
	var s struct {
		PID     int    `json:"pid"`
		Version string `json:"version"`
	}
	c.t.OK(json.Unmarshal([]byte(out), &s))
	release, _, _ = strings.Cut(s.Version, " ")
	return s.PID, release
}

// documented returns the commands of the first shell block of docs/nomad.md.
func documented(t *scenario.T) []string {
	text, err := os.ReadFile("docs/nomad.md")
	t.OK(err)
	_, rest, _ := strings.Cut(string(text), "\n```sh\n")
	block, _, closed := strings.Cut(rest, "\n```\n")
	if !closed {
		t.Fatalf("docs/nomad.md has no shell block")
	}
	var out []string
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
