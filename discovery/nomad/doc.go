// Package nomad reads Nomad's native services (provider = "nomad").
//
// A [Source] asks /v1/service/:name for every query it is given and /v1/nodes
// once for all of them, as blocking queries, and emits as discovery/consul does:
// a value when the content differs from the one emitted last or an error has just
// ended, an error when it begins or when its text changes. An error is never an
// empty answer, and whoever listens keeps what came before.
//
// Nomad's registrations carry no health: Nomad takes one away when its allocation
// stops, and what its checks say stays with the client. What is known of a real
// server beside its registration is the state of its node: one that drains is in
// maintenance, so its real servers drain before their allocations are stopped,
// and one that is down is critical. The rest is for native checks.
//
// [Stops] asks about what a catalog lists no longer, Nomad's own or Consul:
// whether Nomad stops its allocation.
//
// The rules of blocking queries are those of discovery/consul: an index lower
// than the one before starts again from none, 0 counts as 1, two requests of one
// query start at least 100 ms apart, errors back off to 8 s, an answer of a
// server without a leader is an error, and one of a server that is behind (too
// long without the leader, or with an older index than the answer before it) is
// asked for again from the leader.
package nomad
