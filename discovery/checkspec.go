package discovery

import (
	"net/netip"
	"strings"
	"time"
	"unique"
)

// CheckType is the kind of a native check.
type CheckType uint8

// The native checks.
const (
	TCP        CheckType = iota // connect; with Payload send and expect
	HTTP                        // request and status
	GRPC                        // grpc.health.v1
	DNS                         // a question to a name server
	SMTP                        // greeting, EHLO, STARTTLS
	UDP                         // a datagram, and the answer or an ICMP error
	ICMP                        // echo
	Exec                        // a program on this host
	NumberFile                  // a number in a file of this host
	Redis                       // PING
	Postgres                    // start-up message
	MySQL                       // greeting and login
	VIP                         // the virtual address, asked of that one real server
)

var checkTypeNames = []string{"tcp", "http", "grpc", "dns", "smtp", "udp", "icmp", "exec", "file", "redis", "postgres", "mysql", "vip"}

// String gives the label of the check block; http for https too.
func (t CheckType) String() string { return enumName(checkTypeNames, t) }

// CheckSpec defines a native check. It is comparable, so identical checks
// against one target run once. Durations are real ones (no zero defaults here:
// the configuration fills them in). What is for other types than Type is zero.
type CheckSpec struct {
	Type       CheckType
	Interval   time.Duration // between starts of attempts while the verdict stands
	Jitter     time.Duration // at most as much is added to Interval, anew each time
	Timeout    time.Duration // of one attempt
	Retries    int           // failures after the first that are forgiven before "down"
	RetryDelay time.Duration // between those attempts
	Rise       int           // successes in a row before "up"; the first verdict needs one
	Initial    Health        // taken for the verdict before there is one; Pending: see Merge

	Port   uint16     // 0: the real server's own
	Addr   netip.Addr // checked instead of the real server's (keepalived's connect_ip); zero: that
	Source netip.Addr // of the packets; zero: the kernel chooses
	Mark   uint32     // SO_MARK; 0: none

	TLS     TLSSpec
	HTTP    HTTPSpec
	Payload PayloadSpec // TCP, UDP
	GRPC    GRPCSpec
	DNS     DNSSpec
	Helo    string // SMTP: the name in EHLO
	Exec    ExecSpec
	File    FileSpec
	Login   LoginSpec // Redis, Postgres, MySQL
	VIP     VIPSpec
}

// TLSSpec says how TLS is spoken.
type TLSSpec struct {
	Enabled    bool
	SkipVerify bool   // do not verify the certificate
	ServerName string // SNI and verification name; empty: the Host of HTTP or GRPC, else the address
	MinVersion uint16 // tls.VersionTLS12, …; 0: crypto/tls's default
	CAFile     string // empty: the system's roots
	CertFile   string // client certificate, with KeyFile; empty: none
	KeyFile    string
	Warn       time.Duration // a certificate that expires within this time is warned of; 0: none
}

// HTTPSpec is a request, and what its answer must be.
type HTTPSpec struct {
	Version2    bool   // HTTP/2; without TLS by prior knowledge (h2c)
	Method      string // GET, HEAD, …
	Path        string // with query
	Host        string // Host header; empty: the address
	Headers     List   // "Name: value"
	RequestBody string
	Status      StatusSet // accepted
	Body        string    // RE2 that the first 64 KiB of the body must match; empty: any
	BodyNot     string    // RE2 that they must not match; empty: none
	Digest      string    // MD5 of the body in lower-case hex, as keepalived's genhash prints it; empty: any
}

// PayloadSpec is what is sent, and what must come back.
type PayloadSpec struct {
	Send      string // bytes
	Expect    string // RE2; empty: any
	ExpectHex string // bytes that the answer begins with, two digits each, x for any; empty: any
}

// Answered reports whether an answer is needed.
func (p PayloadSpec) Answered() bool { return p.Expect != "" || p.ExpectHex != "" }

// GRPCSpec is a question of the health protocol.
type GRPCSpec struct {
	Service string // empty: the server as a whole
	Host    string // :authority; empty: the address
}

// DNSSpec is a question to a name server.
type DNSSpec struct {
	Name   string // with its last dot
	Type   uint16 // as in RFC 1035 section 3.2.2
	TCP    bool
	Answer string // RE2 that a record must match, printed as "A 192.0.2.1"; empty: any answer without an error
}

// ExecSpec is a program.
type ExecSpec struct {
	Command List
	User    string // "name" or "name:group"; empty: ours
	Env     List   // "NAME=value"
	// Dynamic makes exit codes 2 to 255 a success with weight code-2 (keepalived's
	// misc_dynamic).
	Dynamic bool
}

// FileSpec is a file with a number.
type FileSpec struct {
	Path    string // {address} and {port} are the target's
	Missing int    // the number while there is no file
	Weight  int    // times the number is added to the weight; 0: any number but 0 is down
}

// LoginSpec is who a database is told that we are.
type LoginSpec struct {
	User, Database string
	Password       Password
}

// StatusSet is a set of HTTP status codes from 100 to 599.
type StatusSet [8]uint64

// Add puts the codes from low to high into the set, as far as they are codes.
func (s *StatusSet) Add(low, high int) {
	for code := max(low, 100); code <= min(high, 599); code++ {
		s[(code-100)/64] |= 1 << ((code - 100) % 64)
	}
}

// Has reports whether a code is in the set.
func (s StatusSet) Has(code int) bool {
	return code >= 100 && code <= 599 && s[(code-100)/64]&(1<<((code-100)%64)) != 0
}

// List is a list of texts that can be compared.
type List struct{ joined string }

// MakeList makes a list. A text must not hold a NUL, which ends it.
func MakeList(texts []string) List {
	if len(texts) == 0 {
		return List{}
	}
	return List{strings.Join(texts, "\x00") + "\x00"}
}

// Texts gives the list's texts; nil for none.
func (l List) Texts() []string {
	if l.joined == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(l.joined, "\x00"), "\x00")
}

// Password is a text that prints as "(hidden)" and can be compared. The zero
// value is empty.
type Password struct{ text unique.Handle[string] }

// MakePassword hides a text.
func MakePassword(text string) Password {
	if text == "" {
		return Password{}
	}
	return Password{unique.Make(text)}
}

// Reveal gives the text.
func (p Password) Reveal() string {
	if p == (Password{}) {
		return ""
	}
	return p.text.Value()
}

// String hides the text.
func (p Password) String() string {
	if p == (Password{}) {
		return ""
	}
	return "(hidden)"
}

// GoString hides the text from %#v.
func (p Password) GoString() string { return p.String() }

// MarshalText hides the text from JSON and other encoders.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Check names one running check: what is done to whom. Checks of equal
// definitions and targets are equal. The definition is shared by all of them,
// so that a check is small, and cheap as the key of a map.
type Check struct {
	spec   unique.Handle[CheckSpec]
	Target netip.AddrPort
}

// For gives the check of one real server: Port and Addr replace its own.
func (c CheckSpec) For(server netip.AddrPort) Check {
	target, _ := c.at(server)
	return Check{spec: unique.Make(c), Target: target}
}

// at is the target of the check of a real server, and whether it can be made there:
// without a port of its own one that connects needs to know the server's, which
// nobody may.
func (c *CheckSpec) at(server netip.AddrPort) (target netip.AddrPort, ok bool) {
	addr, port := server.Addr(), server.Port()
	if c.Addr.IsValid() {
		addr = c.Addr
	}
	if c.Port != 0 {
		port = c.Port
	}
	if c.Type == ICMP || c.Type == VIP && c.VIP.Echo {
		port = 0 // so that all services of a host share one
	}
	return netip.AddrPortFrom(addr, port), port != 0 || !c.Connects()
}

// Spec gives the definition; the zero Check has none and gives a zero one.
func (c Check) Spec() CheckSpec {
	if c.spec == (unique.Handle[CheckSpec]{}) {
		return CheckSpec{}
	}
	return c.spec.Value()
}

// Connects reports whether the check goes to a port.
func (c *CheckSpec) Connects() bool {
	switch c.Type {
	case ICMP, Exec, NumberFile:
		return false
	case VIP:
		return !c.VIP.Echo
	default:
		return true
	}
}
