package config

import (
	"bytes"
	"runtime"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/sync/errgroup"
)

// largeFile is from which size on a file is parsed in parts of at least partSize:
// small enough for the parser's lists of tokens to be small objects, which the next
// part uses again, and large enough for a part to be worth its overhead.
const (
	largeFile = 64 << 10
	partSize  = 8 << 10
)

// inParts parses a file in parts of at least size, on all processors, and reports whether
// that gave what parsing it whole would. A part ends behind a line that is a
// closing brace and nothing else. Where that is no end of a block at the top (in a
// heredoc, in a comment, in a block that is not indented) the part before does not
// parse, and neither does a file with a mistake: such a file is for the whole
// parser, which says what is wrong.
func inParts(s source, size int) (*hclsyntax.Body, bool) {
	type part struct {
		text []byte
		at   hcl.Pos
		body *hclsyntax.Body
	}
	var parts []*part
	at := hcl.InitialPos
	for rest := s.text; len(rest) > 0; {
		n := end(rest, size)
		p := &part{text: rest[:n], at: at}
		parts = append(parts, p)
		rest = rest[n:]
		at.Line += bytes.Count(p.text, []byte{'\n'})
		at.Byte += n
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range parts {
		group.Go(func() error {
			file, diags := hclsyntax.ParseConfig(p.text, s.name, p.at)
			if len(diags) > 0 {
				return diags
			}
			p.body = file.Body.(*hclsyntax.Body)
			return nil
		})
	}
	if group.Wait() != nil {
		return nil, false
	}
	whole := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}}
	for _, p := range parts {
		for name, a := range p.body.Attributes {
			if whole.Attributes[name] != nil {
				return nil, false
			}
			whole.Attributes[name] = a
		}
		whole.Blocks = append(whole.Blocks, p.body.Blocks...)
	}
	return whole, true
}

// end is where a part ends that begins with text.
func end(text []byte, size int) int {
	const closing = "\n}\n"
	if len(text) <= size {
		return len(text)
	}
	i := bytes.Index(text[size:], []byte(closing))
	if i < 0 {
		return len(text)
	}
	return size + i + len(closing)
}
