package config

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

// Tracker is something that is watched for the sake of virtual routers. Of
// Script, File, Process, Consul, Interface and VirtualServer exactly one is set.
type Tracker struct {
	Name string // kind and label: "script nginx"

	Script        *TrackScript
	File          *TrackFile
	Process       *TrackProcess
	Consul        *TrackConsul
	Interface     *TrackInterface
	VirtualServer string
}

// TrackScript is a program that is run at intervals.
type TrackScript struct {
	Command  []string // never empty
	Interval time.Duration
	Timeout  time.Duration
	Rise     int
	Fall     int
	User     string // empty: the director's
	InitFail bool
}

// TrackFile is a file with a number.
type TrackFile struct {
	Path    string
	Missing int
	Create  bool
}

// TrackProcess counts processes.
type TrackProcess struct {
	Process   string
	Arguments []string // nil: any
	Match     string   // exact, initial or partial
	Quorum    int
	QuorumMax int // -1: no limit
	UpDelay   time.Duration
	DownDelay time.Duration
	Interval  time.Duration
}

// TrackConsul is a service or a check in Consul.
type TrackConsul struct {
	Query        discovery.Query
	Check        string // of Query.Node; empty: a service
	Node         string // empty: any
	Tags         []string
	Passing      int
	AllowWarning bool
}

// TrackInterface is a network interface.
type TrackInterface struct {
	Name      string
	UpDelay   time.Duration
	DownDelay time.Duration
}

// Track is the use of a tracker by a virtual router.
type Track struct {
	Tracker string // Tracker.Name
	Use     vrrp.TrackUse
}

// trackerSet collects what is tracked while the blocks that use it are read.
type trackerSet struct {
	defined map[string]int // label of a definition to its place in all
	blocks  []*block       // where each of all was written, or first used
	used    []bool
	all     []Tracker
}

// trackers reads the definitions, once.
func (c *checker) trackers() *trackerSet {
	if c.tracking != nil {
		return c.tracking
	}
	c.tracking = &trackerSet{defined: map[string]int{}}
	for _, t := range trackDefinitions {
		for _, b := range c.root.all(t.name) {
			c.define(b)
		}
	}
	return c.tracking
}

func (c *checker) define(b *block) {
	s := c.tracking
	b.keyName(b.kind.name, b.label, b.header)
	if i, dup := s.defined[b.label]; dup {
		if s.blocks[i].kind != b.kind { // of one kind: said when the blocks were read
			b.addf(b.header, "%s has the name of %s at %s", b.name(), s.blocks[i].name(), place(s.blocks[i].header))
		}
		return
	}
	var t Tracker
	switch b.kind {
	case trackScriptType:
		t.Name, t.Script = "script "+b.label, trackScript(b)
	case trackFileType:
		t.Name, t.File = "file "+b.label, &TrackFile{Path: b.str("path"), Missing: int(b.num("missing")), Create: b.flag("create")}
		b.absolute("path", t.File.Path)
	case trackProcessType:
		t.Name, t.Process = "process "+b.label, trackProcess(b)
	case trackConsulType:
		t.Name, t.Consul = "consul "+b.label, c.trackConsul(b)
	}
	s.defined[b.label] = s.add(t, b, false)
}

func (s *trackerSet) add(t Tracker, b *block, used bool) int {
	s.all, s.blocks, s.used = append(s.all, t), append(s.blocks, b), append(s.used, used)
	return len(s.all) - 1
}

func trackScript(b *block) *TrackScript {
	s := &TrackScript{
		Command: plain(b.list("command")), Interval: b.dur("interval"), Timeout: b.dur("timeout"),
		Rise: int(b.num("rise")), Fall: int(b.num("fall")), User: b.str("user"), InitFail: b.flag("init_fail"),
	}
	if !b.written("timeout") {
		s.Timeout = s.Interval
	}
	switch {
	case b.written("command") && b.written("shell"):
		b.addf(b.where("shell"), "command and shell exclude each other")
	case b.written("shell"):
		s.Command = []string{"/bin/sh", "-c", b.str("shell")}
	case !b.written("command") && !b.bad("command") && !b.bad("shell"):
		b.addf(b.header, "%s needs one of command and shell", b.name())
	default:
		b.program("command")
	}
	return s
}

func trackProcess(b *block) *TrackProcess {
	p := &TrackProcess{
		Process: b.str("process"), Arguments: plain(b.list("arguments")), Match: b.str("arguments_match"),
		Quorum: int(b.num("quorum")), QuorumMax: int(b.num("quorum_max")),
		UpDelay: b.dur("up_delay"), DownDelay: b.dur("down_delay"), Interval: b.dur("interval"),
	}
	if b.written("arguments") && len(p.Arguments) == 0 {
		b.addf(b.where("arguments"), "arguments is empty; leave it out for any")
	}
	if b.written("arguments_match") && !b.written("arguments") && !b.bad("arguments") {
		b.addf(b.where("arguments_match"), "arguments_match has no effect without arguments")
	}
	switch {
	case b.bad("quorum") || b.bad("quorum_max"):
	case !b.written("quorum_max"):
		p.QuorumMax = -1
		if p.Quorum == 0 {
			b.addf(b.where("quorum"), "quorum is 0: the tracker is always up; with quorum_max = 0 it is up while no process runs")
		}
	case p.QuorumMax < p.Quorum:
		b.addf(b.where("quorum_max"), "quorum_max is %d, which is below quorum (%d)", p.QuorumMax, p.Quorum)
	}
	return p
}

func (c *checker) trackConsul(b *block) *TrackConsul {
	t := &TrackConsul{
		Query: discovery.Query{Source: discovery.Consul, Service: b.str("service"), Datacenter: b.str("datacenter")},
		Check: b.str("check"), Node: b.str("node"), Tags: plain(b.list("tags")), Passing: int(b.num("passing")), AllowWarning: b.flag("allow_warning"),
	}
	if !c.sources().consul {
		b.addf(b.header, "%s needs Consul, but there is no consul block and CONSUL_HTTP_ADDR is not set", b.name())
	}
	switch {
	case b.bad("service") || b.bad("check"):
	case b.written("service") && b.written("check"):
		b.addf(b.where("check"), "service and check exclude each other: of a service all checks count")
	case b.written("service"):
		return t
	case !b.written("check"):
		b.addf(b.header, "%s needs one of service and check", b.name())
	case !b.written("node") && !b.bad("node"):
		b.addf(b.header, "%s needs node: a check is a node's", b.name())
	default:
		t.Query.Node = t.Node
		for _, name := range []string{"tags", "passing"} {
			if b.written(name) {
				b.addf(b.where(name), "%s is for a service, %s is a check", name, b.name())
			}
		}
	}
	return t
}

// tracks reads the blocks of trackUses within b. priority is that of the router,
// and own the interface that it tracks anyway; of a group both are zero.
func (c *checker) tracks(b *block, priority uint8, own string) []Track {
	s := c.trackers()
	var out []Track
	use := func(u *block, i int) {
		s.used[i] = true
		t := Track{Tracker: s.all[i].Name, Use: vrrp.TrackUse{Weight: int(u.num("weight")), Reverse: u.flag("reverse")}}
		if t.Use.Weight != 0 && priority == vrrp.PriorityOwner {
			u.addf(u.where("weight"), "weight has no effect: priority 255 owns the addresses and is not shifted; leave weight out for a fault")
		}
		out = append(out, t)
	}
	for _, u := range b.all("track") {
		i, ok := s.defined[u.label]
		if !ok {
			u.addf(u.header, "track: there is no track_script, track_file, track_process or track_consul %q%s", u.label, suggest(u.label, s.names()))
			continue
		}
		use(u, i)
	}
	for _, u := range b.all("track_interface") {
		u.interfaceName("track_interface", u.label, u.header)
		if own != "" && u.label == own {
			u.addf(u.header, "track_interface: %q is the router's own interface, which is tracked anyway; track_own_interface = false leaves it to this block", own)
		}
		use(u, s.derived(u, Tracker{Name: "interface " + u.label, Interface: &TrackInterface{Name: u.label, UpDelay: u.dur("up_delay"), DownDelay: u.dur("down_delay")}}))
	}
	for _, u := range b.all("track_virtual_server") {
		if !slices.ContainsFunc(c.root.all("virtual_server"), func(v *block) bool { return v.label == u.label }) {
			u.addf(u.header, "track_virtual_server: there is no virtual_server %q", u.label)
		}
		use(u, s.derived(u, Tracker{Name: "virtual_server " + u.label, VirtualServer: u.label}))
	}
	return out
}

// derived finds a tracker that is defined by its use, or adds it.
func (s *trackerSet) derived(u *block, t Tracker) int {
	i := slices.IndexFunc(s.all, func(o Tracker) bool { return o.Name == t.Name })
	if i < 0 {
		return s.add(t, u, true)
	}
	if t.Interface != nil && *s.all[i].Interface != *t.Interface {
		at := hcl.Range{}
		for _, name := range []string{"down_delay", "up_delay"} {
			if at = u.where(name); u.written(name) {
				break
			}
		}
		u.addf(at, "%s has other delays here than at %s", u.name(), place(s.blocks[i].header))
	}
	return i
}

func (s *trackerSet) names() []string {
	var out []string
	for name := range s.defined {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// inherit gives a member what its group tracks as well. What both use, the
// member uses in its own way.
func inherit(member, group []Track) []Track {
	for _, t := range group {
		if !slices.ContainsFunc(member, func(m Track) bool { return m.Tracker == t.Tracker }) {
			member = append(member, t)
		}
	}
	return member
}

// tracked gives all trackers, when every block that may use one was read.
func (c *checker) tracked() []Tracker {
	s := c.trackers()
	for i, b := range s.blocks {
		if !s.used[i] {
			b.addf(b.header, "%s is not used; a track %q block in a vrrp or sync_group block does that", b.name(), b.label)
		}
	}
	return s.all
}
