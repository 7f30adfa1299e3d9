router_id = ""
state_dir = ""

consul {
  address = ""
  token = ""
  kv_prefix = "/"
}

virtual_server "web" {
  address = ""
  service "web" {
    tags = [""]
  }
}

# want: 1:13: router_id is empty; leave it out instead
# want: 2:13: state_dir must not be empty
# want: 5:13: address must not be empty
# want: 6:11: token must not be empty
# want: 7:15: kv_prefix is the root of the KV store; name a folder of it
# want: 11:13: address is empty; leave it out instead
# want: 13:13: tags holds an empty string
