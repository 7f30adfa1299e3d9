package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/control"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/metrics"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/show"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/version"
)

func debugCommand() *cli.Command {
	return &cli.Command{
		Name: "debug", Usage: "collect what a person needs who is to help: one archive, without secrets",
		Description: "Writes a tar.gz with status, events, metrics, the stacks of all goroutines, the configuration in force and the kernel's tables. " +
			"Secrets, command lines and the paths of webhooks are left out; addresses, names and the reasons of checks are in it. " +
			"Where no director answers, the archive has the host's part only.",
		Flags: []cli.Flag{
			socketFlag(),
			&cli.StringFlag{Name: "output", Usage: "file to write, - for stdout (default: edgekeeper-debug-TIME.tar.gz)", EnvVars: []string{"EDGEKEEPER_OUTPUT"}},
		},
		Before: noArguments,
		Action: func(c *cli.Context) error {
			now := time.Now()
			name := c.String("output")
			if name == "" {
				name = "edgekeeper-debug-" + now.UTC().Format("20060102T150405Z") + ".tar.gz"
			}
			var archive bytes.Buffer
			if err := writeArchive(&archive, now, collect(c.Context, client(c), kernelTables)); err != nil {
				return err
			}
			if name == "-" {
				_, err := archive.WriteTo(c.App.Writer)
				return err
			}
			if err := os.WriteFile(name, archive.Bytes(), 0o600); err != nil {
				return fmt.Errorf("write archive: %w", err)
			}
			_, err := fmt.Fprintln(c.App.Writer, name)
			return err
		},
	}
}

// document is one file of the archive.
type document struct {
	name string
	text []byte
}

// kernelTables are what the kernel shows of this host, as far as it has them.
var kernelTables = []string{
	"/proc/net/ip_vs", "/proc/net/ip_vs_stats", "/proc/net/dev", "/proc/net/arp", "/proc/net/route", "/proc/net/ipv6_route", "/proc/net/fib_trie",
	"/proc/net/if_inet6", "/proc/net/raw", "/proc/net/raw6", "/proc/sys/net/ipv4/vs/*", "/proc/sys/net/ipv4/conf/*/arp_ignore", "/proc/sys/net/ipv4/conf/*/arp_announce",
	"/proc/sys/net/ipv4/conf/*/send_redirects", "/proc/sys/net/ipv4/conf/*/rp_filter", "/proc/sys/net/ipv4/ip_forward", "/proc/version", "/proc/loadavg", "/proc/modules",
}

// collect asks the director and the kernel. What cannot be had is told in the
// file errors.txt, and the rest is collected all the same.
func collect(ctx context.Context, d control.Director, tables []string) []document {
	var out []document
	var problems []string
	keep := func(name string, text []byte, err error) {
		if err != nil {
			problems = append(problems, name+": "+err.Error())
			return
		}
		out = append(out, document{name, text})
	}
	keepJSON := func(name string, v any, err error) {
		text, jerr := json.MarshalIndent(v, "", "  ")
		keep(name, append(text, '\n'), errors.Join(err, jerr))
	}
	keepJSON("version.json", version.Get(), nil)
	s, err := d.Snapshot(ctx)
	keepJSON("status.json", s, err)
	if err == nil {
		var text bytes.Buffer
		keep("status.txt", text.Bytes(), show.Status(&text, s))
		out[len(out)-1].text = text.Bytes()
		m, err := metrics.Text(s)
		keep("metrics.txt", m, err)
	}
	events, err := d.Events(ctx, 0)
	keepJSON("events.json", events, err)
	inner, err := d.Debug(ctx)
	keep("goroutines.txt", []byte(inner.Goroutines), err)
	if err == nil {
		var indented bytes.Buffer
		err := json.Indent(&indented, inner.Config, "", "  ")
		keep("config.json", indented.Bytes(), err)
		keep("ipvs.txt", []byte(strings.Join(inner.Table, "\n")+"\n"), nil)
	}
	for _, pattern := range tables {
		names, err := filepath.Glob(pattern)
		if err != nil {
			keep(pattern, nil, err)
		}
		for _, name := range names {
			text, err := readSome(name)
			keep("kernel"+name, text, err)
		}
	}
	if len(problems) > 0 {
		out = append(out, document{"errors.txt", []byte(strings.Join(problems, "\n") + "\n")})
	}
	return out
}

// readSome reads at most 8 MiB of a file.
func readSome(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, 8<<20))
}

// writeArchive packs documents in a folder of their own.
func writeArchive(w io.Writer, now time.Time, list []document) error {
	zipped := gzip.NewWriter(w)
	t := tar.NewWriter(zipped)
	for _, d := range list {
		h := &tar.Header{Name: "edgekeeper-debug/" + d.name, Mode: 0o600, Size: int64(len(d.text)), ModTime: now}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if _, err := t.Write(d.text); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	if err := errors.Join(t.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
