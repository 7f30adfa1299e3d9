package config

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

var checkTypes = map[string]discovery.CheckType{
	"tcp": discovery.TCP, "http": discovery.HTTP, "https": discovery.HTTP, "grpc": discovery.GRPC, "dns": discovery.DNS, "smtp": discovery.SMTP,
	"udp": discovery.UDP, "icmp": discovery.ICMP, "redis": discovery.Redis, "postgres": discovery.Postgres, "mysql": discovery.MySQL,
	"exec": discovery.Exec, "file": discovery.NumberFile, "vip": discovery.VIP,
}

// checked is what checks are made of: a pool, or one real server.
type checked struct {
	methods  []lvs.Forward // in which packets get there
	portless bool          // there is a real server without a port
}

// poolOf is what the checks of a whole pool are made of, as far as it is written.
func poolOf(s *discovery.Spec) checked {
	of := checked{[]lvs.Forward{s.Forward}, portless(s)}
	for _, r := range s.Servers {
		of.methods = append(of.methods, r.Forward)
	}
	return of
}

// checks takes the check blocks of a pool, or of a real server.
func (c *checker) checks(b *block, s *discovery.Spec, of checked) []discovery.CheckSpec {
	var out []discovery.CheckSpec
	var from []*block
	for _, k := range b.all("check") {
		spec := c.check(k, s, of)
		for i, other := range out {
			if other == spec {
				k.addf(k.header, "%s is the same as the one at %s", k.name(), place(from[i].header))
				break
			}
		}
		out, from = append(out, spec), append(from, k)
	}
	return out
}

func (c *checker) check(k *block, s *discovery.Spec, of checked) discovery.CheckSpec {
	spec := discovery.CheckSpec{
		Type:       checkTypes[k.label],
		Interval:   k.dur("interval"),
		Jitter:     k.dur("jitter"),
		Timeout:    k.dur("timeout"),
		Retries:    int(k.num("retries")),
		RetryDelay: k.dur("retry_delay"),
		Rise:       int(k.num("rise")),
		Port:       uint16(k.num("port")),
		Mark:       uint32(k.num("mark")),
	}
	switch k.str("initial") {
	case "up":
		spec.Initial = discovery.Up
	case "down":
		spec.Initial = discovery.Down
	}
	if spec.Timeout > spec.Interval && !k.bad("interval") && !k.bad("timeout") {
		at := k.where("timeout")
		if !k.written("timeout") {
			at = k.where("interval")
		}
		k.addf(at, "timeout %s is longer than interval %s: attempts would overlap", short(spec.Timeout), short(spec.Interval))
	}
	if spec.Type != discovery.VIP && spec.Port == 0 && spec.Connects() && identified(s) && of.portless && !k.bad("port") {
		k.addf(k.header, "%s needs port: the virtual server is for more than one, and its real servers have none", k.name())
	}
	if spec.Type == discovery.VIP {
		c.virtualAddressOf(k, s, of, &spec)
	}
	c.addresses(k, s, &spec)
	switch spec.Type {
	case discovery.HTTP:
		c.request(k, &spec)
	case discovery.TCP, discovery.UDP:
		c.payload(k, &spec)
	case discovery.GRPC:
		spec.GRPC = discovery.GRPCSpec{Service: k.str("service"), Host: k.hostName()}
	case discovery.DNS:
		c.question(k, &spec.DNS)
	case discovery.SMTP:
		if spec.Helo = k.str("helo"); strings.ContainsAny(spec.Helo, " \t") {
			k.addf(k.where("helo"), "helo: %q is no host name", spec.Helo)
		}
	case discovery.Exec:
		c.execute(k, &spec.Exec)
	case discovery.NumberFile:
		c.numberFile(k, &spec.File)
	case discovery.Redis, discovery.Postgres, discovery.MySQL:
		c.login(k, &spec)
	case discovery.ICMP, discovery.VIP: // have nothing more of their own
	}
	c.checkTLS(k, &spec)
	return spec
}

// addresses takes where a check comes from, and where it goes.
func (c *checker) addresses(k *block, s *discovery.Spec, spec *discovery.CheckSpec) {
	take := func(name string) (ok bool) {
		if !k.written(name) {
			return false
		}
		a, ok := k.address(name, k.str(name), k.where(name))
		if ok && name == "address" {
			spec.Addr = a
		} else if ok {
			spec.Source = a
		}
		return ok
	}
	take("address")
	if !take("source_address") {
		return
	}
	// Where packets are tunnelled the real servers may be of either family.
	at := k.where("source_address")
	switch {
	case spec.VIP.Addr.IsValid():
		if !sameFamily(spec.VIP.Addr, spec.Source) {
			k.addf(at, "source_address is %s, the virtual address is %s", family(spec.Source), family(spec.VIP.Addr))
		}
	case spec.Addr.IsValid() && !sameFamily(spec.Addr, spec.Source):
		k.addf(at, "source_address is %s, address is %s", family(spec.Source), family(spec.Addr))
	case !spec.Addr.IsValid() && s.Forward != lvs.TUN && identified(s) && spec.Source.Is4() == s.Service.IPv6():
		k.addf(at, "source_address is %s, the virtual server is %s", family(spec.Source), familyName(s.Service.IPv6()))
	}
}

// pattern takes a regular expression.
func (b *block) pattern(name string) string {
	text := b.str(name)
	if _, err := regexp.Compile(text); err != nil {
		b.addf(b.where(name), "%s: %v", name, err)
	}
	return text
}

// payload takes what is sent and what must come back.
func (c *checker) payload(k *block, spec *discovery.CheckSpec) {
	p := &spec.Payload
	p.Send, p.Expect = k.str("send"), k.pattern("expect")
	if k.written("send_hex") {
		raw, err := hex.DecodeString(strings.ReplaceAll(k.str("send_hex"), " ", ""))
		switch {
		case err != nil:
			k.addf(k.where("send_hex"), "send_hex: %q is not hexadecimal, two digits for each byte", k.str("send_hex"))
		case k.written("send"):
			k.addf(k.where("send_hex"), "send and send_hex exclude each other")
		}
		p.Send = string(raw)
	}
	if k.written("expect_hex") {
		p.ExpectHex = strings.ToLower(strings.ReplaceAll(k.str("expect_hex"), " ", ""))
		if _, err := hex.DecodeString(strings.ReplaceAll(p.ExpectHex, "x", "0")); err != nil {
			k.addf(k.where("expect_hex"), "expect_hex: %q is not hexadecimal, two digits for each byte, x for any", k.str("expect_hex"))
		}
	}
}
