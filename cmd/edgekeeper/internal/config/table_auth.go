package config

import (
	"slices"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

var authenticationType = &blockType{
	name: "authentication", single: true,
	doc: "Authentication of adverts. `hmac` is for every version and family: each advert ends in an HMAC-SHA256 and a sequence number, as keepalived 2.4.2 and later send with `auth_hmac`, so that adverts can neither be forged nor recorded and sent again. " +
		"[Operations](operations.md#signed-adverts) says how it is brought in and how keys are exchanged without a break. " +
		"`pass` and `ah` exist in version 2 over IPv4 only, and travel in clear or with a weak digest: they keep strangers' routers apart by mistake, not attackers out. They need exactly one of the three secrets; `hmac` needs `key` blocks instead.",
	args: []argument{
		{name: "type", kind: text, required: true, choices: []string{"hmac", "pass", "ah"}, doc: "`hmac`: HMAC-SHA256 trailer. `pass`: clear text password. `ah`: IP authentication header, HMAC-MD5-96, as keepalived sends it."},
		{name: "secret", kind: secret, doc: "`pass` and `ah`: the secret, 1 to 8 bytes. Never shown."},
		{name: "secret_file", kind: text, doc: "File that holds the secret; line ends at its end do not count."},
		{name: "secret_env", kind: text, doc: "Environment variable that holds the secret."},
		{name: "mode", kind: text, def: vrrp.HMACEnforce.String(), choices: []string{vrrp.HMACEnforce.String(), vrrp.HMACPermissive.String(), vrrp.HMACReceiveOnly.String()}, doc: "`hmac`: `enforce` signs, and drops adverts that are not signed; `permissive` signs, and takes unsigned ones too; `receive-only` does not sign. A signature that is there must be right in every mode."},
		{name: "active_key", kind: number, def: "0", defText: "the only key", lo: 1, hi: 255, doc: "`hmac`: id of the key that signs our adverts."},
		{name: "anti_replay", kind: text, def: vrrp.ReplayTime.String(), choices: []string{vrrp.ReplayTime.String(), vrrp.ReplayMonotonic.String()}, doc: "`hmac`: `time` takes adverts whose sender's clock is within `time_window` of ours and whose sequence grows; the routers' clocks must agree (NTP). `monotonic` asks for growth only."},
		{name: "time_window", kind: duration, def: "0s", defText: "three `advert_interval`, at least 5 s", lo: second, hi: 300 * second, unit: second, doc: "`hmac`: how far the clocks of two routers may differ, whole seconds. Shorter than `advert_interval`, it keeps the guardian's resignation, which is up to an interval old, from being heard."},
	},
	blocks: []*blockType{keyType},
}

var unicastPeerType = &blockType{
	name: "unicast_peer", label: "the address of another router", unique: true,
	doc: "A unicast peer like those in `unicast_peers`, with bounds for the TTL (IPv6: hop limit) of its adverts. Peers on one link that send 255 are kept apart from everybody else by `min_ttl = 255`, as multicast always is.",
	args: []argument{
		{name: "min_ttl", kind: number, def: "1", lo: 1, hi: 255, doc: "Least TTL."},
		{name: "max_ttl", kind: number, def: "255", lo: 1, hi: 255, doc: "Greatest TTL."},
	},
}

var unicastServiceType = &blockType{
	name: "unicast_service", label: "the service's name in the catalog", single: true,
	doc: "Unicast peers from a catalog: the addresses of all instances of a service, whatever their health, but for this host's own. Directors register it, and need not be listed on each other. " +
		"The list follows the catalog while the router runs. An error and an answer that names nobody else change nothing, and are reported; the last known peers are in `state_dir` and are used at the next start. As long as none has ever been known, the router is in state FAULT, as with keepalived's `unicast_fault_no_peer`. It excludes `unicast_peers` and `unicast_peer`.",
	args: slices.Concat(catalogArgs, []argument{
		{name: "linger", kind: duration, def: "10m", lo: 0, hi: maxDelay, doc: "Time for which an address that the catalog no longer holds remains a peer. A director that is up but lost its registration must go on hearing the others and being heard: cut off, it would be a second master."},
		{name: "min_ttl", kind: number, def: "1", lo: 1, hi: 255, doc: "Least TTL (IPv6: hop limit) of the peers' adverts."},
		{name: "max_ttl", kind: number, def: "255", lo: 1, hi: 255, doc: "Greatest TTL."},
	}),
}

var keyType = &blockType{
	name: "key", label: "the key's id, `\"1\"` to `\"255\"`, the same on all routers", unique: true,
	doc: "A secret of 32 to 64 bytes that adverts may be signed with; several during an exchange. It begins with `hex:` where it is written in hexadecimal digits, as in keepalived's `auth_hmac`. Exactly one of the four is needed.",
	args: []argument{
		{name: "secret", kind: secret, doc: "The secret. Never shown."},
		{name: "secret_file", kind: text, doc: "File that holds the secret; line ends at its end do not count."},
		{name: "secret_env", kind: text, doc: "Environment variable that holds the secret."},
		{name: "hex", kind: secret, doc: "The secret in hexadecimal digits, without `hex:` before them. Never shown."},
	},
}
