package agent

import (
	"testing"

	"github.com/edgekeeper/edgekeeper/discovery"
	"github.com/edgekeeper/edgekeeper/vrrp"
)

func TestPosture(t *testing.T) {
	for _, c := range []struct {
		role     vrrp.State
		mode     discovery.ActiveOn
		programs bool
	}{
		{vrrp.Init, discovery.Always, true},
		{vrrp.Backup, discovery.Always, true},
		{vrrp.Master, discovery.Always, true},
		{vrrp.Fault, discovery.Always, true},
		{vrrp.Init, discovery.OnMaster, false},
		{vrrp.Backup, discovery.OnMaster, false},
		{vrrp.Master, discovery.OnMaster, true},
		{vrrp.Fault, discovery.OnMaster, false},
	} {
		t.Run(c.role.String()+" "+c.mode.String(), func(t *testing.T) {
			if got := posture(c.role, c.mode); got != c.programs {
				t.Errorf("programs %v, want %v", got, c.programs)
			}
		})
	}
}
