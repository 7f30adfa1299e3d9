roouter_id = "lvs1"
log_levl = "info"
colour = "red"

consul {
  adress = "127.0.0.1:8500"
  acl_token = "x"
}

# want: 1:1: the configuration has no argument "roouter_id", did you mean "router_id"?
# want: 2:1: the configuration has no argument "log_levl", did you mean "log_level"?
# want: 3:1: the configuration has no argument "colour"
# want: 6:3: consul has no argument "adress", did you mean "address"?
# want: 7:3: consul has no argument "acl_token"
