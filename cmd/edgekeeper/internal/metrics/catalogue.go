package metrics

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

const prefix = "edgekeeper_"

// entry is what is known of a metric before it has a value.
type entry struct {
	desc       *prometheus.Desc
	name, help string
	histogram  bool
	labels     []string
}

// kind is the metric's type, as its name has it.
func (e entry) kind() string {
	switch {
	case e.histogram:
		return "histogram"
	case strings.HasSuffix(e.name, "_total"):
		return "counter"
	}
	return "gauge"
}

// catalogue has every metric. It is filled while the package's variables are,
// and read afterwards.
var catalogue []entry

func desc(name, help string, labels ...string) *prometheus.Desc {
	return add(entry{name: prefix + name, help: help, labels: labels})
}

func histogram(name, help string, labels ...string) *prometheus.Desc {
	return add(entry{name: prefix + name, help: help, labels: labels, histogram: true})
}

func add(e entry) *prometheus.Desc {
	e.desc = prometheus.NewDesc(e.name, e.help, e.labels, nil)
	catalogue = append(catalogue, e)
	return e.desc
}

// Reference writes a table of all metrics in Markdown, by name.
func Reference(w io.Writer) error {
	list := slices.Clone(catalogue)
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	if _, err := fmt.Fprint(w, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"); err != nil {
		return err
	}
	for _, e := range list {
		labels := ""
		if len(e.labels) > 0 {
			labels = "`" + strings.Join(e.labels, "`, `") + "`"
		}
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", e.name, e.kind(), labels, e.help); err != nil {
			return err
		}
	}
	return nil
}
