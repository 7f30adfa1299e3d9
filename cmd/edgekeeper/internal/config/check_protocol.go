package config

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/edgekeeper/edgekeeper/discovery"
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
		if s, ok := k.secretOf("password", c.env); ok {
			l.Password = discovery.MakePassword(s.Reveal())
		}
	default: // nobody logs in
	}
}
