// Package interop holds the privileged tests of the virtual router: real
// sockets, real addresses, real processes in network namespaces, alone and
// together with keepalived and tshark. There is no code in it.
//
//	go test -tags priv ./vrrp/interop
package interop
