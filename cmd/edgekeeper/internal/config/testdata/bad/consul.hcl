consul {
  address = "127.0.0.1"
  token = "s3cr3t-token"
  token_file = "/secrets/token"
  client_cert = "/etc/ssl/edge.pem"
  max_stale = "0s"
}

consul {
  address = "ftp://127.0.0.1:21"
}

# want: 2:13: address: "127.0.0.1" lacks its port, write "127.0.0.1:8500"
# want: 4:16: token and token_file exclude each other
# want: 5:17: client_cert and client_key go together, one is missing
# want: 6:15: max_stale is "0s", must be from 100ms to 24h
# want: 9:1: only one consul block is allowed, there is one at consul.hcl:1:1
