package instance

// Cause is the likely cause of a kind of trouble in words, with what to look
// at: one sentence without a full stop.
func (k TroubleKind) Cause() string {
	switch k {
	case TroubleAuth:
		return "the secrets of the two configurations differ; neither router accepts the other, so both become master"
	case TroubleAuthType:
		return "the authentication of the two configurations differs; neither router accepts the other, so both become master"
	case TroubleUnsigned:
		return "the rollout of HMAC is not finished on all routers, or they are in different modes; a router that drops what the others send becomes master"
	case TroubleKey:
		return "a new key is not on all routers yet, or keepalived is older than 2.4.2"
	case TroubleDigest:
		return "the secrets of one key id differ, or somebody forges adverts"
	case TroubleClock:
		return "one of the two clocks is not kept by NTP"
	case TroubleStale:
		return "one of the two clocks is wrong, and both routers become master, or recorded adverts are sent again"
	case TroubleInterval:
		return "the advert intervals of the two configurations differ; version 2 drops such adverts, so both become master, version 3 takes over the master's"
	case TroubleVersion:
		return "the VRRP versions of the two configurations differ; neither router accepts the other, so both become master"
	case TroubleVRID:
		return "the virtual router ids of the two configurations differ, or the address was given to two virtual routers; neither knows of the other, so both become master"
	case TroubleAddresses:
		return "the address lists of the two configurations differ, as for a while during a rolling change; keepalived before 2.3.3 drops such adverts"
	case TroubleChecksum:
		return "adverts are damaged on their way, or the peer computes the checksum in a form that no RFC has"
	case TroubleChecksumForm:
		return "one router computes the checksum as RFC 9568 has it and the other as keepalived does by default; make them equal (checksum, keepalived's v3_checksum_as_v2), for a peer may drop what it does not expect"
	case TroubleTTL:
		return "the advert crossed a router, came another way than the peer's TTL bounds allow, or was forged"
	case TroubleMode:
		return "one of the two configurations has unicast peers, the other has not; neither router accepts the other, so both become master"
	case TroublePeer:
		return "the router is missing in our list of unicast peers, or sends from another of its addresses"
	case TroubleReplay:
		return "adverts are duplicated on their way, a router has started anew with a lower number (its clock was put back), two routers have one source address, or somebody replays recorded adverts"
	case TroubleMalformed:
		return "another program sends packets of protocol 112, or adverts are damaged on their way"
	case TroubleSecondMaster:
		return "the network between the two was cut and is whole again, or adverts pass in one direction only (a firewall, a broken switch or cable); for one advert it is normal during a takeover"
	case TroubleOwners:
		return "both configurations have priority 255, and only one host can own the addresses"
	case TroubleAddressLost:
		return "a network manager (systemd-networkd, NetworkManager, ifdown) or a person removed it"
	case TroubleLate:
		return "this process was stopped, starved or swapped out (see realtime_priority and lock_memory), or the host was suspended or migrated"
	case TroubleHost:
		return "the interface is missing or changing, or the process lacks CAP_NET_ADMIN"
	case TroubleConflict:
		return "another director still holds it (it does not hear our adverts: a cut network, a firewall, other settings; or it hangs), a real server behind direct routing answers ARP for it (arp_ignore and arp_announce are not set there), or a host was given the address"
	case TroubleBackupHolds:
		return "the address is configured on this host by something else (a network manager, another VRRP daemon, a person), or could not be taken off"
	case TroubleSplitBrain:
		return "both hosts hold the address, and clients reach the one or the other: take it off this host"
	case TroubleRouteLost:
		return "a network manager or a routing daemon removed it, a person did, or an interface that it needs went down"
	}
	return "unknown"
}
