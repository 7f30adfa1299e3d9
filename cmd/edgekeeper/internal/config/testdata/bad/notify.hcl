vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}
notify "exec" "relative" {
  command   = ["on-vrrp"]
  instances = ["VI_2"]
  states    = ["MASTRE"]
  retries   = 2
  timeout   = "1h"
}
notify "exec" "none" {
  command = []
  events  = []
}
notify "exec" "pools" {
  command   = ["/bin/true", "a\u0000b"]
  events    = ["pool"]
  states    = ["MASTER"]
  instances = ["VI_1"]
}
notify "fifo" "x" {
  path   = "run/fifo"
  events = ["vrp"]
}
notify "fifo" "x" {
  path = "/run/fifo"
}
notify "webhook" "x" {
  url     = "ftp://hooks.example.com?token=hidden"
  header  = "X Token"
}
notify "webhook" "two-secrets" {
  url         = "http://hooks.example.com"
  secret      = "a"
  secret_env  = "HOOK_SECRET"
  ca_cert     = "/etc/ssl/ca.pem"
}
notify "webhook" "lines" {
  url        = "https://hooks.example.com"
  secret_env = "TWO_LINES"
}
notify "mail" "x" {
  server   = "mail.example.com:smtp"
  from     = "edge"
  to       = ["ops@example.com", "boss"]
  helo     = "a b"
  tls      = "none"
  ca_cert  = "/etc/ssl/ca.pem"
  password = "pw"
}
notify "mail" "y" {
  server   = "mail.example.com"
  from     = "edge@example.com"
  to       = []
  username = "edge"
}

# want: 7:15: command: "on-vrrp" is not an absolute path
# want: 8:16: instances: there is no vrrp "VI_2", and no sync_group
# want: 9:16: states: "MASTRE" is unknown, must be "MASTER", "BACKUP", "FAULT" or "STOP"
# want: 10:3: retries is for "webhook" or "mail" targets, this one is "exec"
# want: 11:15: timeout is "1h", must be from 100ms to 10m
# want: 14:13: command is empty, it needs a program
# want: 15:13: events is empty; leave it out for the default
# want: 18:29: command holds a NUL, which no argument can
# want: 20:15: states has no effect without "vrrp" or "group" in events
# want: 21:15: instances has no effect without one of "vrrp", "group", "priority" or "trouble" in events
# want: 24:12: path: "run/fifo" is not an absolute path
# want: 25:13: events: "vrp" is unknown, must be "vrrp", "group", "priority", "trouble", "track", "pool" or "server", did you mean "vrrp"?
# want: 27:15: notify "fifo" "x" is already defined at notify.hcl:23:15
# want: 31:13: url is no http:// or https:// address
# want: 32:13: header: "X Token" is no name of a header
# want: 32:13: header has no effect without a secret
# want: 37:17: secret and secret_env exclude each other
# want: 38:17: ca_cert has no effect with an http:// url
# want: 40:18: notify "webhook" "lines": the secret holds a control character, which no header can
# want: 44:15: notify "mail" "x" has a password and no username
# want: 45:14: server: "mail.example.com:smtp" is not host or host:port, such as "mail.example.com:587"
# want: 46:14: from: "edge" is no mail address
# want: 47:34: to: "boss" is no mail address
# want: 48:14: helo: "a b" is no host name
# want: 50:14: ca_cert has no effect with tls = "none"
# want: 53:15: notify "mail" "y" needs one of password, password_file and password_env
# want: 56:14: to is empty, at least one receiver is needed
