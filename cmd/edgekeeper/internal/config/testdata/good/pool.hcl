# The rules of a pool: how a real server begins, and who stands in for it.
virtual_server "slow" {
  address = "192.0.2.1:80"
  weight  = 100

  real_server "192.0.2.11" {
    weight = 100
  }
  slow_start {
    window     = "1m"
    aggression = 1.5
    min_weight = 0.05
  }
}
