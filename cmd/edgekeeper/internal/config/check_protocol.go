package config

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// checkUser is who a database is told that we are.
const checkUser = "edgekeeper"

// dnsTypes are the types of record that can be asked for.
var dnsTypes = []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"}

var dnsNumbers = []dnsmessage.Type{
	dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME, dnsmessage.TypeMX, dnsmessage.TypeNS, dnsmessage.TypePTR, dnsmessage.TypeSOA,
	dnsmessage.TypeSRV, dnsmessage.TypeTXT,
}

// question takes the arguments of a dns check.
func (c *checker) question(k *block, q *discovery.DNSSpec) {
	*q = discovery.DNSSpec{Name: k.str("name"), Answer: k.pattern("answer"), TCP: k.flag("dns_tcp")}
	if !strings.HasSuffix(q.Name, ".") {
		q.Name += "."
	}
	if i := slices.Index(dnsTypes, k.str("type")); i >= 0 {
		q.Type = uint16(dnsNumbers[i])
	}
	name, err := dnsmessage.NewName(q.Name)
	if err == nil {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.Type(q.Type), Class: dnsmessage.ClassINET}}}
		_, err = m.Pack()
	}
	if err != nil {
		k.addf(k.where("name"), "name: %q is no domain name", k.str("name"))
	}
}

// virtualAddressOf takes the arguments of a vip check.
func (c *checker) virtualAddressOf(k *block, s *discovery.Spec, of checked, spec *discovery.CheckSpec) {
	spec.VIP.Echo = s.Protocol != lvs.TCP
	if k.written("probe") {
		spec.VIP.Echo = k.str("probe") == "icmp"
	}
	switch {
	case k.written("virtual_address"):
		a, ok := k.address("virtual_address", k.str("virtual_address"), k.where("virtual_address"))
		if ok && identified(s) && a.Is4() == s.Service.IPv6() {
			k.addf(k.where("virtual_address"), "virtual_address is %s, the virtual server is %s", family(a), familyName(s.Service.IPv6()))
		}
		spec.VIP.Addr = a
	case s.Service.Mark != 0:
		k.addf(k.header, "%s needs virtual_address: the virtual server may have several, and each takes a check of its own", k.name())
	default:
		spec.VIP.Addr = s.Service.Addr
	}
	if !slices.ContainsFunc(of.methods, func(f lvs.Forward) bool { return f != lvs.NAT }) {
		k.addf(k.header, "%s has no effect: nat replaces the virtual address before a real server sees it", k.name())
	}
	switch {
	case spec.VIP.Echo && k.written("port"):
		k.addf(k.where("port"), "port has no effect: the virtual address is sent an echo request")
	case !spec.VIP.Echo && spec.Port == 0 && identified(s) && of.portless && !k.bad("port"):
		k.addf(k.header, "%s needs port, or probe = \"icmp\": the virtual server is for more than one port", k.name())
	}
}

// login takes who a database is told that we are.
func (c *checker) login(k *block, spec *discovery.CheckSpec) {
	l := &spec.Login
	l.User = k.str("user")
	switch spec.Type {
	case discovery.Postgres:
		l.User, l.Database = cmp.Or(l.User, checkUser), k.str("database")
	case discovery.MySQL:
		l.User = cmp.Or(l.User, checkUser)
	case discovery.Redis:
		if !slices.ContainsFunc([]string{"password", "password_file", "password_env"}, func(n string) bool { _, ok := k.at[n]; return ok }) {
			if k.written("user") {
				k.addf(k.where("user"), "user has no effect without a password")
			}
			return
		}
		if s, ok := k.secretOf("password", c.in); ok {
			l.Password = discovery.MakePassword(s.Reveal())
		}
	default: // nobody logs in
	}
}
