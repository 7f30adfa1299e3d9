package instance

import "sync"

// queue hands values from goroutines that must not wait to one that does.
type queue[T any] struct {
	mu    *sync.Mutex
	items *[]T
	ready chan struct{} // holds one token while items is not empty
}

func newQueue[T any]() queue[T] {
	return queue[T]{mu: new(sync.Mutex), items: new([]T), ready: make(chan struct{}, 1)}
}

func (q queue[T]) put(v T) {
	q.mu.Lock()
	*q.items = append(*q.items, v)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns what has been put since the last take.
func (q queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := *q.items
	*q.items = nil
	return items
}
