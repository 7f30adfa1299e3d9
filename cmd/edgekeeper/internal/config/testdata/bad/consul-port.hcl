consul {
  address = "127.0.0.1:85000"
}

telemetry {
  address = "127.0.0.1:0"
}

# want: 2:13: address: "127.0.0.1:85000" has no port from 1 to 65535
# want: 6:13: address: port 0 is none that a scraper could ask
