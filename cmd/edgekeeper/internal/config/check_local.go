package config

import (
	"strings"

	"github.com/edgekeeper/edgekeeper/discovery"
)

// execute takes the arguments of an exec check.
func (c *checker) execute(k *block, x *discovery.ExecSpec) {
	if !k.written("command") && !k.bad("command") {
		k.addf(k.header, "%s needs command", k.name())
	}
	k.program("command")
	for _, l := range k.list("environment") {
		if name, _, ok := strings.Cut(l.text, "="); !ok || name == "" || strings.ContainsRune(l.text, 0) {
			k.addf(l.at, "environment: %q is not NAME=value", l.text)
			return
		}
	}
	*x = discovery.ExecSpec{
		Command: discovery.MakeList(plain(k.list("command"))), User: k.str("user"), Env: discovery.MakeList(plain(k.list("environment"))), Dynamic: k.flag("dynamic_weight"),
	}
}

// numberFile takes the arguments of a file check.
func (c *checker) numberFile(k *block, f *discovery.FileSpec) {
	*f = discovery.FileSpec{Path: k.str("file"), Missing: int(k.num("missing")), Weight: int(k.num("weight"))}
	if !k.written("file") && !k.bad("file") {
		k.addf(k.header, "%s needs file", k.name())
	}
	k.absolute("file", f.Path)
}
