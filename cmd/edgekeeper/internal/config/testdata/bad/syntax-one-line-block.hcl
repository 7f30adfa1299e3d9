router_id = 7
control { socket = "/run/x.sock" pid = 1 }

# want: 1:13: router_id must be a string, in quotes
# want: 2:34: invalid single-argument block definition: a single-line block definition must end with a closing brace immediately after its single argument definition
