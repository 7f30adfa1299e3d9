ipvs {
  manage_sysctls     = false
  conn_reuse_mode    = 0
  conntrack          = false
  tcp_timeout        = "1500ms"
  expire_nodest_conn = true
}

# want: 3:24: conn_reuse_mode has no effect with manage_sysctls = false
# want: 4:24: conntrack has no effect with manage_sysctls = false
# want: 5:24: tcp_timeout is "1500ms", must be whole seconds
# want: 6:24: expire_nodest_conn has no effect with manage_sysctls = false
