consul {
  address = "https://user:pw@consul.example.com:8501"
  client_key = "/etc/ssl/edge.key"
}

# want: 2:13: address: "https://user:pw@consul.example.com:8501" is not host:port or a URL
# want: 3:16: client_cert and client_key go together, one is missing
