ipvs {
  connection_sync {}
}

# want: 2:3: connection_sync needs interface
# want: 2:3: connection_sync has no effect without a virtual_server: there are no connections
# want: 2:3: connection_sync follows the role of a vrrp block, there is none
