package consul

import (
	"context"
	"net/http"

	"github.com/hashicorp/consul/api"
)

// anonymousAccessor is the accessor of the token that Consul uses for requests
// without one. Consul 1.22 does not tell a stranger that it is that one, it
// answers 403.
const anonymousAccessor = "00000000-0000-0000-0000-000000000002"

// anonymous says whether an empty answer may have been emptied by ACLs without
// a word. Consul hides X-Consul-Results-Filtered-By-ACLs from requests without
// a token (so as not to tell strangers what exists), hence the question who we
// are. An agent can give its own token to requests without one; then the header
// was not hidden and the answer is as good as any.
func anonymous(ctx context.Context, client *api.Client, meta *api.QueryMeta) error {
	if meta.DefaultACLPolicy != "deny" || meta.ResultsFilteredByACLs || meta.QueryBackend == api.QueryBackendStreaming {
		return nil
	}
	self, _, err := client.ACL().TokenReadSelf((&api.QueryOptions{AllowStale: true}).WithContext(ctx))
	if err != nil {
		switch statusCode(err) {
		case http.StatusUnauthorized:
			return nil // ACLs are off: the policy is a setting without effect
		case http.StatusForbidden:
			return ErrAnonymous
		}
		return err
	}
	if self.AccessorID == anonymousAccessor {
		return ErrAnonymous
	}
	return nil
}
