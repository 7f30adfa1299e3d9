// Package interop holds the privileged tests of the virtual router: real
// sockets, real addresses, real processes in network namespaces, alone and
// together with keepalived and tshark. There is no code in it.
//
//	go test -tags priv ./vrrp/interop
//
// TestMatrix is the table: each mode (version, family, multicast or unicast,
// authentication), with ours as master and keepalived as backup and the other
// way round, through each fault. Times are those of the kernel, of the packets
// on the cable; what a busy machine adds to a timer is measured and allowed for.
package interop
