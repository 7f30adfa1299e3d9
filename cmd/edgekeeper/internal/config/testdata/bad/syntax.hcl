router_id = "lvs1

vrrp "VI_1" {
}

# want: 1:18: invalid multi-line string: quoted strings may not be split over multiple lines
