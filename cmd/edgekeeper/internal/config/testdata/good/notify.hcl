# Every kind of target, every argument away from its default.
vrrp "VI_1" {
  interface         = "eth0"
  virtual_router_id = 51
  virtual_address "192.0.2.1/24" {}
}

notify "exec" "master" {
  command          = ["/usr/local/sbin/on-master", "--quick"]
  append_arguments = false
  events           = ["vrrp", "priority"]
  instances        = ["VI_1"]
  states           = ["MASTER"]
  timeout          = "3s"
}

notify "exec" "all" {
  command = ["/usr/local/sbin/on-vrrp"]
}

notify "fifo" "all" {
  path   = "/run/edgekeeper/notify"
  events = ["vrrp", "priority", "trouble", "pool", "server"]
}

notify "webhook" "env" {
  url        = "https://[2001:db8::9]:8443/hook?x=1"
  header     = "X-Token"
  secret_env = "HOOK_SECRET"
  ca_cert    = "/etc/ssl/hook-ca.pem"
  retries    = 0
}

notify "webhook" "file" {
  url         = "http://127.0.0.1:9000"
  secret_file = "testdata/vrrp-secret"
}

notify "webhook" "written" {
  url    = "http://127.0.0.1:9000"
  secret = "hush"
}

notify "mail" "a" {
  server   = "mail.example.com"
  from     = "Edge <edge@example.com>"
  to       = ["ops@example.com"]
  tls      = "tls"
  helo     = "lvs1.example.com"
  username = "edge"
  password = "pw"
}

notify "mail" "b" {
  server        = "[2001:db8::25]:2525"
  from          = "edge@example.com"
  to            = ["ops@example.com", "boss@example.com"]
  username      = "edge"
  password_file = "testdata/vrrp-secret"
}

notify "mail" "c" {
  server       = "192.0.2.25"
  from         = "edge@example.com"
  to           = ["ops@example.com"]
  tls          = "opportunistic"
  username     = "edge"
  password_env = "MAIL_PASSWORD"
}
