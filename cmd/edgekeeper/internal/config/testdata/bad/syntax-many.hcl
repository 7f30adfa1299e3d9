vrrp "VI_1" { interface = "eth0" virtual_router_id = 51 }

control { socket = "/run/x.sock" pid = 1 }

virtual_server "web" {
  address = "192.0.2.1:80"
  adress  = "192.0.2.1:80"

virtual_server "dns" {
  address  = "192.0.2.1:53"
  protocol = "upd"
  protocol = "udp"
}

}

telemetry {
  address =
}

on_stop = "keep

log_level = 'debug'
log_json = "true"; state_dir = "x"
vrrp VI_2
state MASTER

# want: 1:34: invalid single-argument block definition: a single-line block definition must end with a closing brace immediately after its single argument definition
# want: 3:34: invalid single-argument block definition: a single-line block definition must end with a closing brace immediately after its single argument definition
# want: 7:3: virtual_server has no argument "adress", did you mean "address"?
# want: 9:1: virtual_server belongs at the top of the file, this is within virtual_server "web"; a closing brace may be missing above
# want: 12:3: protocol is set twice in this block
# want: 18:12: invalid expression: expected the start of an expression, but found an invalid expression token
# want: 21:16: invalid multi-line string: quoted strings may not be split over multiple lines
# want: 23:13: invalid character: single quotes are not valid
# want: 24:18: invalid character: the ";" character is not valid
# want: 25:10: invalid block definition: a block definition must have block content delimited by "{" and "}", starting on the same line as the block header
# want: 26:13: invalid block definition: a block definition must have block content delimited by "{" and "}", starting on the same line as the block header
