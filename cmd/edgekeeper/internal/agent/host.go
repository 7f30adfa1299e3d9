package agent

import (
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/vrrp/instance"
)

// lossPolicy turns the word of the configuration into that of the runner.
func lossPolicy(p config.LossPolicy) instance.LossPolicy {
	if p == config.LossStepDown {
		return instance.LossStepDown
	}
	return instance.LossRestore
}

// movedStatus renders what moves with the addresses, and what others did to it.
func movedStatus(s instance.Status, out *control.Router) {
	for _, r := range s.Routes {
		out.Routes = append(out.Routes, r.String())
	}
	for _, r := range s.Rules {
		out.Rules = append(out.Rules, r.String())
	}
	out.RoutesLost = s.Counters.RoutesLost
}
