package config

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// maxSecret is the authentication data field of RFC 2338 section 5.3.10.
const maxSecret = 8

// What an authentication block takes for the old types and for hmac.
var (
	secretNames = []string{"secret", "secret_file", "secret_env"}
	hmacNames   = []string{"mode", "active_key", "anti_replay", "time_window"}
)

func (c *checker) authentication(b *block, r *vrrp.Config) {
	auth := b.one("authentication")
	if auth == nil {
		return
	}
	if auth.str("type") == "hmac" {
		c.hmac(auth, r)
		return
	}
	for _, name := range hmacNames {
		if auth.written(name) && !auth.bad("type") {
			auth.addf(auth.where(name), "%s is for type \"hmac\"", name)
		}
	}
	for _, k := range auth.all("key") {
		if !auth.bad("type") {
			k.addf(k.header, "%s is for type \"hmac\"", k.name())
		}
	}
	hidden, ok := auth.secretOf("secret", c.in)
	s := hidden.Reveal()
	if !b.bad("version") && (r.Version != vrrp.V2 || !r.IPv4()) {
		auth.addf(auth.header, "authentication of the types \"pass\" and \"ah\" exists in version 2 over IPv4 only, %s is version %d over %s; \"hmac\" is for all", b.name(), r.Version, familyOf(r))
	}
	if ok && len(s) > maxSecret {
		for _, name := range secretNames {
			if auth.written(name) {
				auth.addf(auth.where(name), "%s: the secret has %d bytes, VRRP has room for %d; keepalived cuts longer ones off, so write the first %d bytes", name, len(s), maxSecret, maxSecret)
			}
		}
	}
	switch auth.str("type") {
	case "pass":
		r.Auth.Type = vrrp.AuthPass
	case "ah":
		r.Auth.Type = vrrp.AuthAH
	}
	r.Auth.Secret = vrrp.Secret(s)
}

// hmac reads what the authentication by trailer needs.
func (c *checker) hmac(auth *block, r *vrrp.Config) {
	for _, name := range secretNames {
		if auth.written(name) {
			auth.addf(auth.where(name), "%s is for the types \"pass\" and \"ah\"; hmac takes its secrets from key blocks", name)
		}
	}
	h := &vrrp.HMAC{ActiveKey: uint8(auth.num("active_key")), Window: auth.dur("time_window")}
	switch auth.str("mode") {
	case vrrp.HMACPermissive.String():
		h.Mode = vrrp.HMACPermissive
	case vrrp.HMACReceiveOnly.String():
		h.Mode = vrrp.HMACReceiveOnly
	}
	if auth.str("anti_replay") == vrrp.ReplayMonotonic.String() {
		h.AntiReplay = vrrp.ReplayMonotonic
		if auth.written("time_window") {
			auth.addf(auth.where("time_window"), "time_window has no effect with anti_replay = \"monotonic\"")
		}
	}
	whole := true // every key was read
	for _, k := range auth.all("key") {
		if key, ok := c.key(k); ok {
			h.Keys = append(h.Keys, key)
		} else {
			whole = false
		}
	}
	has := func(k vrrp.Key) bool { return k.ID == h.ActiveKey }
	switch {
	case !whole:
	case len(h.Keys) == 0:
		auth.addf(auth.header, "authentication of type \"hmac\" needs a key block")
	case h.ActiveKey == 0 && len(h.Keys) > 1 && !auth.bad("active_key"):
		auth.addf(auth.header, "authentication has %d keys: active_key must say which one signs", len(h.Keys))
	case h.ActiveKey != 0 && !slices.ContainsFunc(h.Keys, has):
		auth.addf(auth.where("active_key"), "active_key is %d, and there is no key %q", h.ActiveKey, strconv.Itoa(int(h.ActiveKey)))
	}
	r.HMAC = h
	*r = r.WithDefaults()
}

// hexPrefix marks hexadecimal digits in a secret or its file, as in
// keepalived's configuration.
const hexPrefix = "hex:"

// key reads one key block.
func (c *checker) key(k *block) (vrrp.Key, bool) {
	id, err := strconv.ParseUint(k.label, 10, 8)
	if err != nil || id == 0 || k.label != strconv.FormatUint(id, 10) {
		k.addf(k.header, "key %q: the label is the key's id, 1 to 255", k.label)
		return vrrp.Key{}, false
	}
	var text string
	at := k.where("hex")
	if _, ok := k.at["hex"]; ok {
		for _, name := range secretNames {
			if _, twice := k.at[name]; twice {
				k.addf(k.where(name), "hex and %s exclude each other", name)
				return vrrp.Key{}, false
			}
		}
		if k.bad("hex") {
			return vrrp.Key{}, false
		}
		text = hexPrefix + k.str("hex")
	} else {
		if !slices.ContainsFunc(secretNames, func(n string) bool { _, ok := k.at[n]; return ok }) {
			k.addf(k.header, "%s needs one of secret, secret_file, secret_env and hex", k.name())
			return vrrp.Key{}, false
		}
		hidden, ok := k.secretOf("secret", c.in)
		if !ok {
			return vrrp.Key{}, false
		}
		text = hidden.Reveal()
		for _, name := range secretNames {
			if k.written(name) {
				at = k.where(name)
			}
		}
	}
	if digits, ok := strings.CutPrefix(text, hexPrefix); ok {
		raw, err := hex.DecodeString(strings.TrimSpace(digits))
		if err != nil {
			k.addf(at, "key %q: not an even number of hexadecimal digits", k.label) // err would show one
			return vrrp.Key{}, false
		}
		text = string(raw)
	}
	if n := len(text); n < vrrp.MinKey || n > vrrp.MaxKey {
		k.addf(at, "key %q has %d bytes, must have %d to %d; `openssl rand -hex 32` makes 32 bytes in hexadecimal digits", k.label, n, vrrp.MinKey, vrrp.MaxKey)
		return vrrp.Key{}, false
	}
	return vrrp.Key{ID: uint8(id), Secret: vrrp.Secret(text)}, true
}
