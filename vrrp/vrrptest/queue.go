package vrrptest

import (
	"time"

	"github.com/edgekeeper/edgekeeper/vrrp"
)

// delivery is an advert that will reach a router.
type delivery struct {
	at       time.Duration
	order    uint64 // first sent, first delivered, when at is equal
	seq      uint64 // of the sender
	interval time.Duration
	from, to uint8
	member   uint8 // of a group, and its LAN
	priority uint8
	version  vrrp.Version
	unicast  bool
}

// heap is a binary heap of deliveries, the earliest first. The standard
// library's would put every delivery on the garbage-collected heap too.
type heap []delivery

func (h heap) less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}

func (h *heap) push(d delivery) {
	*h = append(*h, d)
	q := *h
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (h *heap) pop() delivery {
	q := *h
	first := q[0]
	last := len(q) - 1
	q[0] = q[last]
	q = q[:last]
	*h = q
	for i := 0; ; {
		small := i
		if l := 2*i + 1; l < last && q.less(l, small) {
			small = l
		}
		if r := 2*i + 2; r < last && q.less(r, small) {
			small = r
		}
		if small == i {
			return first
		}
		q[i], q[small] = q[small], q[i]
		i = small
	}
}
