package consul

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/consul/api"
)

// addressOf gives the address and port that a client should use, by Consul's own
// order (agent.TranslateAddresses): that of the service, else the node's; the
// same for a tagged address, whose port may be its own. An instance without the
// tagged address has no address, for the ordinary one leads elsewhere.
func addressOf(e *api.ServiceEntry, tag string) (string, int, error) {
	if tag == "" {
		return cmp.Or(e.Service.Address, e.Node.Address), e.Service.Port, nil
	}
	if a, ok := e.Service.TaggedAddresses[tag]; ok && a.Address != "" {
		return a.Address, cmp.Or(a.Port, e.Service.Port), nil
	}
	if a := e.Node.TaggedAddresses[tag]; a != "" && e.Service.Address == "" {
		return a, e.Service.Port, nil
	}
	return "", 0, fmt.Errorf("service %q on node %q has no tagged address %q", e.Service.ID, e.Node.Node, tag)
}
