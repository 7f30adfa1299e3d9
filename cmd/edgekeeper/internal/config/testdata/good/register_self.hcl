# The director alone.
consul {
  register {
    virtual_addresses = false
  }
}
