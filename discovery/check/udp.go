package check

import (
	"context"
	"errors"
	"io"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// udp makes a probe that sends a datagram. Where an answer is expected it must
// come; else the target is healthy when the timeout ends without an ICMP error,
// or an answer comes before, which is all that can be known of UDP.
func (m *Maker) udp(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	expect, err := newExpectation(spec.Payload)
	if err != nil {
		return nil, err
	}
	w := wayTo(c, spec)
	return bare(func(ctx context.Context) error {
		conn, stop, err := w.udp(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		defer stop()
		err = exchange(conn, spec.Payload.Send, expect)
		if expect.any() && timedOut(err) && !errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
		return err
	}), nil
}

func exchange(conn io.ReadWriter, send string, expect expectation) error {
	if _, err := io.WriteString(conn, send); err != nil {
		return err
	}
	buf := make([]byte, maxBody)
	n, err := conn.Read(buf)
	if err != nil {
		return err
	}
	if expect.any() {
		return nil
	}
	if ok, _ := expect.met(buf[:n]); !ok {
		return errMatch
	}
	return nil
}
