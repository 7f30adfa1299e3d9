// Package consul reads services and tuning keys from Consul.
//
// A [Source] asks /v1/health/service/:name for every query it is given and a
// [KV] asks for every key below a prefix, both as blocking queries. They emit a
// value when the content differs from the one emitted last, or when an error
// has just ended; they emit an error when it begins or when its text changes.
// An error is never an empty answer, and whoever listens keeps what came
// before.
//
// # What counts as an error
//
// Besides failed requests and HTTP statuses other than 200 (404 for keys):
//
//   - X-Consul-KnownLeader: false. A server without a leader answers stale
//     reads from whatever it has, which after a restart is nothing.
//   - X-Consul-Results-Filtered-By-ACLs: true. Consul does not refuse a read of
//     services that the token may not see; it leaves them out of a 200.
//   - An empty answer to an anonymous request where the default policy is deny:
//     there Consul leaves them out and does not say so.
//
// # Blocking queries
//
// The rules are those of Consul's documentation of blocking queries: an index
// lower than the one before starts again from none, 0 counts as 1, an answer
// is no proof of a change. Two requests of one query start at least 100 ms
// apart plus a dither. After an error the pause is 250 ms doubling to 8 s, with
// jitter, and 2 s to 60 s when Consul says 429.
//
// Reads are stale reads. One whose server was last in contact with the leader
// longer than MaxStale ago is repeated as a default read, and one whose index is
// lower than that of the answer before as a consistent read.
//
// An agent answers blocking queries on service health from its streaming
// backend (the default since Consul 1.10). Such an answer carries neither
// KnownLeader nor LastContact, and a view that has not been filled when the
// wait ends comes out as an empty list with status 200. It is therefore taken
// as a wake-up only: what is believed comes from a plain read that follows.
package consul
