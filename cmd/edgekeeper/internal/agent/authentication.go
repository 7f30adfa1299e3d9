package agent

import (
	"fmt"
	"reflect"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// sign gives a router that runs the keys and the mode of a new configuration.
func (r *routers) sign(x *router, h *vrrp.HMAC) {
	if reflect.DeepEqual(x.hmac, h) {
		return
	}
	text := "none"
	if h != nil {
		text = fmt.Sprint(h)
	}
	if err := x.runner.SetHMAC(h); err != nil { // package config has asked the same
		r.agent.event("vrrp", x.cfg.Router.Name, err.Error())
		return
	}
	x.hmac = h
	r.agent.event("vrrp", x.cfg.Router.Name, "authentication of adverts: "+text)
}

// authentication renders the signing of adverts for status, nil for none.
func authentication(s instance.Status) *control.Authentication {
	if s.HMAC == nil {
		return nil
	}
	out := &control.Authentication{Mode: s.HMAC.Mode.String(), ActiveKey: int(s.HMAC.ActiveKey), Signed: s.HMAC.Signed, Unsigned: s.HMAC.Unsigned}
	for _, id := range s.HMAC.Keys {
		out.Keys = append(out.Keys, int(id))
	}
	return out
}

// checksums renders the forms of checksums that were heard.
func checksums(s instance.Status) map[string]uint64 {
	out := map[string]uint64{}
	for form, n := range s.Counters.Checksums {
		if n > 0 {
			out[vrrp.ChecksumForm(form).String()] = n
		}
	}
	return out
}
