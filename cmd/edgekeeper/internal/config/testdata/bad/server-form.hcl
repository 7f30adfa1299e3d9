virtual_server "none" {
  real_server "192.0.2.2" {}
}

virtual_server "both" {
  address   = "192.0.2.1:80"
  addresses = ["192.0.2.2:80"]
  real_server "192.0.2.2:80" {}
}

virtual_server "ranges" {
  addresses = ["192.0.2.10-1:80", "192.0.2.1-300:80", "192.0.2.1/28:80", "192.0.2.1:90-80", "192.0.2.1:0-80", "192.0.2.4/30", "2001:db8::1-ff:80", "224.0.0.0/24:80", "192.0.2.99:80"]
  real_server "192.0.2.2" {}
}

virtual_server "one-list" {
  addresses = ["192.0.3.1-10:80", "192.0.3.7:80-81", "[2001:db8::1]:80", "192.0.3.7:81"]
  real_server "192.0.2.2" {}
}

virtual_server "mark-of-one" {
  address = "192.0.4.1:80"
  fwmark  = 7
  real_server "192.0.2.2" {}
}

virtual_server "mark" {
  fwmark   = 8
  protocol = "udp"
  family   = "ipv6"
  real_server "192.0.2.2" {}
  real_server "[2001:db8::2]:80" {}
  check "tcp" {}
}

virtual_server "mark-again" {
  fwmark = 8
  family = "ipv6"
  real_server "2001:db8::2" {}
}

virtual_server "other-family" {
  fwmark = 8
  real_server "192.0.2.2" {}
}

virtual_server "group-family" {
  addresses = ["[2001:db8::10-1f]:80"]
  family    = "ipv6"
  real_server "2001:db8::2" {}
}

virtual_server "bad-mark" {
  fwmark = 0
  real_server "192.0.2.2" {}
}

ipvs {
  fwmark_base = 4294967295
}

# want: 1:16: virtual_server "none" needs one of address, addresses and fwmark
# want: 7:15: address and addresses exclude each other: write all of them in addresses
# want: 8:15: real_server "192.0.2.2:80" has port 80, the virtual server is for more than one: its packets keep theirs, so leave the port out; a check has a port of its own
# want: 12:16: addresses: "192.0.2.10-1:80": not an address and port, or a range of them: 192.0.2.10 comes after 192.0.2.1, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:35: addresses: "192.0.2.1-300:80": not an address and port, or a range of them: "300" is neither an IP address nor the last part of one, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:55: addresses: "192.0.2.1/28:80": not an address and port, or a range of them: 192.0.2.1 is not the first address of its prefix, that is 192.0.2.0, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:74: addresses: "192.0.2.1:90-80": not an address and port, or a range of them: port 90 comes after 80, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:93: addresses: "192.0.2.1:0-80": not an address and port, or a range of them: port 0 stands for every port, it begins no range, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:111: addresses: "192.0.2.4/30": not an address and port, or a range of them, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:127: addresses: "2001:db8::1-ff:80": not an address and port, or a range of them, such as "192.0.2.1:80", "192.0.2.1-10:80" or "[2001:db8::1-ff]:8000-8099"
# want: 12:148: addresses: 224.0.0.0 is not the address of a host
# want: 17:35: addresses: 192.0.3.7:80-81 is in 192.0.3.1-192.0.3.10:80 already
# want: 17:54: addresses: [2001:db8::1]:80 is IPv6, the first is IPv4; write a virtual_server for each family
# want: 23:13: fwmark is for groups and for packets that your own rules mark; one address needs none (write addresses = ["192.0.4.1:80"] for a group of one)
# want: 29:14: protocol has no effect on a fwmark without addresses: the rules that set the mark choose the packets
# want: 31:15: real_server 192.0.2.2:0 is IPv4, the virtual server is IPv6; only tunnels go across
# want: 32:15: real_server "[2001:db8::2]:80" has port 80, the virtual server is for more than one: its packets keep theirs, so leave the port out; a check has a port of its own
# want: 33:9: check "tcp" needs port: the virtual server is for more than one, and its real servers have none
# want: 37:12: fwmark 8 inet6 is already the mark of virtual_server "mark" at server-form.hcl:27:16
# want: 49:15: family is for a fwmark without addresses, which have a family of their own
# want: 54:12: fwmark is 0, must be 1 to 4294967295
# want: 59:17: fwmark_base is 4294967295, must be 1 to 4294950911
