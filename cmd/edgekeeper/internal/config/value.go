package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
)

// get gives an argument's value: what was written, else the table's default. To
// ask for a name that the table does not hold, or as another type, is a mistake
// of the caller and panics.
func get[T any](b *block, name string) T {
	a := b.kind.arg(name)
	if a == nil {
		panic(fmt.Sprintf("config: block %q has no argument %q", b.kind.name, name))
	}
	if v, ok := b.values[name]; ok {
		return v.(T)
	}
	return a.zero().(T)
}

func (b *block) str(name string) string        { return get[string](b, name) }
func (b *block) num(name string) int64         { return get[int64](b, name) }
func (b *block) share(name string) float64     { return get[float64](b, name) }
func (b *block) factor(name string) float64    { return get[float64](b, name) }
func (b *block) flag(name string) bool         { return get[bool](b, name) }
func (b *block) dur(name string) time.Duration { return get[time.Duration](b, name) }
func (b *block) list(name string) []located    { return get[[]located](b, name) }

// written reports whether the argument was given a good value.
func (b *block) written(name string) bool { _, ok := b.values[name]; return ok }

// bad reports whether the argument was given a value that is wrong, so that
// nothing more needs to be said about it.
func (b *block) bad(name string) bool {
	_, at := b.at[name]
	return at && !b.written(name)
}

// where gives the place of an argument's value, or the block's when it is not
// written.
func (b *block) where(name string) hcl.Range {
	if at, ok := b.at[name]; ok {
		return at
	}
	return b.header
}

// within gives the type of the blocks of one kind within b. To ask for a kind that
// the table does not hold is a mistake of the caller and panics.
func (b *block) within(name string) *blockType {
	t := b.kind.block(name)
	if t == nil {
		panic(fmt.Sprintf("config: block %q has no block %q", b.kind.name, name))
	}
	return t
}

// all gives the blocks of one kind within b.
func (b *block) all(name string) []*block {
	t := b.within(name)
	var out []*block
	for _, c := range b.blocks {
		if c.kind == t {
			out = append(out, c)
		}
	}
	return out
}

// one gives the only block of a kind within b, or nil.
func (b *block) one(name string) *block {
	t := b.within(name)
	for _, c := range b.blocks {
		if c.kind == t {
			return c
		}
	}
	return nil
}

// texts of a list, without their places; nil for none.
func plain(list []located) []string {
	var out []string
	for _, l := range list {
		out = append(out, l.text)
	}
	return out
}

// address takes an IP address without a zone. IPv4-mapped IPv6 is refused: it
// would be one address with two names.
func (b *block) address(what, s string, at hcl.Range) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		b.addf(at, "%s: %q is not an IP address", what, s)
		return a, false
	}
	return a, b.usable(what, a, at)
}

func (b *block) usable(what string, a netip.Addr, at hcl.Range) bool {
	switch {
	case a.Is4In6():
		b.addf(at, "%s: write the IPv4 address as %s", what, a.Unmap())
	case a.Zone() != "":
		b.addf(at, "%s: %q names an interface, write the address without %q", what, a, "%"+a.Zone())
	case a.IsUnspecified() || a.IsMulticast():
		b.addf(at, "%s: %s is not the address of a host", what, a)
	default:
		return true
	}
	return false
}

// endpoint takes ip:port ([ip]:port for IPv6). Without a port it takes the
// fallback; a negative fallback makes the port necessary.
func (b *block) endpoint(what, s string, at hcl.Range, fallback int) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, b.usable(what, ap.Addr(), at)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		if fallback < 0 {
			b.addf(at, "%s: %q lacks its port, write %q", what, s, netip.AddrPortFrom(a, 80))
			return netip.AddrPort{}, false
		}
		return netip.AddrPortFrom(a, uint16(fallback)), b.usable(what, a, at)
	}
	b.addf(at, "%s: %q is not ip:port, such as \"192.0.2.1:80\" or \"[2001:db8::1]:80\"", what, s)
	return netip.AddrPort{}, false
}

// sameFamily reports whether two addresses are of one IP family.
func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

func family(a netip.Addr) string { return familyName(!a.Is4()) }

func familyName(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// secretOf reads a secret that is written as name, name_file or name_env. Of the
// three exactly one must be there.
func (b *block) secretOf(name string, in *inputs.Reader) (Secret, bool) {
	var given []string
	for _, n := range []string{name, name + "_file", name + "_env"} {
		if _, ok := b.at[n]; ok {
			given = append(given, n)
		}
	}
	if len(given) == 0 {
		b.addf(b.header, "%s needs one of %s, %s_file and %s_env", b.name(), name, name, name)
		return Secret{}, false
	}
	if len(given) > 1 {
		b.addf(b.where(given[1]), "%s and %s exclude each other", given[0], given[1])
		return Secret{}, false
	}
	if b.bad(given[0]) {
		return Secret{}, false
	}
	at, value := b.where(given[0]), b.str(given[0])
	switch given[0] {
	case name + "_file":
		path := value
		raw, err := in.Text("secret "+path, func() (string, error) { return readSecret(path) })
		if err != nil {
			b.addf(at, "%s_file: %v", name, err)
			return Secret{}, false
		}
		if value = strings.TrimRight(raw, "\r\n"); value == "" {
			b.addf(at, "%s_file: %q is empty", name, b.str(given[0]))
			return Secret{}, false
		}
	case name + "_env":
		variable := value
		if value = in.Env(variable); value == "" {
			b.addf(at, "%s_env: the environment variable %q is not set", name, variable)
			return Secret{}, false
		}
	}
	return NewSecret(value), true
}

// maxSecretFile is more than any secret needs.
const maxSecretFile = 4096

// errNoSecretFile is what a secret is not read from: reading a device or a pipe
// could block for ever.
var errNoSecretFile = errors.New("not a regular file of at most 4096 bytes")

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return "", fmt.Errorf("read %s: %w", path, errNoSecretFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	return string(text), err
}
