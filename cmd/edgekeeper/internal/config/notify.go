package config

import (
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Notify is a target that is told what happens. Of Exec, FIFO, Webhook and Mail
// exactly one is set.
type Notify struct {
	Name      string   // both labels: exec "firewall"
	Events    []string // of EventKinds; never empty
	Instances []string // nil: all
	States    []string // nil: all
	Timeout   time.Duration
	Retries   int // of Webhook and Mail

	Exec    *NotifyExec
	FIFO    *NotifyFIFO
	Webhook *NotifyWebhook
	Mail    *NotifyMail
}

// NotifyExec is a program.
type NotifyExec struct {
	Command   []string // an absolute path, and arguments
	Arguments bool     // append keepalived's four
}

// NotifyFIFO is a named pipe.
type NotifyFIFO struct {
	Path string
}

// NotifyWebhook is an HTTP endpoint.
type NotifyWebhook struct {
	URL    string
	Header string
	Secret Secret // empty: no header
	CACert string // file; empty: the system's authorities
}

// NotifyMail is a mail server and who gets mail through it.
type NotifyMail struct {
	Host     string
	Port     uint16
	TLS      string // starttls, tls, opportunistic or none
	Helo     string // empty: the host's name
	Username string // empty: no authentication
	Password Secret
	From     string
	To       []string
	CACert   string // as in NotifyWebhook
}

func (c *checker) notify(cfg *Config) []Notify {
	var out []Notify
	for _, b := range c.root.all("notify") {
		n := Notify{
			Name: b.label + " " + strconv.Quote(b.second), Events: plain(b.list("events")), Instances: plain(b.list("instances")), States: plain(b.list("states")),
			Timeout: b.dur("timeout"),
		}
		c.audience(b, &n, cfg)
		switch b.label {
		case notifyExec:
			n.Exec = notifyProgram(b)
		case notifyFIFO:
			n.FIFO = &NotifyFIFO{Path: b.str("path")}
			b.absolute("path", n.FIFO.Path)
		case notifyWebhook:
			n.Retries, n.Webhook = int(b.num("retries")), c.notifyWebhook(b)
		case notifyMail:
			n.Retries, n.Mail = int(b.num("retries")), c.notifyMail(b)
		}
		out = append(out, n)
	}
	return out
}

// audience checks which events the target is told.
func (c *checker) audience(b *block, n *Notify, cfg *Config) {
	for _, name := range []string{"events", "instances", "states"} {
		if b.written(name) && len(b.list(name)) == 0 {
			b.addf(b.where(name), "%s is empty; leave it out for the default", name)
		}
	}
	if len(n.Events) == 0 {
		n.Events = []string{"vrrp"}
	}
	for _, l := range b.list("instances") {
		if !slices.ContainsFunc(cfg.Instances, func(v VRRP) bool { return v.Router.Name == l.text }) &&
			!slices.ContainsFunc(cfg.SyncGroups, func(g SyncGroup) bool { return g.Name == l.text }) {
			b.addf(l.at, "instances: there is no vrrp %q, and no sync_group", l.text)
		}
	}
	if b.bad("events") {
		return
	}
	if b.written("states") && !slices.Contains(n.Events, "vrrp") && !slices.Contains(n.Events, "group") {
		b.addf(b.where("states"), "states has no effect without \"vrrp\" or \"group\" in events")
	}
	if b.written("instances") && !slices.ContainsFunc(n.Events, func(e string) bool { return slices.Contains(vrrpKinds, e) }) {
		b.addf(b.where("instances"), "instances has no effect without one of %s in events", oneOf(vrrpKinds))
	}
}

func notifyProgram(b *block) *NotifyExec {
	b.program("command")
	return &NotifyExec{Command: plain(b.list("command")), Arguments: b.flag("append_arguments")}
}

// program checks a command: a program and its arguments.
func (b *block) program(name string) {
	list := b.list(name)
	switch {
	case !b.written(name):
	case len(list) == 0:
		b.addf(b.where(name), "%s is empty, it needs a program", name)
	default:
		b.absolute(name, list[0].text)
	}
	for _, l := range list {
		if strings.ContainsRune(l.text, 0) {
			b.addf(l.at, "%s holds a NUL, which no argument can", name)
		}
	}
}

// absolute checks a path: the director's working folder is nobody's business.
func (b *block) absolute(name, path string) {
	if b.written(name) && !filepath.IsAbs(path) {
		b.addf(b.where(name), "%s: %q is not an absolute path", name, path)
	}
}

func (c *checker) notifyWebhook(b *block) *NotifyWebhook {
	w := &NotifyWebhook{URL: b.str("url"), Header: b.str("header"), CACert: b.str("ca_cert")}
	u, err := url.Parse(w.URL)
	if b.written("url") && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		b.addf(b.where("url"), "url is no http:// or https:// address") // which may hold a token: not repeated
	} else if b.written("ca_cert") && u.Scheme == "http" {
		b.addf(b.where("ca_cert"), "ca_cert has no effect with an http:// url")
	}
	if !httpguts.ValidHeaderFieldName(w.Header) {
		b.addf(b.where("header"), "header: %q is no name of a header", w.Header)
	}
	if !b.mentions("secret") {
		if b.written("header") {
			b.addf(b.where("header"), "header has no effect without a secret")
		}
		return w
	}
	var ok bool
	if w.Secret, ok = b.secretOf("secret", c.in); ok && !httpguts.ValidHeaderFieldValue(w.Secret.Reveal()) {
		b.addf(b.header, "%s: the secret holds a control character, which no header can", b.name())
	}
	return w
}

// mentions reports whether a secret is written, in any of its three ways.
func (b *block) mentions(name string) bool {
	return slices.ContainsFunc([]string{name, name + "_file", name + "_env"}, func(n string) bool { _, ok := b.at[n]; return ok })
}

// mailPorts are the usual ones: submission (RFC 6409), submissions (RFC 8314) and
// smtp (RFC 5321).
var mailPorts = map[string]uint16{"starttls": 587, "tls": 465, "opportunistic": 25, "none": 25}

func (c *checker) notifyMail(b *block) *NotifyMail {
	m := &NotifyMail{
		TLS: b.str("tls"), Helo: b.str("helo"), Username: b.str("username"), From: b.str("from"), To: plain(b.list("to")), CACert: b.str("ca_cert"),
	}
	m.Host, m.Port = b.mailServer(mailPorts[m.TLS])
	if _, err := mail.ParseAddress(m.From); b.written("from") && err != nil {
		b.addf(b.where("from"), "from: %q is no mail address", m.From)
	}
	if b.written("to") && len(m.To) == 0 {
		b.addf(b.where("to"), "to is empty, at least one receiver is needed")
	}
	for _, l := range b.list("to") {
		if _, err := mail.ParseAddress(l.text); err != nil {
			b.addf(l.at, "to: %q is no mail address", l.text)
		}
	}
	if strings.ContainsAny(m.Helo, " \t") {
		b.addf(b.where("helo"), "helo: %q is no host name", m.Helo)
	}
	if b.written("ca_cert") && m.TLS == "none" {
		b.addf(b.where("ca_cert"), "ca_cert has no effect with tls = \"none\"")
	}
	switch {
	case m.Username != "" || b.bad("username"):
		m.Password, _ = b.secretOf("password", c.in)
	case b.mentions("password"):
		b.addf(b.header, "%s has a password and no username", b.name())
	}
	return m
}

// mailServer takes host or host:port.
func (b *block) mailServer(port uint16) (string, uint16) {
	s := b.str("server")
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		host, text = strings.Trim(s, "[]"), strconv.Itoa(int(port))
	}
	n, err := strconv.ParseUint(text, 10, 16)
	wrong := err != nil || n == 0 || host == "" || strings.ContainsAny(host, " /@[]") || strings.Contains(host, ":") && net.ParseIP(host) == nil
	if b.written("server") && wrong {
		b.addf(b.where("server"), "server: %q is not host or host:port, such as \"mail.example.com:587\"", s)
	}
	return host, uint16(n)
}
