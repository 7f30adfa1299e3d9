consul {
  address = "unix://consul.sock"
}

telemetry {
  address = ":9777"
}

control {
  socket = "/run/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/.sock"
}

# want: 2:13: address: "unix://consul.sock" needs the absolute path of a socket, such as "unix:///run/consul.sock"
# want: 6:13: address: ":9777" is not ip:port, such as "127.0.0.1:9777"
# want: 10:12: socket: the path has 120 bytes, a unix socket's has at most 107
