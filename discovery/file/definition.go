package file

import (
	"bytes"
	"cmp"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// definition is one service of a file.
type definition struct {
	at pos
	discovery.Instance
}

// Keys of Consul's service and check definitions (agent/config.ServiceDefinition
// and CheckDefinition of Consul 1.22), in canonical form. Those that are not
// read here are for a Consul agent only.
var (
	serviceKeys = keys(`kind id name tags address tagged_addresses meta port ports socket_path check checks
		token weights enable_tag_override proxy connect locality namespace partition`)
	checkKeys = keys(`id name notes service_id token status args script_args http header method body disable_redirects
		output_max_size tcp tcp_use_tls udp interval docker_container_id shell grpc grpc_use_tls tls_server_name
		tls_skip_verify alias_node alias_service timeout ttl h2ping h2ping_use_tls os_service success_before_passing
		failures_before_warning failures_before_critical deregister_critical_service_after namespace partition
		check_id script`)
	weightKeys = keys(`passing warning`)
)

func keys(names string) map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		m[canonical(name)] = true
	}
	return m
}

// parse reads one file. The error joins every mistake, each with its place.
func parse(name string, data []byte) ([]definition, error) {
	top := pos{name, 1, 1}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, top.errorf("the file is empty; remove it to take its services away")
	}
	var (
		root *node
		err  error
	)
	if filepath.Ext(name) == ".json" {
		root, err = parseJSON(name, data)
	} else {
		root, err = parseHCL(name, data)
	}
	if err != nil {
		return nil, err
	}

	r := &reader{node: strings.TrimSuffix(name, filepath.Ext(name))}
	var services []service
	var checks []check
	for _, m := range root.members {
		switch canonical(m.key) {
		case "nodename":
			if v := r.string(m); v != "" {
				r.node = v
			}
		case "service", "services":
			for _, n := range r.objects(m) {
				services = append(services, r.service(n))
			}
		case "check", "checks":
			for _, n := range r.objects(m) {
				checks = append(checks, r.check(n))
			}
		}
	}
	defs := r.combine(services, checks)
	if err := r.errs.err(); err != nil {
		return nil, err
	}
	return defs, nil
}

// reader turns nodes into definitions and gathers mistakes.
type reader struct {
	node string
	errs errs
}

type service struct {
	definition
	checks []check
}

type check struct {
	at              pos
	id, name, notes string
	serviceID       string
	state           discovery.State
}

// combine joins services with the checks at the top of the file.
func (r *reader) combine(services []service, checks []check) []definition {
	seen := make(map[string]pos)
	var defs []definition
	for _, s := range services {
		if first, ok := seen[s.ID]; ok {
			r.errs.add(s.at, "service id %q stands in line %d already", s.ID, first.line)
			continue
		}
		seen[s.ID] = s.at
		s.Node = r.node
		for _, c := range append(s.checks, checks...) {
			if c.serviceID != "" && c.serviceID != s.ID {
				continue
			}
			if c.state > s.State {
				s.State, s.Reason = c.state, "check "+cmp.Or(c.name, c.id, c.state.String())
				if c.notes != "" {
					s.Reason += ": " + c.notes
				}
			}
		}
		defs = append(defs, s.definition)
	}
	for _, c := range checks {
		if _, ok := seen[c.serviceID]; c.serviceID != "" && !ok {
			r.errs.add(c.at, "check of service id %q, which this file does not define", c.serviceID)
		}
	}
	return defs
}

func (r *reader) service(n *node) service {
	s := service{definition: definition{at: n.at}}
	s.Weights = discovery.Weights{Passing: 1, Warning: 1} // as Consul fills them in
	address := ""
	addressAt := n.at
	for m := range r.members(n, "service", serviceKeys) {
		switch canonical(m.key) {
		case "name":
			s.Service = r.string(m)
		case "id":
			s.ID = r.string(m)
		case "tags":
			s.Tags = r.strings(m)
		case "meta":
			s.Meta = r.stringMap(m)
		case "address":
			address, addressAt = r.string(m), m.val.at
		case "port":
			p := r.int(m, 0, 65535)
			s.Addr = netip.AddrPortFrom(netip.Addr{}, uint16(p))
		case "weights":
			s.Weights = r.weights(m)
		case "check", "checks":
			for _, c := range r.objects(m) {
				s.checks = append(s.checks, r.check(c))
			}
		}
	}
	if s.Service == "" {
		r.errs.add(n.at, "service without a name")
	}
	s.ID = cmp.Or(s.ID, s.Service)
	for i := range s.checks {
		s.checks[i].serviceID = s.ID
	}
	switch addr, err := netip.ParseAddr(address); {
	case address == "":
		r.errs.add(n.at, "service %q has no address; there is no agent whose address could stand in", s.Service)
	case err != nil:
		r.errs.add(addressAt, "address %q is not an IP address", address)
	default:
		s.Addr = netip.AddrPortFrom(addr.Unmap(), s.Addr.Port())
	}
	return s
}

func (r *reader) weights(m member) discovery.Weights {
	w := discovery.Weights{Passing: 1, Warning: 1}
	for _, n := range r.objects(m) {
		for m := range r.members(n, "weights", weightKeys) {
			switch canonical(m.key) {
			case "passing":
				w.Passing = r.int(m, 1, 65535)
			case "warning":
				w.Warning = r.int(m, 0, 65535)
			}
		}
	}
	return w
}

func (r *reader) check(n *node) check {
	c := check{at: n.at}
	for m := range r.members(n, "check", checkKeys) {
		switch canonical(m.key) {
		case "id", "checkid":
			c.id = r.string(m)
		case "name":
			c.name = r.string(m)
		case "notes":
			c.notes = r.string(m)
		case "serviceid":
			c.serviceID = r.string(m)
		case "status":
			switch v := r.string(m); v {
			case "", "passing":
			case "warning":
				c.state = discovery.Warning
			case "critical":
				c.state = discovery.Critical
			default:
				r.errs.add(m.val.at, "status %q is none of passing, warning, critical", v)
			}
		}
	}
	if c.id == "_node_maintenance" || strings.HasPrefix(c.id, "_service_maintenance:") {
		c.state = discovery.Maintenance
		if id := strings.TrimPrefix(c.id, "_service_maintenance:"); id != c.id && c.serviceID == "" {
			c.serviceID = id
		}
		c.name = cmp.Or(c.name, "maintenance")
	}
	return c
}

// members gives the members of an object; a key that Consul does not know, or
// one that stands twice, is a mistake.
func (r *reader) members(n *node, what string, known map[string]bool) func(func(member) bool) {
	return func(yield func(member) bool) {
		seen := make(map[string]pos)
		for _, m := range n.members {
			key := canonical(m.key)
			if !known[key] {
				r.errs.add(m.at, "unknown key %q in %s", m.key, what)
				continue
			}
			// HCL writes a list as repeated blocks.
			if first, ok := seen[key]; ok && key != "check" && key != "checks" {
				r.errs.add(m.at, "key %q stands in line %d already", m.key, first.line)
				continue
			}
			seen[key] = m.at
			if m.val.kind == null {
				continue
			}
			if !yield(m) {
				return
			}
		}
	}
}

// objects gives one object or a list of them.
func (r *reader) objects(m member) []*node {
	switch m.val.kind {
	case null:
		return nil
	case object:
		return []*node{m.val}
	case list:
		for _, n := range m.val.list {
			if n.kind != object {
				r.errs.add(n.at, "%s: expected an object, found %s", m.key, n.kind)
				return nil
			}
		}
		return m.val.list
	case boolean, number, text:
	}
	r.errs.add(m.val.at, "%s: expected an object, found %s", m.key, m.val.kind)
	return nil
}

func (r *reader) string(m member) string {
	if m.val.kind != text {
		r.errs.add(m.val.at, "%s: expected a string, found %s", m.key, m.val.kind)
		return ""
	}
	return m.val.text
}

func (r *reader) strings(m member) []string {
	if m.val.kind != list {
		r.errs.add(m.val.at, "%s: expected a list, found %s", m.key, m.val.kind)
		return nil
	}
	var all []string
	for _, n := range m.val.list {
		all = append(all, r.string(member{n.at, m.key, n}))
	}
	return all
}

func (r *reader) stringMap(m member) map[string]string {
	if m.val.kind != object {
		r.errs.add(m.val.at, "%s: expected an object, found %s", m.key, m.val.kind)
		return nil
	}
	all := make(map[string]string)
	for _, e := range m.val.members {
		all[e.key] = r.string(e)
	}
	return all
}

func (r *reader) int(m member, least, most int) int {
	if m.val.kind != number {
		r.errs.add(m.val.at, "%s: expected a number, found %s", m.key, m.val.kind)
		return least
	}
	v, err := strconv.Atoi(m.val.text)
	if err != nil || v < least || v > most {
		r.errs.add(m.val.at, "%s: %s is not a whole number from %d to %d", m.key, m.val.text, least, most)
		return least
	}
	return v
}
