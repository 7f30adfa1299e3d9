// Package keepalived reads the language of keepalived.conf(5): words, quotes,
// comments, blocks, included files, definitions, lines for one host only, and
// replicated lines. It gives a tree of statements and knows none of their
// meanings; package migrate does.
//
// The contract:
//
//   - Parse reads files through the fs.FS that it is given, and nothing else. The
//     same files and options give the same tree on any machine.
//   - Every statement says where it was written. One that came out of a
//     definition stands where the definition was used.
//   - Whatever could not be read is a Problem. The rest is parsed all the same,
//     as far as keepalived would; work and memory are bounded.
//
// The language is that of keepalived 2.2 to 2.4. It has no grammar in writing;
// what is said of it here was read in lib/parser.c and tried.
package keepalived

import "fmt"

// Position is a place in a file. Line and Column count from 1, the column in
// bytes. A statement out of a definition has the column of the line's first
// character.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String gives file:line:column.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Statement is one line of the configuration: a keyword, what follows it, and
// the block between braces where there is one. In some blocks, such as
// virtual_ipaddress, the first word of a line is no keyword but a value.
type Statement struct {
	At    Position
	Words []string    // never empty; quotes taken off
	Raw   string      // the line, without comment and braces, after definitions were filled in
	Open  bool        // there is a block, perhaps an empty one
	Block []Statement // its lines
	// Unbalanced says that a quotation mark has no partner, so that Words are not
	// all. A command line may have that; see Escaped.
	Unbalanced bool
}

// Name is the first word.
func (s Statement) Name() string { return s.Words[0] }

// Args are the words after the first.
func (s Statement) Args() []string { return s.Words[1:] }

// Arg is the word number i, the keyword being number 0; "" when there is none.
func (s Statement) Arg(i int) string {
	if i < len(s.Words) {
		return s.Words[i]
	}
	return ""
}

// Problem is something that could not be read.
type Problem struct {
	At      Position
	Message string // one sentence, without a full stop
}

// String gives file:line:column: message.
func (p Problem) String() string { return fmt.Sprintf("%s: %s", p.At, p.Message) }

// Options say what depends on the host.
type Options struct {
	// Name is what positions call the first file. Empty: its path.
	Name string
	// ID selects the lines that begin with @ID and leaves out those that begin with
	// @^ID: keepalived's --config-id, by default the host's name up to its first
	// dot. Empty matches no @ID.
	ID string
	// Instance is the value of ${_INSTANCE}.
	Instance string
	// Env gives the variables of ${_ENV NAME}; nil is an empty environment.
	Env func(string) string
}

// Bounds on what one configuration may become. keepalived has none but memory;
// a file beyond them is a mistake, such as a definition that contains itself.
const (
	maxLine     = 64 << 10 // bytes of a line, definitions filled in
	maxLines    = 200_000  // of all files, and replicated ones
	maxMade     = 4 << 20  // bytes that came out of definitions and replication
	maxDepth    = 64       // of included files, of definitions in each other, of blocks
	maxProblems = 100
)
