package consul

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// readNode reads the checks of a node (discovery.Query.Node), those of its
// services too. Each is an instance: ID is the check's id, Service its name, and
// State and Reason say what it says. A check of a node in maintenance is that.
func (s *Source) readNode(ctx context.Context, q discovery.Query, opts *api.QueryOptions) (health, *api.QueryMeta, error) {
	checks, meta, err := s.cfg.Client.Health().Node(q.Node, opts)
	if err != nil {
		return health{}, nil, fmt.Errorf("read checks of node %q: %w", q.Node, err)
	}
	if checks == nil {
		return health{}, nil, fmt.Errorf("read checks of node %q: %w: null", q.Node, ErrMalformed)
	}
	if len(checks) == 0 {
		if err := anonymous(ctx, s.cfg.Client, meta); err != nil {
			return health{}, nil, err
		}
	}
	var h health
	maintained := slices.IndexFunc(checks, func(c *api.HealthCheck) bool { return c != nil && c.CheckID == api.NodeMaint })
	for _, c := range checks {
		if c == nil {
			return health{}, nil, fmt.Errorf("read checks of node %q: %w: null check", q.Node, ErrMalformed)
		}
		in := discovery.Instance{Service: c.Name, ID: c.CheckID, Node: c.Node}
		in.State, in.Reason = judge(api.HealthChecks{c})
		if maintained >= 0 {
			in.State, in.Reason = judge(api.HealthChecks{checks[maintained]})
		}
		h.instances = append(h.instances, in)
	}
	slices.SortFunc(h.instances, func(a, b discovery.Instance) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Service, b.Service))
	})
	return h, meta, nil
}
