package agent

import (
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
)

// nomadClient makes a client of what the configuration says, which already has
// the environment in it. It opens no connection.
func nomadClient(n *config.Nomad) (*api.Client, error) {
	c, err := api.NewClient(&api.Config{
		Address: n.Address, SecretID: n.Token.Reveal(), Region: n.Region, Namespace: n.Namespace,
		TLSConfig: &api.TLSConfig{CACert: n.CACert, ClientCert: n.ClientCert, ClientKey: n.ClientKey, TLSServerName: n.TLSServerName},
	})
	if err != nil {
		return nil, fmt.Errorf("make nomad client: %w", err)
	}
	return c, nil
}
