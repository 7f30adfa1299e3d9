package config

import (
	"math"
	"strconv"
	"time"
)

// kind is the type of an argument's value.
type kind uint8

const (
	text     kind = iota // a string
	secret               // a string that no message repeats
	number               // a whole number
	ratio                // a number from 0 to 1
	factor               // a number from minFactor to maxFactor
	boolean              // true or false
	duration             // a string: "250ms"
	texts                // a list of strings
)

var kindNames = map[kind]string{
	text: "string", secret: "string", number: "number", ratio: "number", factor: "number", boolean: "bool", duration: "duration", texts: "list of strings",
}

// argument is one row of the table from which the decoder takes names, types,
// ranges and defaults, and the reference takes its text. Nothing else in the
// package knows a default.
type argument struct {
	name     string
	kind     kind
	def      string // default as the value is written, without quotes; empty: the zero value
	defText  string // the reference's wording of a default that is not a constant
	required bool
	choices  []string // text: the only values
	lo, hi   int64    // number and duration (in nanoseconds): inclusive bounds; both 0 = none
	unit     int64    // duration: a multiple of this many nanoseconds; 0 = any
	raw      bool     // text: control characters are allowed
	only     []string // labels of the block that take the argument; nil = all
	doc      string
}

// blockType describes a kind of block.
type blockType struct {
	name   string
	label  string   // what its one label is; empty: the block has no label
	labels []string // the only labels; nil = any
	second string   // what its second label is; empty: there is none
	many   string   // plural of the name in messages; empty: the name and an s
	single bool     // at most one in its parent
	unique bool     // no two with one label in the whole configuration
	doc    string
	args   []argument
	blocks []*blockType
	sample string // HCL for the reference
}

func (t *blockType) arg(name string) *argument {
	for i := range t.args {
		if t.args[i].name == name {
			return &t.args[i]
		}
	}
	return nil
}

func (t *blockType) block(name string) *blockType {
	for _, b := range t.blocks {
		if b.name == name {
			return b
		}
	}
	return nil
}

func (t *blockType) argNames() []string {
	names := make([]string, len(t.args))
	for i, a := range t.args {
		names[i] = a.name
	}
	return names
}

func (t *blockType) blockNames() []string {
	names := make([]string, len(t.blocks))
	for i, b := range t.blocks {
		names[i] = b.name
	}
	return names
}

// zero gives the argument's default as a value of its Go type. A default that
// does not parse is a mistake in the table, which a test finds.
func (a *argument) zero() any {
	switch a.kind {
	case text, secret:
		return a.def
	case number:
		n, _ := strconv.ParseInt(a.def, 10, 64)
		return n
	case ratio, factor:
		f, _ := strconv.ParseFloat(a.def, 64)
		return f
	case boolean:
		return a.def == "true"
	case duration:
		d, _ := time.ParseDuration(a.def)
		return d
	case texts:
		return []located(nil)
	}
	return nil
}

// bounds that several arguments share.
const (
	second    = int64(time.Second)
	maxDelay  = 24 * int64(time.Hour) // of anything that a person would wait for
	maxInt32  = math.MaxInt32
	maxUint32 = math.MaxUint32
	maxPort   = math.MaxUint16

	minFactor, maxFactor = 0.1, 10.0
)
