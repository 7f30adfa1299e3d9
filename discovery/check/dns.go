package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// dns makes a probe that asks a name server. Any answer without an error is
// good, also one without records, as in keepalived; with a pattern one record
// must match.
func (m *Maker) dns(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	name, err := dnsmessage.NewName(spec.DNS.Name)
	if err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	var want *regexp.Regexp
	if spec.DNS.Answer != "" {
		if want, err = regexp.Compile(spec.DNS.Answer); err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
	}
	q := dnsmessage.Question{Name: name, Type: dnsmessage.Type(spec.DNS.Type), Class: dnsmessage.ClassINET}
	if _, err := dnsQuery(1, q); err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	if spec.DNS.TCP {
		return m.over(c, spec, "", nil, func(_ context.Context, conn net.Conn) (Note, error) { return Note{}, dnsOverTCP(conn, q, want) }), nil
	}
	w := wayTo(c, spec)
	return bare(func(ctx context.Context) error {
		conn, stop, err := w.udp(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		defer stop()
		return dnsOverUDP(conn, q, want)
	}), nil
}

func dnsQuery(id uint16, q dnsmessage.Question) ([]byte, error) {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	return m.Pack()
}

func dnsOverUDP(conn io.ReadWriter, q dnsmessage.Question, want *regexp.Regexp) error {
	id := uint16(rand.Uint32())
	query, err := dnsQuery(id, q)
	if err != nil {
		return err
	}
	if _, err := conn.Write(query); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if err := dnsAnswer(buf[:n], id, q, want); !errors.Is(err, errOtherQuery) {
			return err
		}
	}
}

// dnsOverTCP has two bytes with the length before each message (RFC 1035
// section 4.2.2).
func dnsOverTCP(conn io.ReadWriter, q dnsmessage.Question, want *regexp.Regexp) error {
	id := uint16(rand.Uint32())
	query, err := dnsQuery(id, q)
	if err != nil {
		return err
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	return dnsAnswer(answer, id, q, want)
}

var (
	errOtherQuery   = errors.New("the answer is to another question")
	errDNS          = errors.New("the answer is not DNS")
	errDNSMatch     = errors.New("no record matches")
	errDNSTruncated = errors.New("no record matches in an answer that was cut short; dns_tcp = true gets all of it")
)

var dnsCodes = map[dnsmessage.RCode]string{
	dnsmessage.RCodeFormatError: "FORMERR", dnsmessage.RCodeServerFailure: "SERVFAIL", dnsmessage.RCodeNameError: "NXDOMAIN",
	dnsmessage.RCodeNotImplemented: "NOTIMP", dnsmessage.RCodeRefused: "REFUSED",
}

// dnsAnswer judges a message. What does not belong to the question is
// errOtherQuery: it may be an answer to somebody else, or forged.
func dnsAnswer(packet []byte, id uint16, q dnsmessage.Question, want *regexp.Regexp) error {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil {
		return errDNS
	}
	if h.ID != id || !h.Response {
		return errOtherQuery
	}
	questions, err := p.AllQuestions()
	switch {
	case err != nil:
		return errDNS
	case len(questions) > 1 || len(questions) == 1 && (questions[0].Type != q.Type || !strings.EqualFold(questions[0].Name.String(), q.Name.String())):
		return errOtherQuery
	case h.RCode != dnsmessage.RCodeSuccess:
		if name := dnsCodes[h.RCode]; name != "" {
			return errors.New(name)
		}
		return fmt.Errorf("rcode %d", h.RCode)
	case want == nil:
		return nil
	}
	records, err := p.AllAnswers()
	for _, r := range records {
		if want.MatchString(dnsRecord(r)) {
			return nil
		}
	}
	switch {
	case h.Truncated:
		return errDNSTruncated
	case err != nil:
		return errDNS
	}
	return errDNSMatch
}

// dnsRecord prints a record's type and data, as dig does.
func dnsRecord(r dnsmessage.Resource) string {
	switch b := r.Body.(type) {
	case *dnsmessage.AResource:
		return "A " + netip.AddrFrom4(b.A).String()
	case *dnsmessage.AAAAResource:
		return "AAAA " + netip.AddrFrom16(b.AAAA).String()
	case *dnsmessage.CNAMEResource:
		return "CNAME " + b.CNAME.String()
	case *dnsmessage.NSResource:
		return "NS " + b.NS.String()
	case *dnsmessage.PTRResource:
		return "PTR " + b.PTR.String()
	case *dnsmessage.MXResource:
		return fmt.Sprintf("MX %d %s", b.Pref, b.MX)
	case *dnsmessage.TXTResource:
		return "TXT " + strings.Join(b.TXT, "")
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("SRV %d %d %d %s", b.Priority, b.Weight, b.Port, b.Target)
	case *dnsmessage.SOAResource:
		return fmt.Sprintf("SOA %s %s %d", b.NS, b.MBox, b.Serial)
	}
	return strings.TrimPrefix(r.Header.Type.String(), "Type")
}
