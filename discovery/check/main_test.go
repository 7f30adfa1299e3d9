//go:build !priv

package check

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(sinkVariable) != "" {
		sink()
		return
	}
	goleak.VerifyTestMain(m)
}
