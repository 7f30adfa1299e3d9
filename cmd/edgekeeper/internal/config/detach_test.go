package config

import (
	"testing"
	"unsafe"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/lvs"
)

// TestDetach: the words are the same ones, and no part of what was read.
func TestDetach(t *testing.T) {
	text := "web wrr zzz"
	specs := []discovery.Spec{
		{Name: text[:3], Service: lvs.Service{Scheduler: text[4:7]}},
		{Name: text[:3], Service: lvs.Service{Scheduler: text[8:]}}, // a mistake, and told already
	}
	detach(specs)
	if a, b := specs[0], specs[1]; a.Name != "web" || a.Service.Scheduler != "wrr" || b.Name != "web" || b.Service.Scheduler != "zzz" {
		t.Errorf("%q %q, %q %q", a.Name, a.Service.Scheduler, b.Name, b.Service.Scheduler)
	}
	for _, word := range []string{specs[0].Name, specs[0].Service.Scheduler, specs[1].Name} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(word))) - uintptr(unsafe.Pointer(unsafe.StringData(text))); at < uintptr(len(text)) {
			t.Errorf("%q is a part of what was read", word)
		}
	}
}
