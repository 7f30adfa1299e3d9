package config

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Titles of the parser's mistakes that want a treatment of their own. It gives
// them no other identity; tests hold the wording.
const (
	// redefined is an argument that is set twice in one block, the only mistake
	// after which the parser still knows where it is.
	redefined = "Attribute redefined"
	// openQuote is a string without its closing quote. What the parser says of
	// the text after it is noise.
	openQuote = "Invalid multi-line string"
)

// Bounds of the items of one file whose syntax is reported, in number and in
// bytes parsed: a file with more of them is no configuration, and parsing it
// again and again takes long.
const (
	maxBroken = 30
	maxParsed = 1 << 20
)

// body parses a file. The parser reports the first mistake of syntax and little
// after it, so the item at the top of the file that holds the mistake is blanked
// out and the rest parsed again, until it parses.
func (r *report) body(s source) *hclsyntax.Body {
	if len(s.text) >= largeFile {
		if body, ok := inParts(s, partSize); ok {
			return body
		}
	}
	text := s.text
	for broken := 1; ; broken++ {
		file, diags := hclsyntax.ParseConfig(text, s.name, hcl.InitialPos)
		diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity != hcl.DiagError })
		lost := slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool { return d.Summary == redefined })
		if len(lost) == 0 {
			for _, d := range diags {
				r.addf(*d.Subject, "%s is set twice in this block", d.Subject.SliceBytes(s.text))
			}
			return file.Body.(*hclsyntax.Body)
		}
		r.partial = true
		from, to := item(s.text, slices.MinFunc(lost, byLine))
		if !r.syntax(s, lost, from, to) || broken == maxBroken || broken*len(text) > maxParsed || len(bytes.TrimSpace(text[from:to])) == 0 {
			// Nothing that leaving out would cure.
			return &hclsyntax.Body{}
		}
		text = slices.Clone(text)
		for i := from; i < to; i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
}

// syntax reports the mistakes that begin within a part of the file, and whether
// there are any: those behind it may be noise, and will be found again if not.
func (r *report) syntax(s source, lost hcl.Diagnostics, from, to int) (found bool) {
	var last hcl.Pos
	for _, d := range lost {
		at := startOf(s, d)
		if found && at.Start == last {
			continue // a consequence of the one before
		}
		if at.Start.Byte < from || at.Start.Byte > to || at.Start.Byte == to && to < len(s.text) {
			continue
		}
		r.addf(at, "%s", sentence(d))
		found, last = true, at.Start
		if d.Summary == openQuote {
			break
		}
	}
	return found
}

func startOf(s source, d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{Filename: s.name, Start: hcl.InitialPos}
	}
	return *d.Subject
}

func byLine(a, b *hcl.Diagnostic) int {
	return startOf(source{}, a).Start.Byte - startOf(source{}, b).Start.Byte
}

// item gives the bounds of the argument or block at the top of the file that
// holds a mistake: from a line that begins with a letter to the next such line.
func item(text []byte, d *hcl.Diagnostic) (from, to int) {
	at := min(startOf(source{}, d).Start.Byte, len(text))
	to = len(text)
	for i := range text {
		if i > 0 && text[i-1] != '\n' || !letter(text[i]) {
			continue
		}
		if i > at {
			return from, i
		}
		from = i
	}
	return from, to
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
