//go:build priv

package socket_test

import (
	"testing"

	"github.com/edgekeeper/edgekeeper/test/netns"
)

func TestMain(m *testing.M) { netns.Main(m, nil) }
