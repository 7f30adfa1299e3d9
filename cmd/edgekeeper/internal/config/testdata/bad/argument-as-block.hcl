router_id {
}

consul = {
  address = "127.0.0.1:8500"
}

# want: 1:1: router_id is an argument: write router_id = …
# want: 4:1: consul is a block: write it without the equals sign
