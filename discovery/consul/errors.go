package consul

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/consul/api"
)

// Why an answer with status 200 is not believed.
var (
	// ErrNoLeader means that the answering server knows no leader.
	ErrNoLeader = errors.New("no known leader: the answer may be empty or old")
	// ErrFiltered means that the token may not see all of the answer.
	ErrFiltered = errors.New("the token may not read everything that was asked for (service:read and node:read, or key:read, is needed)")
	// ErrAnonymous means that the request carried no token, the default policy
	// is deny and the answer is empty, so it may have been emptied by ACLs.
	ErrAnonymous = errors.New("empty answer without a token while the default ACL policy is deny: it cannot be told from a refusal")
	// ErrMalformed means that the answer is not what Consul answers.
	ErrMalformed = errors.New("malformed answer")
)

// believable looks at what Consul says about its own answer.
func believable(meta *api.QueryMeta) error {
	switch {
	case !meta.KnownLeader:
		return ErrNoLeader
	case meta.ResultsFilteredByACLs:
		return ErrFiltered
	}
	return nil
}

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// statusCode gives the HTTP status that err is about, or 0.
func statusCode(err error) int {
	var status api.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

// errText gives err as one short line that stays the same while the trouble
// does: no URL with its index, no port of ours.
func errText(err error) string {
	var (
		status api.StatusError
		op     *net.OpError
		ue     *url.Error
	)
	switch {
	case errors.As(err, &status):
		return line(fmt.Sprintf("status %d: %s", status.Code, status.Body))
	case errors.As(err, &op):
		addr := ""
		if op.Addr != nil {
			addr = " " + op.Addr.String()
		}
		return line(op.Op + addr + ": " + op.Err.Error())
	case errors.As(err, &ue):
		return line(ue.Err.Error())
	}
	return line(err.Error())
}

// line gives the first line of s without control characters, at most 200 bytes.
// It goes to terminals, and what services print is not ours to trust.
func line(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		s = s[:i]
	}
	s = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	const most = 200
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.TrimSpace(s)
}
