package migrate

import (
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
)

// notifyStates are the states that a script is for.
var notifyStates = map[string]string{"notify_master": "MASTER", "notify_backup": "BACKUP", "notify_fault": "FAULT", "notify_stop": "STOP"}

// notifyScript takes a notify script of an instance or a group. kind is the kind
// of its events.
func (t *translator) notifyScript(s statement, kind, object string) {
	argv, user, ok := t.command(s)
	if !ok {
		return
	}
	label := object + "-" + s.Name()
	if slices.ContainsFunc(t.targets, func(n *node) bool { return n.labels[1] == label }) {
		t.differ(s.At, "%s is already set; this one is left out, as by keepalived", s.Name())
		return
	}
	b := &node{kind: "notify", labels: []string{"exec", label}, at: s.At}
	b.set(s.At, "events", []string{kind})
	b.set(s.At, "instances", []string{object})
	if state, only := notifyStates[s.Name()]; only {
		b.set(s.At, "states", []string{state})
		b.set(s.At, "append_arguments", false)
	}
	b.set(s.At, "command", argv)
	if len(user) > 0 || t.global.instance["script_user"] != nil {
		t.once(s.At, "notify user", "%s: notify scripts run as the director's user; `sudo -u` in front of the command changes that", s.Name())
	}
	t.once(s.At, "notify order", "%s: scripts run one after the other, in the order of what happened, and are killed after 10 s (timeout)", s.Name())
	t.targets = append(t.targets, b)
}

// fifo takes notify_fifo and its kin.
func (t *translator) fifo(s statement) {
	path, ok := t.one(s)
	if !ok {
		return
	}
	if !strings.HasPrefix(path, "/") {
		t.errorf(s.At, "%s: %q is not an absolute path", s.Name(), path)
		return
	}
	if _, dup := t.global.fifos[s.Name()]; dup {
		t.differ(s.At, "%s is already set; this one is left out, as by keepalived", s.Name())
		return
	}
	t.global.fifos[s.Name()] = s
	events := map[string][]string{
		"notify_fifo": {"vrrp", "group", "pool", "server"}, "vrrp_notify_fifo": {"vrrp", "group"}, "lvs_notify_fifo": {"pool", "server"},
	}[s.Name()]
	b := &node{kind: "notify", labels: []string{"fifo", s.Name()}, at: s.At}
	b.set(s.At, "events", events)
	b.set(s.At, "path", path)
	if s.Name() != "vrrp_notify_fifo" {
		t.differ(s.At, "%s: lines about virtual and real servers name them as `edgekeeper pools` does (VS \"web\" …, RS \"web 10.0.0.1:80\" …), and end without a NUL", s.Name())
	}
	if len(s.Words) > 2 {
		t.differ(s.At, "%s: the pipe is made with mode 0600, for the director's user", s.Name())
	}
	t.targets = append(t.targets, b)
}

// smtpServer takes `smtp_server HOST [PORT]`.
func (t *translator) smtpServer(s statement) {
	host, ok := t.one(s)
	if !ok {
		return
	}
	port := 25
	if s.Arg(2) != "" {
		if port, ok = t.integer(s, 2, 1, 65535); !ok {
			return
		}
	}
	t.global.mail.server, t.global.mail.at = net.JoinHostPort(host, strconv.Itoa(port)), s.At
}

// alert notes that an instance's changes are told by mail.
func (t *translator) alert(v *instance) {
	if v.alert.or(t.global.alertIn, t.global.alert) == yes {
		t.mailVRRP = append(t.mailVRRP, v.block.labels[0])
	}
}

// mails makes the targets of smtp_alert.
func (t *translator) mails() {
	m := t.global.mail
	wanted := len(t.mailVRRP)+len(t.mailGroups) > 0 || t.serverMail
	switch {
	case len(m.to) == 0 && m.server == "" || !wanted:
		return
	case len(m.to) == 0:
		t.differ(m.at, "smtp_server without notification_email: there is nobody to write to")
		return
	case m.server == "":
		t.differ(t.first, "notification_email without smtp_server: no mail is sent, as with keepalived")
		return
	}
	for i, to := range m.to {
		if !strings.Contains(to, "@") {
			m.to[i] = to + "@localhost"
			t.once(m.at, "local mail", "notification_email %s is no whole address; it is %s", to, m.to[i])
		}
	}
	from := m.from
	if from == "" {
		from = "edgekeeper@localhost"
		t.differ(m.at, "without notification_email_from mails are from %s", from)
	}
	if !strings.Contains(from, "@") {
		from += "@localhost"
		t.once(m.at, "local sender", "notification_email_from %s is no whole address; it is %s", m.from, from)
	}
	if _, err := mail.ParseAddress(from); err != nil {
		t.errorf(t.global.set["notification_email_from"], "notification_email_from: %q is no mail address", from)
		return
	}
	make := func(name string, events, instances []string) {
		b := &node{kind: "notify", labels: []string{"mail", name}, at: m.at}
		b.set(m.at, "events", events)
		if len(instances) > 0 {
			b.set(m.at, "instances", instances)
		}
		if t.global.noFaults && instances != nil {
			b.set(m.at, "states", []string{"MASTER", "BACKUP", "STOP"})
		}
		b.set(m.at, "server", m.server)
		b.set(m.at, "tls", "none")
		b.set(m.at, "from", from)
		b.set(m.at, "to", m.to)
		if m.helo != "" {
			b.set(m.at, "helo", m.helo)
		}
		wait := m.wait
		if wait == 0 {
			wait = 30 * time.Second
		}
		b.set(m.at, "timeout", min(max(wait, 100*time.Millisecond), 10*time.Minute))
		t.targets = append(t.targets, b)
	}
	if len(t.mailVRRP) > 0 {
		make("smtp_alert", []string{"vrrp"}, t.mailVRRP)
	}
	if len(t.mailGroups) > 0 {
		make("smtp_alert-groups", []string{"group"}, t.mailGroups)
	}
	if t.serverMail {
		make("smtp_alert-servers", []string{"server"}, nil)
		if t.serverQuiet {
			t.differ(m.at, "smtp_alert is off for some real servers; edgekeeper writes about all of them or none, and does about all")
		}
	}
}
