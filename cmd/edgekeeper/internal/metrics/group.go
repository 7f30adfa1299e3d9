package metrics

import "github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"

var groupState = desc("vrrp_group_state", "1 for the state the sync group is in: MASTER when all its members are.", "group", "state")

func (e emitter) group(g control.SyncGroup) {
	for _, state := range []string{"INIT", "BACKUP", "MASTER", "FAULT"} {
		e.flag(groupState, g.State == state, g.Name, state)
	}
}
