package migrate

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// script is a vrrp_script.
type script struct {
	block    *node
	weight   int
	reverse  bool
	used     bool
	original string
}

// trackFile is a track_file, for vrrp_instances and FILE_CHECKs.
type trackFile struct {
	block    *node
	weight   int
	reverse  bool
	used     bool
	checked  bool // by a FILE_CHECK
	original string
}

// delays are those of interface_up_down_delays.
type delays struct {
	at       position
	down, up time.Duration
	used     bool
}

// pace is what a garp_group says of an interface.
type pace struct {
	at       position
	arp, gna *time.Duration
}

func (t *translator) vrrpScript(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	if t.scripts[name] != nil {
		t.differ(s.At, "vrrp_script %s is already defined; this one is left out, as by keepalived", name)
		return
	}
	sc := &script{block: &node{kind: "track_script", labels: []string{t.trackerName(s.At, name)}, at: s.At}, original: name}
	b, user := sc.block, ""
	t.each("vrrp_script", s.Block, words{
		"script": func(s statement) {
			if argv, _, ok := t.command(s); ok {
				b.set(s.At, "command", argv)
			}
		},
		"interval": t.scriptTime(b, "interval"), "timeout": t.scriptTime(b, "timeout"),
		"weight": func(s statement) {
			if n, ok := t.integer(s, 1, -253, 253); ok {
				sc.weight, sc.reverse = n, s.Arg(2) == "reverse"
			}
		},
		"rise": t.scriptCount(b, "rise"), "fall": t.scriptCount(b, "fall"),
		"user": func(s statement) { user = strings.Join(s.Args(), ":") },
		"init_fail": func(s statement) {
			if on, ok := t.flag(s); ok && on {
				b.set(s.At, "init_fail", true)
			}
		},
	})
	if b.has("command") == nil {
		t.errorf(s.At, "vrrp_script %s has no script", name)
		return
	}
	if user == "" {
		user, _ = t.global.instance["script_user"].(string)
	}
	if user == "" {
		t.once(s.At, "script_user", "vrrp_script %s: keepalived runs scripts as the user keepalived_script where there is one; edgekeeper runs them as its own user unless script_user or user says otherwise", name)
	} else {
		b.set(s.At, "user", user)
	}
	t.scripts[name] = sc
}

func (t *translator) scriptTime(b *node, name string) func(statement) {
	return func(s statement) {
		d, ok := t.seconds(s, 1)
		if !ok {
			return
		}
		if d < 10*time.Millisecond {
			t.differ(s.At, "%s: %s is less than 10ms; it is 10ms", s.Name(), d)
			d = 10 * time.Millisecond
		}
		b.set(s.At, name, t.clock(s, d))
	}
}

func (t *translator) scriptCount(b *node, name string) func(statement) {
	return func(s statement) {
		if n, ok := t.integer(s, 1, 1, 1<<31-1); ok {
			b.set(s.At, name, n)
		}
	}
}

// trackerName gives a tracker a name that no other has: keepalived has a set of
// names for each kind.
func (t *translator) trackerName(at position, name string) string {
	name = t.clean(at, "tracker", name)
	for n, base := 2, name; ; n++ {
		taken := false
		for _, s := range t.scripts {
			taken = taken || s.block.labels[0] == name
		}
		for _, f := range t.files {
			taken = taken || f.block.labels[0] == name
		}
		for _, p := range t.procs {
			taken = taken || p.labels[0] == name
		}
		if !taken {
			return name
		}
		name = base + "-" + strconv.Itoa(n)
	}
}

func (t *translator) trackFile(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	f := &trackFile{block: &node{kind: "track_file", labels: []string{t.trackerName(s.At, name)}, at: s.At}, weight: 1, original: name}
	t.each(s.Name(), s.Block, words{
		"file": func(s statement) {
			if v, ok := t.one(s); ok {
				f.block.set(s.At, "path", v)
			}
		},
		"weight": func(s statement) {
			if n, ok := t.integer(s, 1, -254, 254); ok {
				f.weight, f.reverse = n, s.Arg(2) == "reverse"
			}
		},
		"init_file": func(s statement) {
			f.block.set(s.At, "create", true)
			for i := 1; i < len(s.Words); i++ {
				if s.Arg(i) == "overwrite" {
					t.differ(s.At, "init_file: a file that is there keeps its number; it is not overwritten")
				} else if n, ok := t.integer(s, i, -1<<31+1, 1<<31-1); ok {
					f.block.set(s.At, "missing", n)
				}
			}
		},
	})
	path, _ := f.block.has("path").(string)
	switch {
	case path == "":
		t.errorf(s.At, "%s %s has no file", s.Name(), name)
		return
	case !strings.HasPrefix(path, "/"):
		t.errorf(s.At, "%s %s: %q is not an absolute path", s.Name(), name, path)
		return
	}
	t.files[name] = f
}

func (t *translator) trackProcess(s statement) {
	name, ok := t.one(s)
	if !ok {
		return
	}
	b := &node{kind: "track_process", labels: []string{t.trackerName(s.At, name)}, at: s.At}
	wait := func(names ...string) func(statement) {
		return func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				for _, n := range names {
					b.set(s.At, n, t.clock(s, d))
				}
			}
		}
	}
	t.each("vrrp_track_process", s.Block, words{
		"process": func(s statement) {
			if v, ok := t.one(s); ok {
				b.set(s.At, "process", v)
				if args := s.Words[2:]; len(args) > 0 {
					b.set(s.At, "arguments", slices.Clone(args))
				}
			}
		},
		"param_match": func(s statement) {
			switch s.Arg(1) {
			case "exact", "initial", "partial":
				b.set(s.At, "arguments_match", s.Arg(1))
			default:
				t.bad(s, 1, "exact, partial or initial")
			}
		},
		"weight": func(s statement) {
			if n, ok := t.integer(s, 1, -254, 254); ok {
				t.procWeight(name, n, s.Arg(2) == "reverse")
			}
		},
		"quorum": t.scriptQuorum(b, "quorum"), "quorum_max": t.scriptQuorum(b, "quorum_max"),
		"delay": wait("up_delay", "down_delay"), "fork_delay": wait("up_delay"), "terminate_delay": wait("down_delay"),
		"full_command": func(statement) {}, // the whole command line is looked at always
	})
	switch {
	case b.has("process") == nil:
		t.errorf(s.At, "vrrp_track_process %s has no process", name)
		return
	case b.has("arguments") == nil && b.unset("arguments_match"):
		t.differ(s.At, "vrrp_track_process %s: param_match without parameters means a process with none; edgekeeper takes any", name)
	}
	if q, m := b.has("quorum"), b.has("quorum_max"); q == 0 && m == nil {
		b.unset("quorum")
		t.differ(s.At, "vrrp_track_process %s: quorum 0 is always met; it is 1", name)
	} else if m != nil {
		need := 1
		if q != nil {
			need = q.(int)
		}
		if m.(int) < need {
			t.errorf(s.At, "vrrp_track_process %s: quorum_max is below quorum", name)
			return
		}
	}
	t.procs[name] = b
}

func (t *translator) scriptQuorum(b *node, name string) func(statement) {
	return func(s statement) {
		if n, ok := t.integer(s, 1, 0, 65535); ok {
			b.set(s.At, name, n)
		}
	}
}

// interfaceDelays takes interface_up_down_delays: `IF down [up]`, a line each.
func (t *translator) interfaceDelays(list []statement) {
	for _, s := range list {
		down, ok := t.seconds(s, 1)
		up := down
		if ok && s.Arg(2) != "" {
			up, ok = t.seconds(s, 2)
		}
		if ok {
			t.delays[s.Name()] = delays{at: s.At, down: t.clock(s, down), up: t.clock(s, up)}
		}
	}
}

// garpGroup takes the pace of announcements on some interfaces.
func (t *translator) garpGroup(s statement) {
	p, names := pace{at: s.At}, []string{}
	read := func(to **time.Duration) func(statement) {
		return func(s statement) {
			if d, ok := t.seconds(s, 1); ok {
				*to = &d
			}
		}
	}
	t.each("garp_group", s.Block, words{
		"garp_interval": read(&p.arp), "gna_interval": read(&p.gna),
		"interface":  func(s statement) { names = append(names, s.Args()...) },
		"interfaces": func(s statement) { names = append(names, append(slices.Clone(s.Args()), values(s)...)...) },
	})
	if len(names) > 1 {
		t.differ(s.At, "garp_group: each interface is paced by itself, not all of them together")
	}
	for _, n := range names {
		t.pace[n] = p
	}
}
