package config

// The types of notify targets.
const (
	notifyExec    = "exec"
	notifyFIFO    = "fifo"
	notifyWebhook = "webhook"
	notifyMail    = "mail"
)

var (
	onlyExec, onlyFIFO, onlyWebhook, onlyMail = []string{notifyExec}, []string{notifyFIFO}, []string{notifyWebhook}, []string{notifyMail}
	onlyNetwork                               = []string{notifyWebhook, notifyMail}
)

// EventKinds are the kinds of events that a target may be told.
var EventKinds = []string{"vrrp", "group", "priority", "trouble", "track", "pool", "server"}

// vrrpKinds are those that belong to a VRRP instance or a sync group.
var vrrpKinds = []string{"vrrp", "group", "priority", "trouble"}

var notifyStates = []string{"MASTER", "BACKUP", "FAULT", "STOP"}

var notifyType = &blockType{
	name: "notify", many: "targets", unique: true,
	label: "what the target is: `exec` (a program), `fifo` (a named pipe), `webhook` or `mail`", labels: []string{notifyExec, notifyFIFO, notifyWebhook, notifyMail},
	second: "its name, for `status` and events",
	doc: "Somebody to tell what happens. Every target is told one event at a time, in order; [operations](operations.md#notifications) has the forms and what becomes of a target that is slow or fails. " +
		"The first label says which arguments a target takes.",
	args: []argument{
		{name: "events", kind: texts, choices: EventKinds, defText: "`[\"vrrp\"]`", doc: "What the target is told. `vrrp`: changes of state; `group`: those of a sync group; `priority`: changes of priority; `trouble`: a second master, a peer that does not fit, an address taken off; `track`: what an instance tracks goes down, comes up or has another number; `pool`: held, frozen, in panic, without quorum, and the end of it; `server`: a real server goes down, comes up, is drained or leaves."},
		{name: "instances", kind: texts, defText: "all", doc: "VRRP instances and sync groups whose `vrrp`, `group`, `priority` and `trouble` events count."},
		{name: "states", kind: texts, choices: notifyStates, defText: "all", doc: "The states whose `vrrp` and `group` events count: `[\"MASTER\"]` makes a program keepalived's `notify_master`."},
		{name: "timeout", kind: duration, def: "10s", lo: second / 10, hi: 600 * second, doc: "Time that one attempt may take. A program is killed then, and its process group with it."},
		{name: "retries", kind: number, def: "5", lo: 0, hi: 1000, only: onlyNetwork, doc: "Attempts after a failed one, 1 s to 30 s apart. They end early when a newer event of the same object waits."},
		{name: "command", kind: texts, only: onlyExec, required: true, doc: "The program, an absolute path, and its arguments. There is no shell in between."},
		{name: "append_arguments", kind: boolean, def: "true", only: onlyExec, doc: "Append keepalived's four arguments of `notify`: `INSTANCE` or `GROUP`, name, state, priority (0 for a group)."},
		{name: "path", kind: text, only: onlyFIFO, required: true, doc: "Absolute path of the pipe. It is made when it is not there."},
		{name: "url", kind: text, only: onlyWebhook, required: true, doc: "Where to POST, `http://…` or `https://…`."},
		{name: "header", kind: text, def: "Authorization", only: onlyWebhook, doc: "Header that carries the secret as it is, such as `Bearer …`. Without a secret there is no such header."},
		{name: "secret", kind: secret, only: onlyWebhook, doc: "Value of `header`. Never shown."},
		{name: "secret_file", kind: text, only: onlyWebhook, doc: "File that holds the secret; line ends at its end do not count."},
		{name: "secret_env", kind: text, only: onlyWebhook, doc: "Environment variable that holds the secret."},
		{name: "server", kind: text, only: onlyMail, required: true, doc: "Mail server, `host` or `host:port`. The default port is 587, 465 with `tls = \"tls\"`, 25 with `\"opportunistic\"` and `\"none\"`."},
		{name: "from", kind: text, only: onlyMail, required: true, doc: "Sender, an address or `Name <address>`."},
		{name: "to", kind: texts, only: onlyMail, required: true, doc: "Receivers."},
		{name: "tls", kind: text, def: "starttls", only: onlyMail, choices: []string{"starttls", "tls", "opportunistic", "none"}, doc: "`starttls`: encrypted, or not at all. `tls`: encrypted from the first byte. `opportunistic`: encrypted if the server offers it. `none`: in clear."},
		{name: "helo", kind: text, only: onlyMail, defText: "the host's name", doc: "How we introduce ourselves to the mail server."},
		{name: "username", kind: text, only: onlyMail, defText: "no authentication", doc: "User at the mail server; needs a password. The strongest way that the server offers is taken, and never one that shows the password in clear."},
		{name: "password", kind: secret, only: onlyMail, doc: "The password. Never shown."},
		{name: "password_file", kind: text, only: onlyMail, doc: "File that holds the password; line ends at its end do not count."},
		{name: "password_env", kind: text, only: onlyMail, doc: "Environment variable that holds the password."},
		{name: "ca_cert", kind: text, only: onlyNetwork, defText: "the system's", doc: "PEM file with the authorities that may sign the server's certificate."},
	},
	sample: `notify "exec" "firewall" {
  command = ["/usr/local/sbin/on-vrrp"]
}

notify "webhook" "chat" {
  url        = "https://hooks.example.com/edge"
  events     = ["vrrp", "trouble", "pool", "server"]
  secret_env = "HOOK_SECRET"
}

notify "mail" "operators" {
  server       = "mail.example.com"
  from         = "edgekeeper@example.com"
  to           = ["ops@example.com"]
  username     = "edgekeeper"
  password_env = "MAIL_PASSWORD"
}`,
}
