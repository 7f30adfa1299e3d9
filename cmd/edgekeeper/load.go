package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/config"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/inputs"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/keepalived"
	"github.com/edgekeeper/edgekeeper/cmd/edgekeeper/internal/migrate"
)

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "configuration: a file, a folder of *.hcl, or a keepalived.conf (ending .conf)", EnvVars: []string{"EDGEKEEPER_CONFIG"}}
}

func configIDFlag() cli.Flag {
	return &cli.StringFlag{Name: "config-id", Usage: "of a keepalived.conf, the lines that begin with @ID are for this host (default: the host's name up to its first dot)", EnvVars: []string{"EDGEKEEPER_CONFIG_ID"}}
}

// isKeepalived reports whether a path names a keepalived.conf.
func isKeepalived(path string) bool { return strings.HasSuffix(path, ".conf") }

// load reads a configuration: HCL, or a keepalived.conf, whose differences it
// returns too. The mistakes of either are a config.Error.
func load(path, id string) (*config.Config, []migrate.Finding, error) {
	return loadOn(path, id, inputs.New(os.Getenv), nil)
}

// loadOn is load, which reads everything through in, and also asks the host
// whether it can do what is configured; nil asks nobody.
func loadOn(path, id string, in *inputs.Reader, host config.Host) (*config.Config, []migrate.Finding, error) {
	if !isKeepalived(path) {
		cfg, err := config.LoadOn(path, in, host)
		return cfg, nil, err
	}
	doc, findings, err := translate(path, id, in)
	if err != nil {
		return nil, nil, err
	}
	var mistakes config.Error
	var differences []migrate.Finding
	for _, f := range findings {
		switch f.Severity {
		case migrate.Error:
			mistakes = append(mistakes, config.Diagnostic{File: f.At.File, Line: f.At.Line, Column: f.At.Column, Message: f.Message})
		case migrate.Difference:
			differences = append(differences, f)
		}
	}
	cfg, err := config.CheckOn(doc.Body(), in, host)
	var more config.Error
	if errors.As(err, &more) {
		return nil, differences, append(mistakes, more...)
	}
	if len(mistakes) > 0 {
		err = mistakes
	}
	if err != nil {
		return nil, differences, err
	}
	return cfg, differences, nil
}

// translate translates a keepalived.conf. A file that is not there is an
// ordinary error of package os.
func translate(path, id string, in *inputs.Reader) (*migrate.Document, []migrate.Finding, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	if id == "" {
		host, err := in.Hostname()
		if err != nil {
			return nil, nil, fmt.Errorf("read host name: %w", err)
		}
		id, _, _ = strings.Cut(host, ".")
	}
	doc, findings := migrate.Translate(in.FS(os.DirFS("/")), strings.TrimPrefix(filepath.ToSlash(whole), "/"), keepalived.Options{
		Name: path, ID: id, Env: in.Env,
	})
	return doc, findings, nil
}
