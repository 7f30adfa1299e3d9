package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Failures that probes of this package find themselves.
var (
	errBody    = errors.New("body does not match")
	errBodyNot = errors.New("body matches what it must not")
	errDigest  = errors.New("digest of the body does not match")
	errMatch   = errors.New("the answer does not match")
	errLong    = errors.New("the answer's header is too long")
	errClosed  = errors.New("connection closed without an answer")
	errNoHTTP2 = errors.New("the server does not speak HTTP/2")
)

// statusError is a status outside the accepted range.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// localError is an attempt that could not be made because of something on this
// host, so that it says nothing about the target.
type localError struct {
	what string
	err  error
}

func (e *localError) Error() string { return e.what + ": " + e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

func isErrno(err error, n syscall.Errno) bool { return errors.Is(err, n) }

// panicError is a probe that panicked.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("probe panicked: %v", e.value) }

// timedOut reports whether err is the end of the attempt's time.
func timedOut(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &ne) && ne.Timeout()
}

// ours reports whether an attempt failed for want of something on this host, so
// that it says nothing about the target.
func ours(err error) bool {
	var local *localError
	if errors.As(err, &local) {
		return true
	}
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EADDRINUSE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// reason gives a failure as a few words that stay the same while the trouble
// does.
func reason(err error, timeout time.Duration) string {
	var local *localError
	if errors.As(err, &local) {
		return printable(local.Error())
	}
	var silent *silence
	if errors.As(err, &silent) {
		return fmt.Sprintf("%s within %s: the real server may not have it", silent, timeout)
	}
	if timedOut(err) {
		return "timeout after " + timeout.String()
	}
	for _, e := range []struct {
		is   error
		text string
	}{
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.EHOSTUNREACH, "no route to host"},
		{syscall.ENETUNREACH, "network is unreachable"},
		{syscall.ECONNRESET, "connection reset"},
		{syscall.EPIPE, "connection reset"},
		{io.EOF, errClosed.Error()},
		{io.ErrUnexpectedEOF, "connection closed in the middle of the answer"},
	} {
		if errors.Is(err, e.is) {
			return e.text
		}
	}
	if text := tlsReason(err); text != "" {
		return "tls: " + text
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without addresses, whose local port differs each time
	}
	return cmp.Or(printable(err.Error()), "an error without a text")
}

func tlsReason(err error) string {
	var (
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		header  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore) {
			return "certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339)
		}
		if invalid.Cert != nil {
			return "certificate expired " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339)
		}
		return "certificate expired"
	case errors.As(err, &invalid):
		return printable(strings.TrimPrefix(invalid.Error(), "x509: "))
	case errors.As(err, &host):
		return "certificate is not for " + printable(host.Host)
	case errors.As(err, &unknown):
		return "certificate signed by unknown authority"
	case errors.As(err, &header):
		return "the answer is not TLS"
	case errors.As(err, &alert):
		return printable(strings.TrimPrefix(alert.Error(), "tls: "))
	}
	return ""
}

// printable keeps what a target sent from doing harm to a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
