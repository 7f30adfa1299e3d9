# What is registered in Consul.
consul {
  register {
    service           = "edge_keeper"
    virtual_addresses = false
    vip_suffix        = ".vip"
    ttl               = "1s"
    deregister_after  = "30s"
  }
}

# want: 4:25: service: "edge_keeper" is no DNS label, so nobody could look it up: letters, digits and dashes
# want: 6:25: vip_suffix: ".vip" cannot end a DNS label: letters, digits and dashes
# want: 6:25: vip_suffix has no effect with virtual_addresses = false
# want: 7:25: ttl is "1s", must be from 3s to 24h
# want: 8:25: deregister_after is "30s", Consul's least is 1m
