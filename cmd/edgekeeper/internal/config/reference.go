package config

import (
	"fmt"
	"strings"
	"time"
)

// Reference renders every block and argument, with types, ranges and defaults,
// as Markdown: docs/config.md.
func Reference() string {
	w := &strings.Builder{}
	w.WriteString(`# Configuration

edgekeeper reads HCL: one file, or a folder of ` + "`*.hcl`" + ` files. ` + "`edgekeeper validate PATH`" + ` reports every mistake with its file, line and column.

- Durations are strings with a unit: ` + "`\"6s\"`, `\"250ms\"`, `\"1m30s\"`" + `.
- An unknown name is a mistake, and so is a setting that could have no effect.
- There are no variables and no functions. Text stands in quotes.
- Names of ` + "`vrrp` and `virtual_server`" + ` blocks are parts of KV keys: no slash, no space.
- This page is made from the table that the program itself reads (` + "`go test ./cmd/edgekeeper/internal/config -update`" + `).

Complete files are in [examples](examples).
`)
	reference(w, root, nil, map[*blockType]string{})
	return w.String()
}

// reference writes a block type and those within. One that stands in several
// places is written at the first; seen holds the titles of those that are.
func reference(w *strings.Builder, t *blockType, path []string, seen map[*blockType]string) {
	title := "Top level"
	if t.name != "" {
		path = append(path[:len(path):len(path)], t.name)
		title = strings.Join(path, " → ")
	}
	if first, again := seen[t]; again {
		fmt.Fprintf(w, "\n%s %s\n\nThe same as %s.\n", strings.Repeat("#", max(2, len(path)+1)), title, first)
		return
	}
	seen[t] = title
	fmt.Fprintf(w, "\n%s %s\n\n%s\n", strings.Repeat("#", max(2, len(path)+1)), title, t.doc)
	if t.label != "" {
		if t.second == "" {
			fmt.Fprintf(w, "\nLabel: %s.", t.label)
		} else {
			fmt.Fprintf(w, "\nLabels: %s; %s.", t.label, t.second)
		}
		if t.unique {
			w.WriteString(" No two are the same.")
		}
		w.WriteString("\n")
	}
	if t.single {
		w.WriteString("\nAt most one.\n")
	}
	if len(t.args) > 0 {
		w.WriteString("\n| argument | type | default | meaning |\n| --- | --- | --- | --- |\n")
		for i := range t.args {
			a := &t.args[i]
			fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", a.name, a.typeText(), a.defaultText(), a.meaning())
		}
	}
	if len(t.blocks) > 0 {
		names := t.blockNames()
		for i, n := range names {
			names[i] = "`" + n + "`"
		}
		fmt.Fprintf(w, "\nBlocks: %s.\n", strings.Join(names, ", "))
	}
	if t.sample != "" {
		fmt.Fprintf(w, "\n```hcl\n%s\n```\n", t.sample)
	}
	for _, b := range t.blocks {
		reference(w, b, path, seen)
	}
}

// typeText gives the type and what values it takes.
func (a *argument) typeText() string {
	if a.choices != nil {
		list := make([]string, len(a.choices))
		for i, c := range a.choices {
			list[i] = "`" + c + "`"
		}
		if a.kind == texts {
			return "list of " + strings.Join(list, ", ")
		}
		return strings.Join(list, ", ")
	}
	if a.lo == 0 && a.hi == 0 {
		if a.kind == ratio {
			return "number, 0 to 1"
		}
		if a.kind == factor {
			return fmt.Sprintf("number, %g to %g", minFactor, maxFactor)
		}
		return kindNames[a.kind]
	}
	if a.kind == duration {
		return fmt.Sprintf("duration, %s to %s", short(time.Duration(a.lo)), short(time.Duration(a.hi)))
	}
	return fmt.Sprintf("%s, %d to %d", kindNames[a.kind], a.lo, a.hi)
}

func (a *argument) defaultText() string {
	switch {
	case a.required:
		return "required"
	case a.defText != "":
		return a.defText
	case a.def == "":
		return "none"
	case a.kind == text || a.kind == duration:
		return fmt.Sprintf("`%q`", a.def)
	}
	return "`" + a.def + "`"
}

func (a *argument) meaning() string {
	if a.only == nil {
		return a.doc
	}
	return "(`" + strings.Join(a.only, "`, `") + "`) " + a.doc
}
