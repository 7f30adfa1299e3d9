package vip

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// routeFeed are the kernel's notifications about routes and rules, for a host
// that has some. A channel that nobody asked for is nil; one that is closed has
// ended, and failed says why.
type routeFeed struct {
	routes chan netlink.RouteUpdate
	rules  chan struct{} // a rule went
	done   chan struct{}

	mu      sync.Mutex
	failure error
}

// subscribeRoutes listens to what is wanted: a router with a full table has many
// notifications of routes.
func subscribeRoutes(routes, rules bool) (*routeFeed, error) {
	f := &routeFeed{done: make(chan struct{})}
	if routes {
		ch := make(chan netlink.RouteUpdate, 64)
		if err := netlink.RouteSubscribeWithOptions(ch, f.done, netlink.RouteSubscribeOptions{ErrorCallback: f.fail}); err != nil {
			f.close()
			return nil, fmt.Errorf("subscribe to routes: %w", err)
		}
		f.routes = ch
	}
	if rules {
		if err := f.subscribeRules(); err != nil {
			f.close()
			return nil, fmt.Errorf("subscribe to rules: %w", err)
		}
	}
	return f, nil
}

// subscribeRules is what the library has for links, addresses and routes.
func (f *routeFeed) subscribeRules() error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE)
	if err != nil {
		return err
	}
	go func() {
		<-f.done
		s.Close()
	}()
	f.rules = make(chan struct{}, 1)
	go func() {
		defer close(f.rules)
		for {
			messages, from, err := s.Receive()
			if err != nil {
				f.fail(err)
				return
			}
			for _, m := range messages {
				if from.Pid != nl.PidKernel || m.Header.Type != unix.RTM_DELRULE {
					continue
				}
				select {
				case f.rules <- struct{}{}:
				default: // one look is enough for all
				}
			}
		}
	}()
	return nil
}

func (f *routeFeed) fail(err error) {
	f.mu.Lock()
	f.failure = errors.Join(f.failure, err)
	f.mu.Unlock()
}

func (f *routeFeed) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// close ends the feed and waits for the goroutines behind them.
func (f *routeFeed) close() {
	close(f.done)
	if f.routes != nil {
		drain(f.routes)
	}
	if f.rules != nil {
		drain(f.rules)
	}
}
