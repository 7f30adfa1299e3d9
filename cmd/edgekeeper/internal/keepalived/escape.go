package keepalived

import (
	"errors"
	"strings"
)

// What Escaped finds wrong.
var (
	ErrQuote  = errors.New("a quotation mark without its partner")
	ErrEscape = errors.New("a backslash at the end")
)

// Escaped makes words of a line the way that keepalived reads command lines:
// either quotation mark holds words together, parts without white space between
// them are one word, and a backslash escapes as in C. The errors are ErrQuote
// and ErrEscape.
func Escaped(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, white)
		if line == "" {
			return words, nil
		}
		var word strings.Builder
		quote := byte(0)
		for line != "" && (quote != 0 || !strings.ContainsRune(white, rune(line[0]))) {
			c := line[0]
			switch {
			case c == '\\':
				b, rest, ok := escape(line[1:])
				if !ok {
					return words, ErrEscape
				}
				word.WriteByte(b)
				line = rest
				continue
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote:
				quote = 0
			default:
				word.WriteByte(c)
			}
			line = line[1:]
		}
		if quote != 0 {
			return words, ErrQuote
		}
		words = append(words, word.String())
	}
}

// escape reads what follows a backslash.
func escape(s string) (c byte, rest string, ok bool) {
	if s == "" {
		return 0, "", false
	}
	switch c := s[0]; {
	case c == 'x' && len(s) > 1 && hex(s[1]) >= 0:
		n, i := 0, 1
		for ; i < len(s) && i <= 2 && hex(s[i]) >= 0; i++ {
			n = n<<4 | hex(s[i])
		}
		return byte(n), s[i:], true
	case c == 'c' && len(s) > 1:
		return s[1] & 0x1f, s[2:], true
	case c >= '0' && c <= '7':
		n, i := 0, 0
		for ; i < len(s) && i < 3 && s[i] >= '0' && s[i] <= '7'; i++ {
			n = n<<3 | int(s[i]-'0')
		}
		return byte(n), s[i:], true
	}
	if i := strings.IndexByte("abEfnrtv", s[0]); i >= 0 {
		return "\a\b\x1b\f\n\r\t\v"[i], s[1:], true
	}
	return s[0], s[1:], true
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
