package check

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// What is read of an answer.
const (
	maxBody   = 64 << 10 // for patterns
	maxAnswer = 1 << 20  // in all
)

// tcp makes a probe that connects, sends, and reads until the answer is as
// expected. Without anything to send or expect it closes again at once.
func (m *Maker) tcp(c discovery.Check, spec discovery.CheckSpec) (Probe, error) {
	expect, err := newExpectation(spec.Payload)
	if err != nil {
		return nil, err
	}
	return m.over(c, spec, "", nil, func(_ context.Context, conn net.Conn) (Note, error) {
		if spec.Payload.Send != "" {
			if _, err := io.WriteString(conn, spec.Payload.Send); err != nil {
				return Note{}, err
			}
		}
		return Note{}, expect.read(conn)
	}), nil
}

// expectation is what an answer must be. The zero value takes any.
type expectation struct {
	pattern *regexp.Regexp
	prefix  *mask
}

func newExpectation(p discovery.PayloadSpec) (e expectation, err error) {
	if p.Expect != "" {
		if e.pattern, err = regexp.Compile(p.Expect); err != nil {
			return e, fmt.Errorf("expect: %w", err)
		}
	}
	if p.ExpectHex != "" {
		if e.prefix, err = newMask(p.ExpectHex); err != nil {
			return e, fmt.Errorf("expect_hex: %w", err)
		}
	}
	return e, nil
}

func (e expectation) any() bool { return e.pattern == nil && e.prefix == nil }

// met reports whether an answer is as expected, and whether more of it could
// change that.
func (e expectation) met(answer []byte) (ok, more bool) {
	ok = true
	if e.prefix != nil {
		ok, more = e.prefix.match(answer)
		if !ok && !more {
			return false, false
		}
	}
	if e.pattern != nil && !e.pattern.Match(answer) {
		ok, more = false, true
	}
	return ok, more && !ok
}

// read reads a stream until it is as expected or cannot become so.
func (e expectation) read(r io.Reader) error {
	if e.any() {
		return nil
	}
	var answer []byte
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		answer = append(answer, buf[:n]...)
		if n > 0 {
			ok, more := e.met(answer)
			switch {
			case ok:
				return nil
			case !more || len(answer) >= maxBody:
				return errMatch
			}
		}
		switch {
		case err != nil && len(answer) > 0 && (timedOut(err) || errors.Is(err, io.EOF)):
			return errMatch
		case err != nil:
			return err
		}
	}
}

// mask is bytes of which some half ones do not matter.
type mask struct{ value, care []byte }

// newMask takes hexadecimal digits, x for one that does not matter, and spaces
// between bytes.
func newMask(text string) (*mask, error) {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	value, err := hex.DecodeString(strings.ReplaceAll(text, "x", "0"))
	if err != nil {
		return nil, err
	}
	care, err := hex.DecodeString(strings.Map(func(r rune) rune {
		if r == 'x' {
			return '0'
		}
		return 'f'
	}, text))
	return &mask{value, care}, err
}

// match reports whether the answer begins with the mask, and whether it is too
// short to tell.
func (m *mask) match(answer []byte) (ok, more bool) {
	for i := range m.value {
		if i == len(answer) {
			return false, true
		}
		if answer[i]&m.care[i] != m.value[i]&m.care[i] {
			return false, false
		}
	}
	return true, false
}
