package file

import (
	"errors"
	"fmt"
	"strings"
)

// kind is the kind of a node.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

func (k kind) String() string {
	switch k {
	case null:
		return "null"
	case boolean:
		return "a boolean"
	case number:
		return "a number"
	case text:
		return "a string"
	case list:
		return "a list"
	case object:
		return "an object"
	}
	return "unknown"
}

// pos is a place in a file; line and column count from 1, columns in bytes.
type pos struct {
	file      string
	line, col int
}

func (p pos) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.col) }

func (p pos) errorf(format string, args ...any) error {
	return &placedError{p, fmt.Sprintf(format, args...)}
}

// placedError is a mistake and its place.
type placedError struct {
	at   pos
	what string
}

func (e *placedError) Error() string { return e.at.String() + ": " + e.what }

// node is a value of HCL or JSON with its place: what the two have in common.
type node struct {
	at      pos
	kind    kind
	bool    bool
	text    string // of a string; of a number, as written
	list    []*node
	members []member
}

type member struct {
	at  pos
	key string
	val *node
}

// canonical makes Consul's two key styles equal.
func canonical(key string) string {
	return strings.ReplaceAll(strings.ToLower(key), "_", "")
}

// errs gathers mistakes, so that all of a file are told at once.
type errs []error

func (e *errs) add(at pos, format string, args ...any) { *e = append(*e, at.errorf(format, args...)) }

func (e errs) err() error { return errors.Join(e...) }
