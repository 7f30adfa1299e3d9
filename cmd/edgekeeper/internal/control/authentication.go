package control

import "net/netip"

// Peers are the routers that adverts go to by unicast.
type Peers struct {
	Addresses []netip.Addr `json:"addresses"`
	From      string       `json:"from"`              // config, or the query
	Problem   string       `json:"problem,omitempty"` // why the query's last good answer stands
}

// Authentication is how far the signing of adverts is.
type Authentication struct {
	Mode      string `json:"mode"`
	ActiveKey int    `json:"active_key"`
	Keys      []int  `json:"keys"`             // ids
	Signed    uint64 `json:"adverts_signed"`   // accepted with a right signature since keys or mode changed
	Unsigned  uint64 `json:"adverts_unsigned"` // accepted without one: in mode enforce they would be dropped
}
