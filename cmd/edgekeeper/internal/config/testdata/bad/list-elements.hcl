real_server_agent {
  virtual_addresses = ["192.0.2.1", 7, "", "192.0.2.300", "192.0.2.1"]
}

# want: 2:37: virtual_addresses must be a list of strings, this is none
# want: 2:40: virtual_addresses holds an empty string
# want: 2:44: virtual_addresses: "192.0.2.300" is not an IP address
# want: 2:59: virtual_addresses: 192.0.2.1 is listed twice
