package reconcile_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/edgekeeper/edgekeeper/lvs"
	"github.com/edgekeeper/edgekeeper/lvs/lvstest"
	"github.com/edgekeeper/edgekeeper/lvs/reconcile"
)

// batches remembers how many ops each call had.
type batches struct {
	*lvstest.Kernel
	mu  sync.Mutex
	had []int
}

func (b *batches) Apply(ctx context.Context, ops []lvs.Op) []error {
	b.mu.Lock()
	b.had = append(b.had, len(ops))
	b.mu.Unlock()
	return b.Kernel.Apply(ctx, ops)
}

// A virtual server without real servers refuses connections, so it goes to the
// driver in one piece with them.
func TestNewVirtualServerComesWithItsRealServers(t *testing.T) {
	driver := &batches{Kernel: &lvstest.Kernel{}}
	r := reconcile.New(driver, reconcile.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	if err := r.WaitFor(ctx, r.Set(desired(pool(web, dest(1, 1), dest(2, 1))))); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := []int{3}; !slices.Equal(driver.had, want) {
		t.Errorf("calls with %v ops, want %v", driver.had, want)
	}
}
