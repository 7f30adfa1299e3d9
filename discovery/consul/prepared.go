package consul

import (
	"context"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// readPrepared executes a prepared query, which looks in other datacenters as
// its definition says. Consul does not block for it, and leaves out instances
// that are critical.
func (s *Source) readPrepared(ctx context.Context, q discovery.Query, opts *api.QueryOptions) (health, *api.QueryMeta, error) {
	answer, meta, err := s.cfg.Client.PreparedQuery().Execute(q.Prepared, opts)
	if err != nil {
		return health{}, nil, fmt.Errorf("execute prepared query %q: %w", q.Prepared, err)
	}
	switch {
	case answer == nil || answer.Nodes == nil:
		return health{}, nil, fmt.Errorf("execute prepared query %q: %w: no nodes", q.Prepared, ErrMalformed)
	case answer.Service != q.Service:
		return health{}, nil, fmt.Errorf("execute prepared query %q: it is for service %q, and not for %q", q.Prepared, line(answer.Service), q.Service)
	}
	if len(answer.Nodes) == 0 {
		if err := anonymous(ctx, s.cfg.Client, meta); err != nil {
			return health{}, nil, err
		}
	}
	entries := make([]*api.ServiceEntry, len(answer.Nodes))
	for i := range answer.Nodes {
		entries[i] = &answer.Nodes[i]
	}
	h, err := healthOf(q, entries)
	if err != nil {
		return health{}, nil, fmt.Errorf("execute prepared query %q: %w", q.Prepared, err)
	}
	return h, meta, nil
}
